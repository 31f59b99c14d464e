import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { elapsedUs, StampClock } from '../../src/shard/clock.js';

afterEach(() => {
  vi.restoreAllMocks();
});

function stampAt(ms: number): number {
  vi.spyOn(performance, 'now').mockReturnValue(ms);
  return new StampClock(performance.timeOrigin).nowUs();
}

describe('stamps', () => {
  it('are microseconds since the epoch, as signed 32-bit numbers', () => {
    expect(stampAt(0)).toBe(0);
    expect(stampAt(1.5)).toBe(1_500);
    expect(stampAt(2_147_483.647)).toBe(2 ** 31 - 1);
    expect(stampAt(2_147_483.648)).toBe(-(2 ** 31));
    expect(stampAt(4_294_967.296)).toBe(0);
  });

  it('give the right span across every wrap-around, in a process that runs for a year', () => {
    const yearMs = 365 * 86_400_000;
    fc.assert(
      fc.property(
        fc.oneof(
          fc.double({ min: 0, max: yearMs, noNaN: true }),
          fc.nat(7_000).map((wraps) => (wraps * 2 ** 31) / 1_000 - 0.01),
        ),
        fc.integer({ min: 0, max: 34 * 60 * 1_000_000 }),
        (startMs, spanUs) => {
          const from = Math.max(0, startMs);
          const span = elapsedUs(stampAt(from), stampAt(from + spanUs / 1_000));
          expect(Math.abs(span - spanUs)).toBeLessThanOrEqual(1);
        },
      ),
      { seed: 7, numRuns: 500 },
    );
  });

  it('answer 0 when the later thread is a hair behind', () => {
    expect(elapsedUs(100, 99)).toBe(0);
    expect(elapsedUs(-(2 ** 31), 2 ** 31 - 1)).toBe(0);
    expect(elapsedUs(2 ** 31 - 1, -(2 ** 31))).toBe(1);
  });

  it('agree between clocks of threads that started at different times', () => {
    vi.spyOn(performance, 'now').mockReturnValue(20);
    const origin = performance.timeOrigin;
    expect(new StampClock(origin).nowUs()).toBe(20_000);
    // The same moment in a thread that began 5 ms after the process.
    expect(new StampClock(origin - 5).nowUs()).toBe(25_000);
  });
});
