import assert from 'node:assert/strict';
import { coefficientSumMax, halfSum, laneSum, roundPrototype } from './rounding.js';

/**
 * Kaiser-windowed sinc filters for the polyphase resampler, rounded to int16.
 *
 * With L/M = target/source in lowest terms, the prototype runs at L times the source rate. It cuts at
 * half the lower rate, with a transition band of 0.425 to 0.575 of it: telephone speech ends at 3.4 kHz,
 * and what aliases between 0.425 and 0.5 lands above that. Cutting at exactly half makes every tap at
 * a whole period of the lower rate zero, so that an upsampler's phase 0 only delays, and half of the
 * taps of a 2:1 decimator need no work (`FilterForm`).
 */
export interface Filter {
  /** L: the number of sets of coefficients. */
  readonly phases: number;
  /** M: outputs lie M / L input samples apart. */
  readonly decimation: number;
  /** Coefficients per phase, a multiple of 8. */
  readonly taps: number;
  readonly form: FilterForm;
  /** `[phase][tap]`, in the order of the samples they meet: the oldest one's first. */
  readonly coefficients: Int16Array;
  /** What the coefficients of each phase add up to: the gain that the kernel divides by. */
  readonly gain: number;
  /** Constant delay, in samples of the source. */
  readonly delaySourceSamples: number;
  /** The same delay in samples of the target; not always whole. */
  readonly delaySamples: number;
  readonly delayMs: number;
}

/** What the kernel may skip. Values are shared with `kernel/resample.ts`. */
export const FilterForm = {
  General: 0,
  /** M = 1: phase 0 has one coefficient, so its outputs are input samples. */
  WholeUp: 1,
  /** L/M = 1/2: all coefficients of even index are zero but the middle one. */
  HalfBand: 2,
} as const;
export type FilterForm = (typeof FilterForm)[keyof typeof FilterForm];

/** Edge of the pass band and of the stop band, as a part of the lower rate. */
export const passBandEdge = 0.425;
export const stopBandEdge = 0.575;

export const delayMsMax = 3;
/** The kernel's work area. */
const tapsMax = 512;

/** Filter length in periods of the lower rate: 94 dB up, at least 85 dB down, before rounding. */
const spanUp = 40;
const spanDown = 36;

const designs = new Map<string, Filter>();

/** The filter for one pair of different rates (Hz); computed once per thread. */
export function designFilter(sourceRate: number, targetRate: number): Filter {
  const key = `${sourceRate}>${targetRate}`;
  let filter = designs.get(key);
  if (filter === undefined) {
    filter = design(sourceRate, targetRate);
    assertSound(filter);
    designs.set(key, filter);
  }
  return filter;
}

function design(sourceRate: number, targetRate: number): Filter {
  assert(sourceRate !== targetRate, 'equal rates need no filter');
  const divisor = greatestCommonDivisor(sourceRate, targetRate);
  const phases = targetRate / divisor;
  const decimation = sourceRate / divisor;
  const form = formOf(phases, decimation);
  const lowerRate = Math.min(sourceRate, targetRate);
  const unit = form === FilterForm.HalfBand ? 16 : 8;
  const span = targetRate > sourceRate ? spanUp : spanDown;
  const taps = Math.ceil((span * sourceRate) / lowerRate / unit) * unit;
  const period = (phases * sourceRate) / lowerRate;
  const prototype = kaiserSinc(phases * taps, period);
  const { coefficients, gain } = roundPrototype(prototype, phases, period, stopBandEdge);
  return {
    phases,
    decimation,
    taps,
    form,
    coefficients,
    gain,
    delaySourceSamples: taps / 2,
    delaySamples: ((taps / 2) * phases) / decimation,
    delayMs: (taps / 2 / sourceRate) * 1_000,
  };
}

function formOf(phases: number, decimation: number): FilterForm {
  if (phases === 1 && decimation === 2) return FilterForm.HalfBand;
  return decimation === 1 ? FilterForm.WholeUp : FilterForm.General;
}

/**
 * `length` taps around a middle of 1 at `length / 2`, zero crossings `period` apart. Tap 0 is zero:
 * the middle then falls on a whole input sample, so that the delay is exactly half the length.
 */
function kaiserSinc(length: number, period: number): Float64Array {
  const middle = length / 2;
  const transition = stopBandEdge - passBandEdge;
  // Kaiser's formulas: attenuation (dB) that a length buys, and the window's shape for it.
  const attenuation = 7.95 + 14.36 * transition * (length / period);
  const shape = 0.1102 * (attenuation - 8.7);
  const taps = new Float64Array(length);
  for (let i = 1; i < length; i += 1) {
    const t = (i - middle) / period;
    // Whole periods are set to zero rather than left to the sine's last bits.
    const sinc = t === 0 ? 1 : Number.isInteger(t) ? 0 : Math.sin(Math.PI * t) / (Math.PI * t);
    taps[i] = (sinc * bessel(shape * Math.sqrt(1 - ((i - middle) / middle) ** 2))) / bessel(shape);
  }
  return taps;
}

/** Modified Bessel function of the first kind and order zero. */
function bessel(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** What the kernel relies on and does not check. */
function assertSound(filter: Filter): void {
  const { coefficients, phases, taps, gain, form, delayMs } = filter;
  assert(taps % 8 === 0 && taps <= tapsMax, 'a phase must be whole vectors and fit the work area');
  assert(delayMs <= delayMsMax, 'the delay must stay within its limit');
  for (let phase = 0; phase < phases; phase += 1) {
    const own = coefficients.subarray(phase * taps, (phase + 1) * taps);
    assert(own.reduce((sum, value) => sum + value, 0) === gain, 'all phases must have one gain');
    assert(laneSum(own) <= coefficientSumMax, 'no lane may overflow');
  }
  if (form === FilterForm.General) return;
  const middle = taps / 2 - 1;
  const first = coefficients.subarray(0, taps);
  const skipped = first.filter(
    (_, i) => i !== middle && (form === FilterForm.WholeUp || i % 2 === 1),
  );
  assert(
    skipped.every((value) => value === 0),
    'what the kernel skips must be zero',
  );
  if (form === FilterForm.HalfBand) {
    assert(taps % 16 === 0, 'the taps that remain must be whole vectors');
    assert(halfSum(first.filter((_, i) => i % 2 === 0)) <= coefficientSumMax);
    return;
  }
  for (let phase = 1; phase < phases; phase += 1) {
    const own = coefficients.subarray(phase * taps, (phase + 1) * taps);
    assert(halfSum(own) <= coefficientSumMax, 'half a phase may not overflow');
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
