import { describe, expect, it } from 'vitest';
import { resample } from '../../load/resample.js';
import { audioRates } from '../../src/limits.js';

function tone(frequencyHz: number, rateHz: number, count: number): Int16Array {
  return Int16Array.from({ length: count }, (_, i) =>
    Math.round(10_000 * Math.sin((2 * Math.PI * frequencyHz * i) / rateHz)),
  );
}

/** Power of the middle half against the power of its difference to what it should be. */
function snrDb(expected: Int16Array, given: Int16Array): number {
  let signal = 0;
  let noise = 0;
  for (let i = expected.length >> 2; i < (expected.length * 3) >> 2; i += 1) {
    signal += (expected[i] ?? 0) ** 2;
    noise += ((expected[i] ?? 0) - (given[i] ?? 0)) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

describe('rate conversion', () => {
  const pairs = audioRates.flatMap((fromHz) =>
    [8_000, 16_000].map((toHz) => [fromHz, toHz] as const),
  );
  it.each(pairs)('keeps a tone and its phase from %i to %i Hz', (fromHz, toHz) => {
    const given = resample(tone(1_000, fromHz, fromHz / 5), fromHz, toHz);
    expect(given).toHaveLength(toHz / 5);
    expect(snrDb(tone(1_000, toHz, toHz / 5), given)).toBeGreaterThan(75);
  });

  it('leaves nothing of a tone that the lower rate cannot carry', () => {
    const given = resample(tone(5_000, 16_000, 3_200), 16_000, 8_000).subarray(400, 1_200);
    expect(Math.max(...given.map(Math.abs))).toBeLessThanOrEqual(1);
  });

  it('clips instead of wrapping around', () => {
    const square = Int16Array.from({ length: 800 }, (_, i) => (i % 80 < 40 ? 32_767 : -32_768));
    const given = resample(square, 8_000, 16_000);
    expect(Math.max(...given)).toBe(32_767);
    expect(given.subarray(20, 60).every((sample) => sample > 20_000)).toBe(true);
  });
});
