import type { Metric, Registry } from 'prom-client';
import type { HistogramView } from '../shard/histogram.js';

export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Of the parts of a histogram. */
  readonly metricName?: string;
}

export type Kind = 'counter' | 'gauge' | 'histogram';

type Labels = Readonly<Record<string, string | number>>;

/** What one label value stands for, and how often. */
export interface Labelled<Value> {
  readonly labels: Labels;
  readonly value: Value;
}

export const prefix = 'plivo_gateway_';

/**
 * Metrics whose values are counted elsewhere and read when somebody scrapes. prom-client's own classes want to do the
 * counting; a registry takes any object of this form.
 */
export class Families {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** A metric without labels. */
  one(kind: 'counter' | 'gauge', name: string, help: string, read: () => number): void {
    this.#add(kind, name, help, () => [{ labels: {}, value: read() }]);
  }

  each(
    kind: 'counter' | 'gauge',
    name: string,
    help: string,
    read: () => readonly Labelled<number>[],
  ): void {
    this.#add(kind, name, help, read);
  }

  histogram(name: string, help: string, read: () => readonly Labelled<HistogramView>[]): void {
    this.#add('histogram', name, help, () =>
      read().flatMap(({ labels, value }) => histogramSamples(prefix + name, labels, value)),
    );
  }

  #add(kind: Kind, name: string, help: string, read: () => readonly Sample[]): void {
    const full = prefix + name;
    const get = async () => ({ name: full, help, type: kind, values: read(), aggregator: 'sum' });
    const metric = { name: full, help, type: kind, get, reset() {} };
    this.#registry.registerMetric(metric as unknown as Metric);
  }
}

/** The count is the sum of the buckets that are shown with it, whatever is counted meanwhile. */
function histogramSamples(name: string, labels: Labels, view: HistogramView): Sample[] {
  let count = 0;
  const samples: Sample[] = view.buckets.map((inBucket, index) => {
    count += inBucket;
    const le = view.bounds[index] ?? '+Inf';
    return { labels: { ...labels, le }, value: count, metricName: `${name}_bucket` };
  });
  samples.push({ labels, value: view.sum, metricName: `${name}_sum` });
  samples.push({ labels, value: count, metricName: `${name}_count` });
  return samples;
}
