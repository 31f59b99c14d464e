import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { boards, files } from '../../grafana/src/files.js';
import { alerts, recordings } from '../../grafana/src/rules.js';
import { everyMetric, type KnownMetric, openLabels } from '../../load/docs/every-metric.js';
import { settings } from '../../src/config/schema.js';
import { namedIn } from './promql.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'grafana');
const textOf = (path: string) => readFileSync(join(folder, path), 'utf8');

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
}

const dashboards = readdirSync(join(folder, 'dashboards')).map(
  (name) => JSON.parse(textOf(`dashboards/${name}`)) as Dashboard,
);
const panels = dashboards.flatMap(({ title, panels }) =>
  panels
    .filter(({ type }) => type !== 'row')
    .map((panel) => [`${title}: ${panel.title}`, panel] as const),
);
const expressions: readonly (readonly [string, string])[] = [
  ...panels.flatMap(([name, { targets = [] }]) => targets.map(({ expr }) => [name, expr] as const)),
  ...recordings.map(({ record, expr }) => [record, expr] as const),
  ...alerts.map(({ alert, expr }) => [alert, expr] as const),
];

describe('what is generated', () => {
  it('is what npm run dashboards writes', () => {
    const written = ['dashboards', 'rules'].flatMap((name) =>
      readdirSync(join(folder, name)).map((file) => `${name}/${file}`),
    );
    expect(written.toSorted()).toEqual([...files().keys()].toSorted());
    for (const [path, text] of files()) expect(textOf(path), path).toBe(text);
  });

  it('is five dashboards, each of them known by its question', () => {
    expect(boards.map(({ question }) => question)).toEqual([
      'Is it well?',
      'Where is the time going?',
      'What do callers hear?',
      'Are hang-ups reaching Plivo?',
      'Which upstream is ill?',
    ]);
    expect(new Set(boards.map(({ uid }) => uid)).size).toBe(boards.length);
  });
});

describe('a panel', () => {
  it.each(panels)('%s has words, a unit and a query', (_name, panel) => {
    expect(panel.description).toMatch(/^\S.{15,}[.)]$/s);
    expect(panel.fieldConfig?.defaults.unit).toBeTruthy();
    expect(panel.targets?.length).toBeGreaterThan(0);
  });

  it('has an id and a title of its own', () => {
    for (const { panels, title } of dashboards) {
      expect(new Set(panels.map(({ id }) => id)).size, title).toBe(panels.length);
    }
    for (const board of boards) {
      for (const { panels } of board.rows) {
        const titles = panels.map((panel) => panel.build().title);
        expect(new Set(titles).size, board.question).toBe(titles.length);
      }
    }
  });

  it('uses the variables that its dashboard has, and all of them', () => {
    for (const { panels, templating, title } of dashboards) {
      const exprs = panels
        .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
        .join('\n');
      const used = new Set([...exprs.matchAll(/\$([a-z]+)/g)].map(([, name]) => name));
      const had = templating.list.map(({ name }) => name).filter((name) => name !== 'datasource');
      expect([...used].toSorted(), title).toEqual(had.toSorted());
    }
  });
});

describe('an expression', () => {
  let known: ReadonlyMap<string, KnownMetric>;
  beforeAll(async () => {
    known = new Map((await everyMetric()).map((metric) => [metric.name, metric]));
  });

  /** The metric of a series, or the histogram that it is a part of. */
  const metricOf = (name: string): KnownMetric | undefined =>
    known.get(name) ?? known.get(name.replace(/_(bucket|sum|count)$/, ''));

  it.each(expressions)('of %s names metrics, labels and values that there are', (_name, expr) => {
    for (const { metric: name, matchers } of namedIn(expr)) {
      const metric = metricOf(name);
      expect(metric, name).toBeDefined();
      for (const { label, value } of matchers) {
        if (label === 'instance' || label === 'job' || value.includes('$')) continue;
        const values = metric!.values
          .map(({ labels }) => labels[label])
          .filter((one) => one !== undefined);
        expect(values.length, `${name}{${label}}`).toBeGreaterThan(0);
        if ((openLabels as readonly string[]).includes(label)) continue;
        const had = new Set(values.map(String));
        // A whole bound is written in two ways.
        const wanted = value.split('|').filter((one) => !/^\d+\.0$/.test(one));
        expect(
          wanted.filter((one) => !had.has(one)),
          `${name}{${label}}`,
        ).toEqual([]);
      }
    }
  });

  it('names recording rules that there are', () => {
    const names = new Set(recordings.map(({ record }) => record));
    for (const [where, expr] of expressions) {
      const used = [...expr.matchAll(/\b[a-z_]+:[a-z0-9_]+:[a-z0-9_]+/g)].map(([name]) => name);
      expect(
        used.filter((name) => !names.has(name)),
        where,
      ).toEqual([]);
    }
    expect(names.size).toBe(recordings.length);
  });

  it('takes no rate of a gauge, and no plain value of a counter', () => {
    for (const [where, expr] of expressions) {
      for (const [, inside = ''] of expr.matchAll(/\b(?:rate|increase)\(([^[]*)\[/g)) {
        for (const { metric } of namedIn(inside)) {
          expect(metricOf(metric)?.type, `${where}: ${metric}`).not.toBe('gauge');
        }
      }
      const outside = expr.replace(/\b(?:rate|increase)\([^[]*\[[^\]]*\][^)]*\)/g, '');
      for (const { metric } of namedIn(outside)) {
        expect(metricOf(metric)?.type, `${where}: ${metric}`).toBe('gauge');
      }
    }
  });
});

describe('the runbook', () => {
  const page = readFileSync(join(root, 'docs/runbook.md'), 'utf8');
  const sections = page.split(/^## /m).slice(1);

  it('has a section for each alert, in their order, and no other', () => {
    expect(sections.map((section) => section.split('\n')[0])).toEqual(
      alerts.map(({ alert }) => alert),
    );
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
    }
  });

  it('names panels, settings and commands that there are', () => {
    const titles = new Set([
      ...panels.map(([, { title }]) => title),
      ...boards.map(({ question }) => question),
    ]);
    const rows = boards.flatMap(({ rows }) => rows.map(({ title }) => title));
    const named = [...page.matchAll(/(?<![*\w])\*([A-Z][^*\n]+)\*(?!\*)/g)].map(
      ([, name]) => name!,
    );
    expect(named.length).toBeGreaterThan(10);
    const isKnown = (name: string) =>
      titles.has(name) ||
      rows.includes(name) ||
      [...titles].some((title) => title.startsWith(name));
    expect(named.filter((name) => !isKnown(name.replace(/\s+/g, ' ')))).toEqual([]);
  });
});

describe('compose.yaml', () => {
  interface Service {
    readonly image?: string;
    readonly build?: string;
    readonly volumes: readonly string[];
    readonly ports: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
  }
  const compose = parse(textOf('compose.yaml')) as {
    readonly services: Readonly<Record<'gateway' | 'prometheus' | 'grafana', Service>>;
    readonly volumes: object;
  };
  const { services } = compose;
  const portOf = (path: string) =>
    String(settings.find((setting) => setting.path === path)?.default);

  it('mounts what is there, where the others look for it', () => {
    for (const { volumes } of Object.values(services)) {
      for (const volume of volumes) {
        const [from = '', , mode] = volume.split(':');
        if (!from.startsWith('.')) expect(Object.keys(compose.volumes)).toContain(from);
        else {
          expect(existsSync(join(folder, from)), from).toBe(true);
          expect(mode).toBe('ro');
        }
      }
    }
    const { rule_files, scrape_configs } = parse(textOf('prometheus.yml')) as {
      rule_files: string[];
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    };
    expect(rule_files).toEqual(['rules/*.yaml']);
    expect(services.prometheus.volumes).toContain('./rules:/etc/prometheus/rules:ro');
    expect(scrape_configs[0]?.job_name).toBe('plivo-gateway');
    expect(scrape_configs[0]?.static_configs[0]?.targets).toEqual([
      `gateway:${portOf('admin.port')}`,
    ]);
    const [provider] = (
      parse(textOf('provisioning/dashboards/gateway.yaml')) as {
        providers: { options: { path: string } }[];
      }
    ).providers;
    const path = provider!.options.path;
    expect(services.grafana.volumes).toContain(`./dashboards:${path}:ro`);
    const home = services.grafana.environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH!;
    expect(existsSync(join(folder, home.replace(path, 'dashboards')))).toBe(true);
    const [source] = (
      parse(textOf('provisioning/datasources/prometheus.yaml')) as {
        datasources: { url: string }[];
      }
    ).datasources;
    expect(source?.url).toBe('http://prometheus:9090');
  });

  it('builds the gateway from the Dockerfile, with the ports of both, and every port on loopback', () => {
    expect(existsSync(join(folder, services.gateway.build!, 'Dockerfile'))).toBe(true);
    const exposed = /^EXPOSE (.*)$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1];
    expect(exposed).toBe(`${portOf('port')} ${portOf('admin.port')}`);
    expect(services.gateway.ports).toEqual([`127.0.0.1:${portOf('port')}:${portOf('port')}`]);
    for (const { ports } of Object.values(services)) {
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    for (const { image } of [services.prometheus, services.grafana]) {
      expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
    }
  });
});
