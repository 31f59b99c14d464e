import { designFilter, passBandEdge, stopBandEdge } from '../../src/codec/filters.js';
import { Kernel } from '../../src/codec/kernel.js';
import { Resampler } from '../../src/codec/resampler.js';

/**
 * What the resampler does to sound, for the page `docs/codec.md`: sines of -1 dBFS through the kernel,
 * read by least squares. Same signals, frequencies and lengths as `test/codec/sound.test.ts`, so that
 * the page states what the tests hold.
 */

const inputSamples = 6_000;
/** -1 dBFS. */
export const amplitude = 32_768 * 10 ** (-1 / 20);
const toneHz = 1_000;
/** Divides no rate, so that rounding errors do not repeat with the tone. */
const oddToneHz = 997;
const passBandFromHz = 40;
const passBandPoints = 24;
const aliasPoints = 40;
/** Of the stop band: points near its edge, where it is worst, and how far from it they reach. */
const stopBandPointsMax = 1_200;
const stopBandWorkMax = 2e6;
const stopBandReach = 4;

export interface RatePair {
  readonly sourceRate: number;
  readonly targetRate: number;
}

export interface PairFigures extends RatePair {
  readonly delayMs: number;
  /** In samples of the target. */
  readonly delaySamples: number;
  /** Largest deviation in the pass band, dB, either way. */
  readonly rippleDb: number;
  /** The filter's highest gain in the stop band, coefficients rounded, dB. */
  readonly stopBandDb: number;
  /** Highest image (up) or alias (down) of a sine, against that sine, dB. */
  readonly imageDb: number;
  /** Of a 1 kHz sine of -1 dBFS, dB. */
  readonly snrDb: number;
  /** The same at 997 Hz. */
  readonly oddSnrDb: number;
  /** Reserved in the kernel for one direction of one call. */
  readonly stateBytes: number;
  /** Reserved once per kernel, shared by all states of the pair. */
  readonly filterBytes: number;
}

export const decibels = (ratio: number): number => 20 * Math.log10(ratio);

/** Resamplers over one kernel, fed with sines. */
export class SineBench {
  readonly #kernel = new Kernel();
  readonly #source = this.#kernel.allocate(inputSamples * 2);
  readonly #target = this.#kernel.allocate(inputSamples * 2 * 6 + 64);

  /** What comes out for a sine, without the filter's start. */
  settled(frequency: number, { sourceRate, targetRate }: RatePair): Int16Array {
    const { samples } = this.#kernel;
    const step = (2 * Math.PI * frequency) / sourceRate;
    for (let i = 0; i < inputSamples; i += 1) {
      samples[this.#source / 2 + i] = Math.round(amplitude * Math.sin(step * i));
    }
    const resampler = new Resampler(this.#kernel, sourceRate, targetRate);
    const count = resampler.push(this.#source, inputSamples, this.#target);
    resampler.close();
    const { taps } = designFilter(sourceRate, targetRate);
    const skipped = Math.ceil((taps * targetRate) / sourceRate);
    return samples.slice(this.#target / 2 + skipped, this.#target / 2 + count);
  }
}

interface Fit {
  readonly amplitude: number;
  /** Radians, of a sine that starts with the samples. */
  readonly phase: number;
  /** What the fit leaves, root mean square. */
  readonly residual: number;
}

/** Least squares of a sine of known frequency. */
export function fitSine(samples: ArrayLike<number>, frequency: number, rate: number): Fit {
  const step = (2 * Math.PI * frequency) / rate;
  let [ss, sc, cc, ys, yc, yy] = [0, 0, 0, 0, 0, 0];
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

/** What is left without the sine: images far below would drown in its side lobes. */
export function without(samples: Int16Array, frequency: number, rate: number): Float64Array {
  const { amplitude: size, phase } = fitSine(samples, frequency, rate);
  const step = (2 * Math.PI * frequency) / rate;
  return Float64Array.from(samples, (sample, i) => sample - size * Math.sin(step * i + phase));
}

/** Where a frequency lands at a rate that is too low for it. */
export function aliasOf(frequency: number, rate: number): number {
  return Math.abs(frequency - rate * Math.round(frequency / rate));
}

export function measurePair(bench: SineBench, pair: RatePair): PairFigures {
  const { sourceRate, targetRate } = pair;
  const { delayMs, delaySamples } = designFilter(sourceRate, targetRate);
  return {
    ...pair,
    delayMs,
    delaySamples,
    rippleDb: rippleDb(bench, pair),
    stopBandDb: stopBandDb(pair),
    imageDb: targetRate > sourceRate ? worstImageDb(bench, pair) : worstAliasDb(bench, pair),
    snrDb: snrDb(bench, pair, toneHz),
    oddSnrDb: snrDb(bench, pair, oddToneHz),
    ...memoryOf(pair),
  };
}

function range(from: number, to: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
}

function passBand({ sourceRate, targetRate }: RatePair): number[] {
  return range(passBandFromHz, passBandEdge * Math.min(sourceRate, targetRate), passBandPoints);
}

function rippleDb(bench: SineBench, pair: RatePair): number {
  const deviations = passBand(pair).map((frequency) => {
    const output = bench.settled(frequency, pair);
    return Math.abs(decibels(fitSine(output, frequency, pair.targetRate).amplitude / amplitude));
  });
  return Math.max(...deviations);
}

function snrDb(bench: SineBench, pair: RatePair, frequency: number): number {
  const output = bench.settled(frequency, pair);
  const { amplitude: size, residual } = fitSine(output, frequency, pair.targetRate);
  return decibels(size / Math.SQRT2 / residual);
}

function worstImageDb(bench: SineBench, pair: RatePair): number {
  const { sourceRate, targetRate } = pair;
  let worst = 0;
  for (const frequency of passBand(pair)) {
    const rest = without(bench.settled(frequency, pair), frequency, targetRate);
    for (let k = 1; k * sourceRate - frequency < targetRate / 2; k += 1) {
      for (const image of [k * sourceRate - frequency, k * sourceRate + frequency]) {
        if (image > targetRate / 2) continue;
        worst = Math.max(worst, fitSine(rest, image, targetRate).amplitude);
      }
    }
  }
  return decibels(worst / amplitude);
}

function worstAliasDb(bench: SineBench, pair: RatePair): number {
  const { sourceRate, targetRate } = pair;
  const levels = range(stopBandEdge * targetRate, sourceRate / 2 - 1, aliasPoints).map(
    (frequency) => {
      const output = bench.settled(frequency, pair);
      return fitSine(output, aliasOf(frequency, targetRate), targetRate).amplitude;
    },
  );
  return decibels(Math.max(...levels) / amplitude);
}

function stopBandDb({ sourceRate, targetRate }: RatePair): number {
  const { phases, taps } = designFilter(sourceRate, targetRate);
  const lowerRate = Math.min(sourceRate, targetRate);
  const edge = stopBandEdge * lowerRate;
  const top = Math.min((sourceRate * phases) / 2, edge + stopBandReach * lowerRate);
  const points = Math.ceil(Math.min(stopBandPointsMax, stopBandWorkMax / (phases * taps)));
  const levels = range(edge, top, points).map((frequency) =>
    response(sourceRate, targetRate, frequency),
  );
  return decibels(Math.max(...levels));
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

/** What a kernel hands out for the first state of a pair, and for each further one. */
function memoryOf({ sourceRate, targetRate }: RatePair): {
  readonly stateBytes: number;
  readonly filterBytes: number;
} {
  const kernel = new Kernel();
  const markBytes = 16;
  const marks = [kernel.allocate(markBytes)];
  for (let i = 0; i < 2; i += 1) {
    new Resampler(kernel, sourceRate, targetRate);
    marks.push(kernel.allocate(markBytes));
  }
  const [first, second, third] = marks as [number, number, number];
  const stateBytes = third - second - markBytes;
  return { stateBytes, filterBytes: second - first - markBytes - stateBytes };
}
