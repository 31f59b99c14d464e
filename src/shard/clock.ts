import { performance } from 'node:perf_hooks';

/**
 * Microseconds since an epoch that all threads share, modulo 2^32 as a signed 32-bit number, so that a stamp fits a
 * word of a record and stays a small integer. Differences are right for spans below 35 minutes.
 */
export class StampClock {
  readonly #offsetMs: number;

  /** `epochMs`: the value of `performance.timeOrigin` of the thread that started the process. */
  constructor(epochMs: number) {
    this.#offsetMs = performance.timeOrigin - epochMs;
  }

  nowUs(): number {
    return ((performance.now() + this.#offsetMs) * 1_000) | 0;
  }
}

/** Microseconds from one stamp to a later one; 0 if the clocks of two threads disagree by a hair. */
export function elapsedUs(fromUs: number, toUs: number): number {
  const span = (toUs - fromUs) | 0;
  return Math.max(span, 0);
}
