/**
 * Shared counter and histogram slots (float64: exact up to 2^53, written by one thread, read by the metrics).
 * Names are metric labels or parts of metric names; the list is closed.
 */

const counterNames = [
  'mediaIn',
  'mediaOut',
  'messagesIn',
  'messagesOut',
  'digitsIn',
  'checkpointsPlayed',
  'checkpointsInterrupted',
  'clears',
  'handlerErrors',
  'strayErrors',
  'staleRecords',
  'batches',
] as const;
export type CounterName = (typeof counterNames)[number];

/** Everything that is ever put aside instead of being handled, by reason. */
export const dropReasons = [
  // at the front
  'ingress-full',
  'slow-reader',
  'socket-gone',
  // from the peer, seen by the session
  'bad-json',
  'not-an-object',
  'bad-message',
  'bad-format',
  'bad-digit',
  'bad-payload',
  'unknown-event',
  'binary-message',
  'before-start',
  'duplicate-start',
  'after-end',
  'unknown-checkpoint',
  // from the application
  'one-way',
  'bad-argument',
  'queue-full',
  'too-many-checkpoints',
  'egress-full',
  // from the upstream, and for it
  'upstream-bad-message',
  'upstream-slow',
] as const;
export type DropReason = (typeof dropReasons)[number];

/** What came of asking a lookup service about a call. */
export const lookupOutcomes = ['answered', 'rejected', 'timeout', 'error', 'nonsense'] as const;
export type LookupOutcome = (typeof lookupOutcomes)[number];

/** Upper bounds in microseconds; one more bucket takes the rest. */
export const latencyBoundsUs = [
  50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
  1_000_000,
] as const;
const bucketCount = latencyBoundsUs.length + 1;
/** Buckets, then the sum in microseconds. */
const histogramSlots = bucketCount + 1;

const histogramNames = ['ingressWait', 'turnaround', 'batchTime'] as const;
export type HistogramName = (typeof histogramNames)[number];

const dropsAt = counterNames.length;
const lookupsAt = dropsAt + dropReasons.length;
const histogramsAt = lookupsAt + lookupOutcomes.length;
const slotCount = histogramsAt + histogramNames.length * histogramSlots;
export const counterBytes = slotCount * 8;

function indices<Name extends string>(
  names: readonly Name[],
  base: number,
  step = 1,
): Readonly<Record<Name, number>> {
  const entries = names.map((name, index) => [name, base + index * step]);
  return Object.freeze(Object.fromEntries(entries));
}

/** Slot of each counter: `values[counter.mediaIn] += 1`. */
export const counter = indices(counterNames, 0);
/** Slot of each drop reason. */
export const drop = indices(dropReasons, dropsAt);
/** Slot of each lookup outcome. */
export const lookup = indices(lookupOutcomes, lookupsAt);
/** First slot of each histogram. */
export const histogram = indices(histogramNames, histogramsAt, histogramSlots);

const bounds = Int32Array.from(latencyBoundsUs);

/** Records `count` observations of one value; nothing is allocated. */
export function observe(values: Float64Array, first: number, us: number, count = 1): void {
  let bucket = 0;
  while (bucket < bounds.length && us > bounds[bucket]!) bucket += 1;
  values[first + bucket]! += count;
  values[first + bucketCount]! += us * count;
}

/** A thread's counters over shared memory, or over plain memory without a buffer. */
export function counterBlock(buffer?: ArrayBufferLike, at = 0): Float64Array {
  return buffer === undefined
    ? new Float64Array(slotCount)
    : new Float64Array(buffer, at, slotCount);
}

export interface HistogramView {
  /** Counts per bucket, not cumulative; the last one is above all bounds. */
  readonly buckets: readonly number[];
  readonly sumUs: number;
}

export function readHistogram(values: Float64Array, name: HistogramName): HistogramView {
  const first = histogram[name];
  return {
    buckets: Array.from(values.subarray(first, first + bucketCount)),
    sumUs: values[first + bucketCount]!,
  };
}

/** Adds one block to another: an incarnation's counts live on after it. */
export function addCounters(target: Float64Array, source: Float64Array): void {
  for (let i = 0; i < slotCount; i += 1) target[i]! += source[i]!;
}
