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

/** A request that is answered as soon as it has left. */
function takes(window: SlidingWindow, nowMs: number): boolean {
  const place = window.take(nowMs);
  if (place === undefined) return false;
  window.answered(place, nowMs);
  return true;
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
          const granted = takes(window, nowMs);
          expect(granted).toBe(recent < restRequestsMax);
          if (granted) taken.push(nowMs);
        }
        expect(densest(taken, restWindowMs)).toBeLessThanOrEqual(restRequestsMax);
      }),
      { seed: 6, numRuns: 20 },
    );
  });

  it('holds at the far side, whatever the network does to the requests', () => {
    const [requestsMax, spanMs] = [5, 100];
    /** From leaving to arriving, and from there to the answer, in any order between requests. */
    const trip = fc.tuple(fc.nat(60), fc.nat(60));
    fc.assert(
      fc.property(fc.array(trip, { minLength: 60, maxLength: 60 }), (trips) => {
        const window = new SlidingWindow(requestsMax, spanMs);
        const arrivals: number[] = [];
        let open: { readonly place: number; readonly answerMs: number }[] = [];
        for (let nowMs = 0; arrivals.length < trips.length; nowMs += 1) {
          for (const { place, answerMs } of open) {
            if (answerMs <= nowMs) window.answered(place, nowMs);
          }
          open = open.filter(({ answerMs }) => answerMs > nowMs);
          const [thereMs, backMs] = trips[arrivals.length]!;
          const place = window.take(nowMs);
          if (place === undefined) continue;
          arrivals.push(nowMs + thereMs);
          open.push({ place, answerMs: nowMs + thereMs + backMs });
        }
        const sorted = arrivals.toSorted((a, b) => a - b);
        expect(densest(sorted, spanMs)).toBeLessThanOrEqual(requestsMax);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('lets a full burst through at once and the next request when the first is old enough', () => {
    const window = new SlidingWindow(restRequestsMax, restWindowMs);
    for (let i = 0; i < restRequestsMax; i += 1) expect(takes(window, i)).toBe(true);
    expect(takes(window, restRequestsMax)).toBe(false);
    expect(takes(window, restWindowMs - 0.001)).toBe(false);
    expect(takes(window, restWindowMs)).toBe(true);
    expect(takes(window, restWindowMs)).toBe(false);
    expect(takes(window, restWindowMs + 1)).toBe(true);
  });

  it('does not save up for later what was not used', () => {
    const window = new SlidingWindow(3, 100);
    const taken: number[] = [];
    for (let nowMs = 10_000; nowMs < 11_000; nowMs += 1)
      if (takes(window, nowMs)) taken.push(nowMs);
    expect(taken.slice(0, 4)).toEqual([10_000, 10_001, 10_002, 10_100]);
    expect(densest(taken, 100)).toBe(3);
  });

  it('loses no place to a request that was refused', () => {
    const window = new SlidingWindow(1, 100);
    expect(takes(window, 0)).toBe(true);
    for (let nowMs = 1; nowMs < 100; nowMs += 1) expect(takes(window, nowMs)).toBe(false);
    expect(takes(window, 100)).toBe(true);
  });

  it('that is full for a while stays full for requests under way until they are answered', () => {
    const window = new SlidingWindow(2, 100);
    const place = window.take(0)!;
    window.fill(10);
    expect(window.left(110)).toBe(1);
    window.answered(place, 120);
    expect(window.left(219)).toBe(1);
    expect(window.left(220)).toBe(2);
  });
});
