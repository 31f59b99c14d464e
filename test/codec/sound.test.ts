import { describe, expect, it } from 'vitest';
import { designFilter, passBandEdge, stopBandEdge } from '../../src/codec/filters.js';
import { telephonePairs, Workspace } from './workspace.js';

/** What comes out of the kernel, measured with sines through the whole int16 path. */

const workspace = new Workspace();
const inputSamples = 6_000;
const amplitude = 32_768 * 10 ** (-1 / 20); // -1 dBFS

function sine(frequency: number, rate: number): Int16Array {
  return Int16Array.from({ length: inputSamples }, (_, i) =>
    Math.round(amplitude * Math.sin((2 * Math.PI * frequency * i) / rate)),
  );
}

/** The output for a sine, without the filter's start. */
function settled(frequency: number, sourceRate: number, targetRate: number): Int16Array {
  const { taps } = designFilter(sourceRate, targetRate);
  const skipped = Math.ceil((taps * targetRate) / sourceRate);
  return workspace.resample(sine(frequency, sourceRate), sourceRate, targetRate).subarray(skipped);
}

/** What is left of an output without its sine: images far below would drown in the sine's side lobes. */
function without(samples: Int16Array, frequency: number, rate: number): Float64Array {
  const { amplitude: size, phase } = fitSine(samples, frequency, rate);
  return Float64Array.from(
    samples,
    (sample, i) => sample - size * Math.sin((2 * Math.PI * frequency * i) / rate + phase),
  );
}

interface Fit {
  readonly amplitude: number;
  /** Radians, of a sine that starts with the samples. */
  readonly phase: number;
  /** What the fit leaves, root mean square. */
  readonly residual: number;
}

/** Least squares of a sine of known frequency. */
function fitSine(samples: ArrayLike<number>, frequency: number, rate: number): Fit {
  const step = (2 * Math.PI * frequency) / rate;
  let ss = 0;
  let sc = 0;
  let cc = 0;
  let ys = 0;
  let yc = 0;
  let yy = 0;
  for (let i = 0; i < samples.length; i += 1) {
    const s = Math.sin(step * i);
    const c = Math.cos(step * i);
    const y = samples[i]!;
    ss += s * s;
    sc += s * c;
    cc += c * c;
    ys += y * s;
    yc += y * c;
    yy += y * y;
  }
  // At 0 Hz and at half the rate there is but one of the two.
  const determinant = ss * cc - sc * sc;
  if (determinant < 1e-6 * samples.length) {
    return { amplitude: Math.abs(yc / cc), phase: 0, residual: 0 };
  }
  const a = (ys * cc - yc * sc) / determinant;
  const b = (yc * ss - ys * sc) / determinant;
  const rest = Math.max(0, yy - a * ys - b * yc);
  return {
    amplitude: Math.hypot(a, b),
    phase: Math.atan2(b, a),
    residual: Math.sqrt(rest / samples.length),
  };
}

const decibels = (ratio: number): number => 20 * Math.log10(ratio);

function range(from: number, to: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
}

/** Amplitude of the prototype at a frequency, 1 at 0 Hz. */
function response(sourceRate: number, targetRate: number, frequency: number): number {
  const { phases, taps, coefficients, gain } = designFilter(sourceRate, targetRate);
  const step = (2 * Math.PI * frequency) / (sourceRate * phases);
  let re = 0;
  let im = 0;
  for (let phase = 0; phase < phases; phase += 1) {
    for (let tap = 0; tap < taps; tap += 1) {
      const value = coefficients[phase * taps + tap]!;
      const angle = step * ((taps - 1 - tap) * phases + phase);
      re += value * Math.cos(angle);
      im += value * Math.sin(angle);
    }
  }
  return Math.hypot(re, im) / (gain * phases);
}

describe.each(telephonePairs)('from %i to %i Hz', (sourceRate, targetRate) => {
  const lowerRate = Math.min(sourceRate, targetRate);
  const passBand = range(40, passBandEdge * lowerRate, 24);
  const { delayMs, delaySamples, phases, taps } = designFilter(sourceRate, targetRate);

  it('the pass band is flat within 0.1 dB', () => {
    for (const frequency of passBand) {
      const { amplitude: measured } = fitSine(
        settled(frequency, sourceRate, targetRate),
        frequency,
        targetRate,
      );
      expect(Math.abs(decibels(measured / amplitude)), `${frequency} Hz`).toBeLessThan(0.1);
    }
  });

  it('a sine of 1 kHz keeps a signal-to-noise ratio of 85 dB', () => {
    const { amplitude: measured, residual } = fitSine(
      settled(1_000, sourceRate, targetRate),
      1_000,
      targetRate,
    );
    expect(decibels(measured / Math.SQRT2 / residual)).toBeGreaterThan(85);
  });

  it('the filter is 80 dB down in its stop band, coefficients rounded', () => {
    const top = (sourceRate * phases) / 2;
    // Long prototypes are looked at where they are worst, near the edge, and coarsely beyond.
    const fine = Math.min(top, stopBandEdge * lowerRate + 4 * lowerRate);
    const count = Math.ceil(Math.min(1_200, 2e6 / (phases * taps)));
    for (const frequency of range(stopBandEdge * lowerRate, fine, count)) {
      const level = decibels(response(sourceRate, targetRate, frequency));
      expect(level, `${frequency} Hz`).toBeLessThan(-80);
    }
  });

  if (targetRate > sourceRate) {
    it('images are 80 dB down', () => {
      for (const frequency of passBand) {
        const output = without(settled(frequency, sourceRate, targetRate), frequency, targetRate);
        for (let k = 1; k * sourceRate - frequency < targetRate / 2; k += 1) {
          for (const image of [k * sourceRate - frequency, k * sourceRate + frequency]) {
            if (image > targetRate / 2) continue;
            const level = decibels(fitSine(output, image, targetRate).amplitude / amplitude);
            expect(level, `${frequency} Hz at ${image} Hz`).toBeLessThan(-80);
          }
        }
      }
    });
  } else {
    it('aliases are 80 dB down', () => {
      for (const frequency of range(stopBandEdge * lowerRate, sourceRate / 2 - 1, 40)) {
        const output = settled(frequency, sourceRate, targetRate);
        const alias = Math.abs(frequency - targetRate * Math.round(frequency / targetRate));
        const level = decibels(fitSine(output, alias, targetRate).amplitude / amplitude);
        expect(level, `${frequency} Hz at ${alias} Hz`).toBeLessThan(-80);
      }
    });
  }

  it('the delay is at most 3 ms, as stated, and the same at all frequencies', () => {
    expect(delayMs).toBeLessThanOrEqual(3);
    expect((delaySamples / targetRate) * 1_000).toBeCloseTo(delayMs, 9);
    const skipped = Math.ceil((taps * targetRate) / sourceRate);
    for (const frequency of passBand) {
      const { phase } = fitSine(settled(frequency, sourceRate, targetRate), frequency, targetRate);
      const expected = (2 * Math.PI * frequency * (skipped - delaySamples)) / targetRate;
      expect(Math.abs(Math.sin((phase - expected) / 2)), `${frequency} Hz`).toBeLessThan(1e-3);
    }
  });
});
