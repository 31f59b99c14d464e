import { BlockPlan, type HistogramShape } from './histogram.js';
import { voiceAreas, voiceSlots } from './voice-counters.js';

/**
 * Shared counter and histogram slots (float64: exact up to 2^53, written by one thread, read by the metrics): those of
 * the thread, then a part for each route with what its callers hear. Names are metric labels or parts of metric names;
 * the lists are closed.
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

/**
 * The way of a frame and its answer, cut where threads and owners change: the parts of one frame add up to its whole
 * time from the socket to the socket.
 */
export const stages = [
  /** From its socket until it stands in the ring to the shard. */
  'to-ring',
  /** Until the shard looks. */
  'ring-in',
  /** Behind others of the same batch. */
  'queue',
  'decode',
  'handler',
  'encode',
  /** The rest of the batch, and the ring to the front, until the front looks. */
  'ring-out',
  /** Behind others of the same batch, and into the socket. */
  'send',
] as const;
export type Stage = (typeof stages)[number];

const usBounds = (...bounds: number[]): HistogramShape => ({ bounds, scale: 1e6 });
const latency = usBounds(
  ...[50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000],
  ...[500_000, 1_000_000],
);
const shortLatency = usBounds(10, 20, ...latency.bounds);
const delay = usBounds(
  ...[
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000,
  ],
);
/** Above 7/8 only control messages find room. */
const fill: HistogramShape = {
  bounds: [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.875, 1],
  scale: 1,
};

const plan = new BlockPlan();
/** Slot of each counter: `values[counter.mediaIn] += 1`. */
export const counter = plan.counters(counterNames);
/** Slot of each drop reason. */
export const drop = plan.counters(dropReasons);
/** Slot of each lookup outcome. */
export const lookup = plan.counters(lookupOutcomes);
/** Values in microseconds. */
export const histogram = plan.histograms({
  ingressWait: latency,
  turnaround: latency,
  batchTime: latency,
  /** How late the thread came to its timer: 100 ms in the front, 5 ms in a shard. */
  delay,
});
export type HistogramName = keyof typeof histogram;
/** Values in microseconds. */
export const stage = plan.histograms(
  Object.fromEntries(stages.map((name) => [name, shortLatency])) as Record<Stage, HistogramShape>,
);
/** Values: share in use. */
export const ringFill = plan.histograms({ ingress: fill, egress: fill });
/** Milliseconds that the thread was not idle; a sum, not a count. */
export const busyMs = plan.counters(['thread']).thread;
const voiceAt = plan.end;
const slotCount = voiceAt + voiceAreas * voiceSlots;
export const counterBytes = slotCount * 8;

/** A thread's counters over shared memory, or over plain memory without a buffer. */
export function counterBlock(buffer?: ArrayBufferLike, at = 0): Float64Array {
  return buffer === undefined
    ? new Float64Array(slotCount)
    : new Float64Array(buffer, at, slotCount);
}

/** The part of a block that belongs to one route: see `voice-counters.ts`. */
export function voiceBlock(values: Float64Array, area: number): Float64Array {
  const first = voiceAt + area * voiceSlots;
  return values.subarray(first, first + voiceSlots);
}

/** Adds one block to another: an incarnation's counts live on after it. */
export function addCounters(target: Float64Array, source: Float64Array): void {
  for (let i = 0; i < slotCount; i += 1) target[i]! += source[i]!;
}
