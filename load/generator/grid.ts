import { performance } from 'node:perf_hooks';
import { ptimeMs } from '../../src/limits.js';

/**
 * The clock of a generator thread: places, a quarter of a millisecond apart, counted from when the thread began. A packet
 * is due at one of them. They are small integers, which V8 keeps where they are used; a double would lie elsewhere in
 * memory, and with thousands of calls each such place is a wait.
 */
export const slotMs = 0.25;
/** A call has a packet every so many slots. */
export const packetSlots = ptimeMs / slotMs;
/** Later than any run is long. */
export const never = 2 ** 30;

/** A whole number of ms, so that sums of it and the grid are exact. */
const originMs = Math.ceil(performance.now());
const originUnixMs = performance.timeOrigin + originMs;

/** On the clock of `performance.now()`. */
export function msOfSlot(slot: number): number {
  return originMs + slot * slotMs;
}

export function unixMsOfSlot(slot: number): number {
  return originUnixMs + slot * slotMs;
}

/** The first slot that is not before this time. */
export function slotAt(ms: number): number {
  // The `| 0` keeps out -0, which is no small integer and would make doubles of all that is counted from it.
  return Math.min(never, Math.ceil((ms - originMs) / slotMs)) | 0;
}

/** How many slots a time spans. */
export function slotsIn(ms: number): number {
  return Math.ceil(ms / slotMs) | 0;
}
