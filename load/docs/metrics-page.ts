import { writeFile } from 'node:fs/promises';
import { argv, stdout } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { everyMetric, type KnownMetric, openLabels } from './every-metric.js';

/** Writes `docs/metrics.md`: every metric, as the gateway itself describes it. */

const prefix = 'plivo_gateway_';

const head = `# Metrics

<!-- generated: npm run docs -->

\`/metrics\` of the admin listener, as text of Prometheus or, to whoever asks for it, of OpenMetrics. Times are seconds, shares
0 to 1. Counters begin at 0 with the process, and all their series are there from its start, but for what is yet to be
named: the series of a route that a reload brings come with it. Labels take the values that are listed, and no others.
[grafana/](../grafana) has dashboards and alerts for them, [runbook.md](runbook.md) what to do when one fires.
`;

export async function metricsPage(): Promise<string> {
  const all = await everyMetric();
  const own = all.filter(({ name }) => name.startsWith(prefix));
  const others = all.filter(({ name }) => !name.startsWith(prefix));
  return [
    head,
    '## Of the gateway\n',
    table(own),
    '\n## Buckets of the histograms\n',
    'A bound stands on each threshold of an alert, so that it can fire and clear exactly there.\n',
    bucketTable(own.filter(({ type }) => type === 'histogram')),
    '\n## Of the process\n',
    'As prom-client names them; they are of the whole process, and of the front where they are of an event loop or a heap.\n',
    plainTable(others),
  ].join('\n');
}

function table(metrics: readonly KnownMetric[]): string {
  const rows = metrics.map((metric) => {
    const { name, type, help } = metric;
    const labels = [...labelsOf(metric)].map(([label, values]) => labelText(label, values));
    return `| \`${name}\` | ${type} | ${labels.join('; ')} | ${help} |`;
  });
  return `| metric | type | labels | |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`;
}

/** Without labels: which there are depends on what Node is doing at the moment. */
function plainTable(metrics: readonly KnownMetric[]): string {
  const rows = metrics.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`);
  return `| metric | type | |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}

function bucketTable(histograms: readonly KnownMetric[]): string {
  const rows = histograms.map(({ name, values }) => {
    const bounds = new Set(values.flatMap(({ labels: { le } }) => (le === undefined ? [] : [le])));
    const shown = [...bounds].filter((le) => le !== '+Inf').join(', ');
    return `| \`${name}\` | ${shown} |`;
  });
  return `| histogram | le |\n| --- | --- |\n${rows.join('\n')}\n`;
}

function labelsOf({ values }: KnownMetric): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const { labels } of values) {
    for (const [label, value] of Object.entries(labels)) {
      if (label === 'le') continue;
      found.set(label, (found.get(label) ?? new Set()).add(String(value)));
    }
  }
  return found;
}

function labelText(label: string, values: ReadonlySet<string>): string {
  if ((openLabels as readonly string[]).includes(label)) return `\`${label}\``;
  return `\`${label}\`: ${[...values].map((value) => `\`${value}\``).join(' ')}`;
}

export async function main(): Promise<void> {
  const path = fileURLToPath(new URL('../../../docs/metrics.md', import.meta.url));
  await writeFile(path, await metricsPage());
  stdout.write(`${path}\n`);
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) await main();
