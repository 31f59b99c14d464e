export type Labels = Readonly<Record<string, string | number>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** Of the parts of a histogram. */
  readonly metricName?: string;
}

/** A metric as `get()` of prom-client's and our own gives it. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly Sample[];
}

/** A metric, with its samples or with their lines. */
export type ReadFamily = Omit<MetricFamily, 'values'> &
  ({ readonly values: readonly Sample[] } | { readonly text: string });

/** Prometheus's text format, or OpenMetrics 1.0. */
export type TextForm = 'prometheus' | 'openmetrics';

export const contentTypes: Readonly<Record<TextForm, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/**
 * Metrics as text. The registry of prom-client writes both forms too, but takes the front ten milliseconds for ten routes;
 * and one that has written OpenMetrics has taken the `_total` off its metrics for good.
 */
export function metricsText(families: readonly ReadFamily[], form: TextForm): string {
  let text = '';
  for (const family of families) {
    const { name, help, type } = family;
    // In OpenMetrics a counter's family has no such ending, its samples do.
    const isShort = form === 'openmetrics' && type === 'counter';
    const shown = isShort ? name.replace(/_total$/, '') : name;
    text += `# HELP ${shown} ${escaped(help, form === 'openmetrics')}\n# TYPE ${shown} ${type}\n`;
    text += 'text' in family ? family.text : samplesText(name, family.values);
  }
  return form === 'openmetrics' ? `${text}# EOF\n` : text;
}

function samplesText(name: string, samples: readonly Sample[]): string {
  let text = '';
  for (const { labels, value, metricName = name } of samples) {
    const pairs = labelPairs(labels);
    text += `${metricName}${pairs === '' ? '' : `{${pairs}}`} ${numberText(value)}\n`;
  }
  return text;
}

/** `name="value"`, with commas between. */
export function labelPairs(labels: Labels): string {
  let text = '';
  for (const name in labels) {
    const value = labels[name]!;
    const shown = typeof value === 'number' ? value : escaped(value, true);
    text += `${text === '' ? '' : ','}${name}="${shown}"`;
  }
  return text;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return `${value}`;
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

const special = /[\\\n"]/;

function escaped(text: string, withQuotes: boolean): string {
  if (!special.test(text)) return text;
  const most = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return withQuotes ? most.replaceAll('"', '\\"') : most;
}
