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
      if (line === '' || line.startsWith('# HELP ')) continue;
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
  // prom-client writes `Nan`, and Prometheus reads it so.
  if (Number.isNaN(value) && !/^nan$/i.test(number)) throw new Error(`not a number: ${line}`);
  return { name, labels, value };
}
