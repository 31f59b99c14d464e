import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { designFilter } from '../../src/codec/filters.js';
import { Kernel } from '../../src/codec/kernel.js';
import { Resampler } from '../../src/codec/resampler.js';
import { GatewayError } from '../../src/errors.js';
import * as reference from './reference.js';
import { joined, noise, rates, telephonePairs, Workspace } from './workspace.js';

const workspace = new Workspace();
const { kernel } = workspace;
const seed = 8_016;

/** One pair for each form of the kernel's loops, and both kinds of odd ratio. */
const formPairs = [
  [8_000, 16_000],
  [8_000, 24_000],
  [16_000, 8_000],
  [24_000, 8_000],
  [16_000, 24_000],
  [22_050, 8_000],
] as const;

function chunks(samples: Int16Array, cuts: readonly number[]): Int16Array[] {
  const edges = [0, ...[...cuts].sort((a, b) => a - b), samples.length];
  return edges.slice(1).map((end, i) => samples.slice(edges[i], end));
}

describe('a resampler equals its reference to the bit', () => {
  it.each(telephonePairs)('from %i to %i Hz, for noise of full scale', (sourceRate, targetRate) => {
    const samples = noise(700);
    const output = workspace.resample(samples, sourceRate, targetRate);
    expect(output).toEqual(reference.resample(samples, sourceRate, targetRate));
  });

  it.each(formPairs)('from %i to %i Hz, for every length', (sourceRate, targetRate) => {
    const samples = noise(400, 7);
    const whole = reference.resample(samples, sourceRate, targetRate);
    for (let count = 0; count <= samples.length; count += 1) {
      const output = workspace.resample(samples.slice(0, count), sourceRate, targetRate);
      const share = Math.ceil((count * targetRate) / sourceRate);
      expect(output).toEqual(whole.slice(0, share));
    }
  });

  it.each(telephonePairs)(
    'from %i to %i Hz, however the stream is cut',
    (sourceRate, targetRate) => {
      const resampler = new Resampler(kernel, sourceRate, targetRate);
      const samples = noise(2_500, 3);
      const whole = workspace.resample(samples, sourceRate, targetRate);
      expect(whole.slice(0, 400)).toEqual(
        reference.resample(samples, sourceRate, targetRate).slice(0, 400),
      );
      const property = fc.property(
        fc.integer({ min: 0, max: 2_500 }),
        fc.array(fc.nat(2_500), { maxLength: 12 }),
        (count, cuts) => {
          const pieces = chunks(
            samples.slice(0, count),
            cuts.map((cut) => cut % (count + 1)),
          );
          resampler.reset();
          const output = joined(pieces.map((piece) => workspace.push(resampler, piece)));
          expect(output).toEqual(whole.slice(0, output.length));
          expect(output).toHaveLength(Math.ceil((count * targetRate) / sourceRate));
        },
      );
      fc.assert(property, { seed, numRuns: 12 });
      resampler.close();
    },
  );

  it.each(formPairs)('from %i to %i Hz, cut in two at every sample', (sourceRate, targetRate) => {
    const resampler = new Resampler(kernel, sourceRate, targetRate);
    const samples = noise(260, 5);
    const whole = reference.resample(samples, sourceRate, targetRate);
    for (let cut = 0; cut <= samples.length; cut += 1) {
      resampler.reset();
      const pieces = chunks(samples, [cut]);
      expect(joined(pieces.map((piece) => workspace.push(resampler, piece)))).toEqual(whole);
    }
    resampler.close();
  });

  it.each(formPairs)('from %i to %i Hz, sample by sample', (sourceRate, targetRate) => {
    const resampler = new Resampler(kernel, sourceRate, targetRate);
    const samples = noise(300, 9);
    const pieces = Array.from(samples, (sample) =>
      workspace.push(resampler, Int16Array.of(sample)),
    );
    expect(joined(pieces)).toEqual(reference.resample(samples, sourceRate, targetRate));
    resampler.close();
  });
});

/** Pairs of a whole factor down. Where the kernel takes eight outputs at a time, a lane sums half a row. */
const downPairs = rates.flatMap((sourceRate) =>
  rates
    .filter((targetRate) => targetRate < sourceRate && sourceRate % targetRate === 0)
    .map((targetRate) => [sourceRate, targetRate] as const),
);

describe('a filter of a whole factor down', () => {
  it.each(downPairs)(
    'overflows no lane and skips no coefficient, from %i to %i Hz',
    (source, target) => {
      const { coefficients, taps, decimation } = designFilter(source, target);
      const middle = taps / 2 - 1;
      const rowTaps = Math.ceil(taps / decimation / 8) * 8;
      for (let row = 0; row < decimation; row += 1) {
        const own = coefficients.filter((_, index) => index % decimation === row);
        if (row === middle % decimation) {
          expect([...own].filter((value) => value !== 0)).toEqual([coefficients[middle]]);
          continue;
        }
        for (const half of [own.slice(0, rowTaps / 2), own.slice(rowTaps / 2)]) {
          const worst = half.reduce((sum, value) => sum + Math.abs(value), 0);
          expect(worst).toBeLessThan(2 ** 16);
        }
      }
    },
  );

  it.each(downPairs)(
    'equals its reference for every length, from %i to %i Hz',
    (source, target) => {
      const samples = noise(300, 13);
      const whole = reference.resample(samples, source, target);
      for (let count = 0; count <= samples.length; count += 1) {
        const output = workspace.resample(samples.slice(0, count), source, target);
        expect(output).toEqual(whole.slice(0, Math.ceil((count * target) / source)));
      }
    },
  );
});

describe('a resampler', () => {
  it.each(telephonePairs)(
    'gives each chunk its share at once, from %i to %i Hz',
    (source, target) => {
      const resampler = new Resampler(kernel, source, target);
      const samples = noise(source / 50);
      let fed = 0;
      let given = 0;
      for (let frame = 0; frame < 25; frame += 1) {
        const piece = samples.slice(0, frame % 5 === 4 ? 37 : samples.length);
        const count = workspace.push(resampler, piece).length;
        fed += piece.length;
        given += count;
        expect(count).toBeLessThanOrEqual(resampler.outputMax(piece.length));
        expect(given).toBe(Math.ceil((fed * target) / source));
      }
      resampler.close();
    },
  );

  it.each(telephonePairs)(
    'saturates and never wraps, from %i to %i Hz',
    (sourceRate, targetRate) => {
      const { phases, decimation, taps, coefficients } = designFilter(sourceRate, targetRate);
      const step = Math.max(1, Math.floor(phases / 8));
      const samples = new Int16Array(taps * 2 + decimation);
      for (let n = 0; n < phases; n += step) {
        // An output whose window lies within the samples, and the worst that this window can hold.
        const index = n + Math.ceil((taps * phases) / decimation);
        const newest = Math.floor((index * decimation) / phases);
        const phase = (index * decimation) % phases;
        const own = coefficients.subarray(phase * taps, (phase + 1) * taps);
        for (const sign of [1, -1]) {
          const pattern = own.map((value) => (value * sign >= 0 ? 32_767 : -32_768));
          samples.fill(0).set(pattern, newest - taps + 1);
          const output = workspace.resample(samples.slice(0, newest + 1), sourceRate, targetRate);
          expect(output[index]).toBe(sign > 0 ? 32_767 : -32_768);
          if (n === 0)
            expect(output).toEqual(
              reference.resample(samples.slice(0, newest + 1), sourceRate, targetRate),
            );
        }
      }
    },
  );

  it.each(telephonePairs)(
    'keeps a constant constant, from %i to %i Hz',
    (sourceRate, targetRate) => {
      for (const level of [32_767, -32_768, 1, -1]) {
        const samples = new Int16Array(1_000).fill(level);
        const output = workspace.resample(samples, sourceRate, targetRate);
        const settled = Math.ceil(
          (designFilter(sourceRate, targetRate).taps * targetRate) / sourceRate,
        );
        expect(output.slice(settled).every((sample) => sample === level)).toBe(true);
      }
    },
  );

  it.each(telephonePairs)(
    'gives the tail at a flush and starts anew, from %i to %i Hz',
    (source, target) => {
      const resampler = new Resampler(kernel, source, target);
      const samples = noise(333, 11);
      const whole = reference.resampleWhole(samples, source, target);
      for (let round = 0; round < 2; round += 1) {
        const body = workspace.push(resampler, samples);
        const tail = workspace.flush(resampler);
        expect(tail.length).toBeLessThanOrEqual(resampler.tailMax);
        expect(joined([body, tail])).toEqual(whole);
        expect(workspace.flush(resampler)).toHaveLength(0);
      }
      resampler.close();
    },
  );

  it('forgets everything at a reset', () => {
    const resampler = new Resampler(kernel, 8_000, 16_000);
    const fresh = workspace.push(resampler, noise(160, 2));
    workspace.push(resampler, noise(77, 3));
    resampler.reset();
    expect(workspace.flush(resampler)).toHaveLength(0);
    expect(workspace.push(resampler, noise(160, 2))).toEqual(fresh);
    resampler.close();
  });

  it.each(rates)('copies between equal rates of %i Hz', (rate) => {
    const resampler = new Resampler(kernel, rate, rate);
    const samples = noise(321);
    expect(workspace.push(resampler, samples)).toEqual(samples);
    expect(workspace.flush(resampler)).toHaveLength(0);
    expect([resampler.delayMs, resampler.tailMax, resampler.outputMax(321)]).toEqual([0, 0, 321]);
    resampler.reset();
    resampler.close();
  });

  it('does not mix two streams of the same rates', () => {
    const one = new Resampler(kernel, 24_000, 8_000);
    const other = new Resampler(kernel, 24_000, 8_000);
    const samples = noise(960, 4);
    const whole = workspace.resample(samples, 24_000, 8_000);
    const parts = chunks(samples, [480]).map((piece) => {
      workspace.push(other, noise(480, 6));
      return workspace.push(one, piece);
    });
    expect(joined(parts)).toEqual(whole);
    one.close();
    other.close();
  });

  it('names the supported rates when it is asked for another', () => {
    for (const [source, target] of [
      [8_000, 11_025],
      [44_000, 8_000],
      [Number.NaN, 8_000],
      [0, 0],
    ]) {
      const open = (): Resampler => new Resampler(kernel, source!, target!);
      expect(open).toThrow(GatewayError);
      expect(open).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_RATE' }));
      expect(open).toThrow('8000, 16000, 22050, 24000, 32000, 44100, 48000');
    }
  });

  it('gives its state back once, and cannot be used afterwards', () => {
    const own = new Kernel();
    const first = new Resampler(own, 8_000, 16_000);
    first.close();
    first.close();
    const before = own.allocate(16);
    const open = Array.from({ length: 50 }, () => new Resampler(own, 8_000, 16_000));
    for (const resampler of open) resampler.close();
    const again = Array.from({ length: 50 }, () => new Resampler(own, 8_000, 16_000));
    const after = own.allocate(16);
    expect(after - before).toBeLessThan(50 * 128 + 16);
    for (const resampler of again) resampler.close();
    for (const use of [
      () => first.push(65_536, 1, 65_600),
      () => first.flush(65_536),
      () => first.reset(),
    ]) {
      expect(use).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    }
  });
});
