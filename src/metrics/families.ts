import type { Metric, Registry } from 'prom-client';
import type { HistogramView } from '../shard/histogram.js';
import { type Labels, labelPairs, type Sample } from './text-format.js';

/** What one label value stands for, and how often. */
export interface Labelled<Value> {
  readonly labels: Labels;
  readonly value: Value;
}

export interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
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
  one(type: 'counter' | 'gauge', name: string, help: string, read: () => number): void {
    this.each(type, name, help, () => [{ labels: {}, value: read() }]);
  }

  each(
    type: 'counter' | 'gauge',
    name: string,
    help: string,
    read: () => readonly Labelled<number>[],
  ): void {
    registerAs(this.#registry, { name: prefix + name, help, type }, read);
  }

  histogram(name: string, help: string, read: () => readonly Labelled<HistogramView>[]): void {
    const family = { name: prefix + name, help, type: 'histogram' } as const;
    const samples = () => read().flatMap((one) => histogramSamples(family.name, one));
    const text = () => read().reduce((lines, one) => lines + histogramText(family.name, one), '');
    registerAs(this.#registry, family, samples, text);
  }
}

/** Registers what is read elsewhere; `text` gives its lines in fewer steps, if there are many. */
export function registerAs(
  registry: Registry,
  family: Described,
  read: () => readonly Sample[],
  text?: () => string,
): void {
  const get = async () => ({ ...family, values: read(), aggregator: 'sum' });
  registry.registerMetric({ ...family, get, text, reset() {} } as unknown as Metric);
}

/** The count is the sum of the buckets that are shown with it, whatever is counted meanwhile. */
function histogramSamples(name: string, { labels, value }: Labelled<HistogramView>): Sample[] {
  let count = 0;
  const samples: Sample[] = value.buckets.map((inBucket, index) => {
    count += inBucket;
    return {
      labels: { ...labels, le: value.les[index]! },
      value: count,
      metricName: `${name}_bucket`,
    };
  });
  samples.push({ labels, value: value.sum, metricName: `${name}_sum` });
  samples.push({ labels, value: count, metricName: `${name}_count` });
  return samples;
}

/** The same as text: most of a page is buckets of routes. */
function histogramText(name: string, { labels, value }: Labelled<HistogramView>): string {
  const pairs = labelPairs(labels);
  const head = `${name}_bucket{${pairs === '' ? '' : `${pairs},`}le="`;
  const tail = pairs === '' ? ' ' : `{${pairs}} `;
  const { les, buckets } = value;
  let text = '';
  let count = 0;
  for (let index = 0; index < buckets.length; index += 1) {
    count += buckets[index]!;
    text += `${head}${les[index]}"} ${count}\n`;
  }
  return `${text}${name}_sum${tail}${value.sum}\n${name}_count${tail}${count}\n`;
}
