export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A page of metrics, read as strictly as Prometheus reads it. */
export class MetricsPage {
  readonly samples: readonly MetricSample[];
  readonly types: ReadonlyMap<string, string>;

  constructor(text: string) {
    const samples: MetricSample[] = [];
    const types = new Map<string, string>();
    for (const line of text.split('\n')) {
      if (line === '' || line === '# EOF' || line.startsWith('# HELP ')) continue;
      if (line.startsWith('# TYPE ')) {
        const [name = '', type = ''] = line.slice(7).split(' ');
        if (types.has(name)) throw new Error(`two types of ${name}`);
        types.set(name, type);
      } else samples.push(readSample(line));
    }
    this.samples = samples;
    this.types = types;
  }

  /** Sum of the samples that carry these labels; NaN if there is none. Names without the prefix. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const found = this.samples.filter(
      (sample) =>
        sample.name === `plivo_gateway_${name}` &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
    return found.length === 0 ? Number.NaN : found.reduce((sum, { value }) => sum + value, 0);
  }

  drops(reason: string): number {
    return this.value('drops_total', { reason });
  }

  /** What is wrong with histograms: bounds or buckets that do not rise, a count that is not that of the last bucket. */
  torn(): readonly string[] {
    const histograms = [...this.types].filter(([, type]) => type === 'histogram');
    return histograms.flatMap(([name]) => this.#tornSeries(name).map((key) => `${name} ${key}`));
  }

  #tornSeries(name: string): string[] {
    const key = ({ labels: { le: _, ...rest } }: MetricSample): string => JSON.stringify(rest);
    const all = new Map<string, MetricSample[]>();
    for (const sample of this.samples) {
      if (![`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(sample.name)) continue;
      all.set(key(sample), [...(all.get(key(sample)) ?? []), sample]);
    }
    const isTorn = (series: readonly MetricSample[]): boolean => {
      const buckets = series.filter((sample) => sample.name.endsWith('_bucket'));
      const rest = series.filter((sample) => !sample.name.endsWith('_bucket'));
      const [sum, count] = ['_sum', '_count'].map((part) => {
        return rest.find((sample) => sample.name === name + part)?.value ?? Number.NaN;
      });
      const bounds = buckets.map(({ labels: { le = '' } }) =>
        Number(le.replace('+Inf', 'Infinity')),
      );
      const counts = buckets.map(({ value }) => value);
      const isWhole =
        isRising(bounds) && bounds.at(-1) === Number.POSITIVE_INFINITY && isRising(counts);
      return !isWhole || rest.length !== 2 || counts.at(-1) !== count || !(sum! >= 0);
    };
    return [...all].filter(([, series]) => isTorn(series)).map(([labels]) => labels);
  }
}

function isRising(values: readonly number[]): boolean {
  return values.every((value, index) => index === 0 || value >= values[index - 1]!);
}

function readSample(line: string): MetricSample {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const [, name = '', labelText = '', number = ''] = match;
  const labels: Record<string, string> = {};
  for (const pair of labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    labels[pair[1] ?? ''] = pair[2] ?? '';
  }
  const value = number === '+Inf' ? Number.POSITIVE_INFINITY : Number(number);
  if (Number.isNaN(value) && number !== 'NaN') throw new Error(`not a number: ${line}`);
  return { name, labels, value };
}
