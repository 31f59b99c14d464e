import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Kernel } from '../../src/codec/kernel.js';

const kernel = new Kernel();
const source = kernel.allocate(20_000);
const result = kernel.allocate(4);
const words = new Int32Array(kernel.bytes.buffer);

/** What the kernel measures of samples that begin at any even place. */
function measured(samples: readonly number[], shift = 0): { sum: number; peak: number } {
  const at = source + shift;
  kernel.samples.set(samples, at / 2);
  const sum = kernel.level(at, samples.length, result);
  return { sum, peak: words[result / 4]! };
}

/** The readable twin. */
function level(samples: readonly number[]): { sum: number; peak: number } {
  const sum = samples.reduce((total, sample) => total + sample * sample, 0);
  return { sum, peak: samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0) };
}

const sample = fc.oneof(
  fc.integer({ min: -32_768, max: 32_767 }),
  fc.constantFrom(-32_768, 32_767, 0),
);

describe('the level of samples', () => {
  it('is the sum of their squares and the greatest magnitude, at any place and length', () => {
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 60 }), fc.nat(7), (samples, words) => {
        expect(measured(samples, 2 * words)).toEqual(level(samples));
      }),
      { seed: 1, numRuns: 2_000 },
    );
  });

  it('is exact for the loudest samples there are', () => {
    const loudest = new Array<number>(8_000).fill(-32_768);
    expect(measured(loudest)).toEqual({ sum: 8_000 * 2 ** 30, peak: 32_768 });
  });

  it('is nothing for silence, and for no samples', () => {
    expect(measured(new Array<number>(160).fill(0))).toEqual({ sum: 0, peak: 0 });
    expect(measured([])).toEqual({ sum: 0, peak: 0 });
  });
});
