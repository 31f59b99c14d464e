import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlidingWindow } from '../../src/hangup/window.js';
import { restRequestsMax, restWindowMs } from '../../src/limits.js';

/** Largest number of times in any half-open span of `spanMs`. */
function densest(times: readonly number[], spanMs: number): number {
  let most = 0;
  let from = 0;
  for (const [index, time] of times.entries()) {
    while (time - times[from]! >= spanMs) from += 1;
    most = Math.max(most, index - from + 1);
  }
  return most;
}

describe('the sliding window', () => {
  it('never lets more requests through in any span than allowed, and no fewer than it could', () => {
    const gap = fc.oneof(
      { weight: 8, arbitrary: fc.double({ min: 0, max: 5, noNaN: true }) },
      { weight: 1, arbitrary: fc.double({ min: 0, max: 6_000, noNaN: true }) },
    );
    const asking = fc.array(gap, { minLength: 500, maxLength: 1_500, size: 'max' });
    fc.assert(
      fc.property(asking, (gaps) => {
        const window = new SlidingWindow(restRequestsMax, restWindowMs);
        const taken: number[] = [];
        let nowMs = 1_000;
        for (const gapMs of gaps) {
          nowMs += gapMs;
          const recent = taken.filter((time) => nowMs - time < restWindowMs).length;
          const granted = window.take(nowMs);
          expect(granted).toBe(recent < restRequestsMax);
          if (granted) taken.push(nowMs);
        }
        expect(densest(taken, restWindowMs)).toBeLessThanOrEqual(restRequestsMax);
      }),
      { seed: 6, numRuns: 20 },
    );
  });

  it('lets a full burst through at once and the next request when the first is old enough', () => {
    const window = new SlidingWindow(restRequestsMax, restWindowMs);
    for (let i = 0; i < restRequestsMax; i += 1) expect(window.take(i)).toBe(true);
    expect(window.take(restRequestsMax)).toBe(false);
    expect(window.take(restWindowMs - 0.001)).toBe(false);
    expect(window.take(restWindowMs)).toBe(true);
    expect(window.take(restWindowMs)).toBe(false);
    expect(window.take(restWindowMs + 1)).toBe(true);
  });

  it('does not save up for later what was not used', () => {
    const window = new SlidingWindow(3, 100);
    const taken: number[] = [];
    for (let nowMs = 10_000; nowMs < 11_000; nowMs += 1) if (window.take(nowMs)) taken.push(nowMs);
    expect(taken.slice(0, 4)).toEqual([10_000, 10_001, 10_002, 10_100]);
    expect(densest(taken, 100)).toBe(3);
  });

  it('loses no place to a request that was refused', () => {
    const window = new SlidingWindow(1, 100);
    expect(window.take(0)).toBe(true);
    for (let nowMs = 1; nowMs < 100; nowMs += 1) expect(window.take(nowMs)).toBe(false);
    expect(window.take(100)).toBe(true);
  });
});
