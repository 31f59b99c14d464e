import {
  type CounterName,
  type DistributionName,
  distributionNames,
} from '../generator/messages.js';
import type { Tally } from './tally.js';

type Comparison = '<' | '<=' | '>' | '>=' | '==';
type Unit = 'ms' | '%' | '';

/** An objective, such as `turnaround_p99<20ms` or `failed<1%`. */
export interface Threshold {
  /** As it was given. */
  readonly text: string;
  readonly metric: string;
  readonly comparison: Comparison;
  /** In ms, in percent, or a count. */
  readonly limit: number;
  readonly unit: Unit;
}

export interface ThresholdResult {
  readonly text: string;
  /** Null if there was nothing to measure. */
  readonly value: number | null;
  readonly holds: boolean;
}

const comparisons: Readonly<Record<Comparison, (value: number, limit: number) => boolean>> = {
  '<': (value, limit) => value < limit,
  '<=': (value, limit) => value <= limit,
  '>': (value, limit) => value > limit,
  '>=': (value, limit) => value >= limit,
  '==': (value, limit) => value === limit,
};

/** What each count is a part of, for a limit in percent. */
const counts: Readonly<
  Record<string, readonly [of: CounterName | 'unexpected', base: CounterName]>
> = {
  lost: ['lost', 'sent'],
  late: ['late', 'returned'],
  gaps: ['gaps', 'received'],
  failed: ['failed', 'dialled'],
  unexpected: ['unexpected', 'ended'],
  violations: ['violations', 'received'],
  answered: ['answered', 'turns'],
};

const form =
  /^\s*([a-z]+)(?:_(p\d{1,2}(?:\.\d+)?|max))?\s*(<=|>=|==|<|>)\s*(\d+(?:\.\d+)?)\s*(ms|s|%)?\s*$/;

const metricNames =
  `${distributionNames.join(', ')} with _p50, _p99, _p99.9 or _max and a limit in ms or s; ` +
  `${Object.keys(counts).join(', ')} with a count or a limit in %`;

/** Throws an `Error` for people. */
export function parseThreshold(text: string): Threshold {
  const match = form.exec(text);
  const fail = (why: string): never => {
    throw new Error(`"${text}" ${why}; metrics are ${metricNames}`);
  };
  if (match === null) return fail('is no threshold such as turnaround_p99<20ms');
  const [, name = '', place, comparison = '<', number = '', unit] = match;
  const value = Number(number);
  const isTime = (distributionNames as readonly string[]).includes(name);
  if (!isTime && counts[name] === undefined) return fail(`names the unknown metric ${name}`);
  if (isTime && place === undefined) return fail(`does not say which of ${name}, e.g. ${name}_p99`);
  if (!isTime && place !== undefined) return fail(`asks a count for its ${place}`);
  if (isTime && unit !== 'ms' && unit !== 's') return fail('needs ms or s behind its limit');
  if (!isTime && (unit === 'ms' || unit === 's')) return fail('compares a count with a time');
  return {
    text: text.replace(/\s+/g, ''),
    metric: place === undefined ? name : `${name}_${place}`,
    comparison: comparison as Comparison,
    limit: unit === 's' ? value * 1_000 : value,
    unit: unit === 's' ? 'ms' : ((unit ?? '') as Unit),
  };
}

export function judge(threshold: Threshold, tally: Tally): ThresholdResult {
  const { text, comparison, limit } = threshold;
  const value = measured(threshold, tally);
  // What was never seen was never good.
  return { text, value, holds: value !== null && comparisons[comparison](value, limit) };
}

function measured({ metric, unit }: Threshold, tally: Tally): number | null {
  const [name = '', place] = metric.split('_');
  if (place !== undefined && tally.distribution(name as DistributionName).count === 0) return null;
  if (place === 'max') return tally.distribution(name as DistributionName).max;
  if (place !== undefined) {
    return tally.percentile(name as DistributionName, Number(place.slice(1)));
  }
  const [of, base] = counts[name]!;
  const value = of === 'unexpected' ? tally.unexpected : tally.counters[of];
  return unit === '%' ? (100 * value) / Math.max(1, tally.counters[base]) : value;
}
