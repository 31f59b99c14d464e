import { correlate } from './fft.js';
import { kaiser, sinc } from './resample.js';

/** How well one signal repeats another. */
export interface EchoMatch {
  /** Power of the reference over power of the difference, gain fixed at 1, at most 120 dB. */
  readonly snrDb: number;
  /** How far the echo lies behind the reference, in samples and parts of a sample. */
  readonly delaySamples: number;
  /** Factor that would fit best; 1 for a true echo. */
  readonly gain: number;
  /** Samples that were compared: where the reference has energy and the echo reaches. */
  readonly comparedSamples: number;
}

export interface EchoOptions {
  readonly rateHz: number;
  /** Longest delay searched for. Default 1 s. */
  readonly delayMsMax?: number;
}

type Signal = ArrayLike<number>;

const snrDbMax = 120;
/** Length of reference that the delay is searched with: its loudest stretch. */
const patternSeconds = 4;
/** A weaker likeness than this is no echo at all. */
const likenessMin = 0.5;
/** Interpolation: good to below -90 dB for signals up to nine tenths of the band. */
const kernelHalf = 64;
const kernelBeta = 10;
const activityFrameMs = 20;
/** Frames this far below the loudest are pauses, and not compared. */
const activityPart = 0.01;
const peaksMax = 12;
const goldenSteps = 20;
/** Enough to find the last digits of the delay in. */
const polishSamplesMax = 16_000;
const polishSteps = [0.02, 0.001];
const goldenPart = (Math.sqrt(5) - 1) / 2;

/** Compares `echo` to `reference`, both at the same rate; null if one does not contain the other. */
export function echoMatch(reference: Signal, echo: Signal, options: EchoOptions): EchoMatch | null {
  const active = activeSamples(reference, Math.round((options.rateHz * activityFrameMs) / 1_000));
  const lagMax = Math.round(((options.delayMsMax ?? 1_000) * options.rateHz) / 1_000);
  const pattern = loudestStretch(reference, Math.round(patternSeconds * options.rateHz));
  if (pattern === null) return null;
  const likeness = likenessByLag(reference, echo, pattern, lagMax);
  const found = bestDelay(likeness);
  if (found === null) return null;
  const delay = polish(reference, echo, pattern, found - likeness.lagMax);
  const refined = matchOf(compare(reference, echo, active, delay), delay);
  // Whole delays are common (nothing was resampled), and need no interpolation.
  const lag = Math.round(delay);
  const whole = matchOf(compare(reference, echo, active, lag), lag);
  return whole.snrDb >= refined.snrDb ? whole : refined;
}

interface Stretch {
  readonly from: number;
  readonly length: number;
}

/** 1 where the reference speaks, 0 in its pauses. */
function activeSamples(reference: Signal, frameSamples: number): Uint8Array {
  const active = new Uint8Array(reference.length);
  const frameCount = Math.ceil(reference.length / frameSamples);
  const powers = Array.from({ length: frameCount }, (_, frame) =>
    power(reference, { from: frame * frameSamples, length: frameSamples }),
  );
  const threshold = powers.reduce((a, b) => Math.max(a, b), 0) * activityPart ** 2;
  powers.forEach((value, frame) => {
    if (value > threshold) active.fill(1, frame * frameSamples, (frame + 1) * frameSamples);
  });
  return active;
}

function power(signal: Signal, stretch: Stretch): number {
  let sum = 0;
  const until = Math.min(signal.length, stretch.from + stretch.length);
  for (let i = stretch.from; i < until; i += 1) sum += signal[i]! * signal[i]!;
  return sum;
}

/** Null for a silent signal. */
function loudestStretch(signal: Signal, lengthMax: number): Stretch | null {
  const length = Math.min(signal.length, lengthMax);
  let sum = power(signal, { from: 0, length });
  let best = { from: 0, sum };
  for (let from = 1; from + length <= signal.length; from += 1) {
    sum += signal[from + length - 1]! ** 2 - signal[from - 1]! ** 2;
    if (sum > best.sum) best = { from, sum };
  }
  return best.sum > 0 ? { from: best.from, length } : null;
}

/** Likeness of pattern and echo, -1..1; entry i belongs to the delay `i - lagMax`. */
interface Likeness {
  readonly values: Float64Array;
  readonly lagMax: number;
}

function likenessByLag(
  reference: Signal,
  echo: Signal,
  pattern: Stretch,
  lagMax: number,
): Likeness {
  // Soft ends: an abrupt one would move the greatest likeness by a little.
  const needle = Float64Array.from(
    { length: pattern.length },
    (_, i) =>
      sample(reference, pattern.from + i) * Math.sin((Math.PI * (i + 0.5)) / pattern.length) ** 2,
  );
  const hay = Float64Array.from({ length: pattern.length + 2 * lagMax }, (_, i) =>
    sample(echo, pattern.from - lagMax + i),
  );
  const whole = { from: 0, length: pattern.length };
  const needlePower = power(needle, whole);
  let hayPower = power(hay, whole);
  const values = correlate(needle, hay).map((product, i) => {
    // A stretch of near silence may be alike by chance: it counts as having some power.
    const scale = Math.sqrt(needlePower * Math.max(hayPower, needlePower * 1e-3));
    hayPower += sample(hay, i + pattern.length) ** 2 - sample(hay, i) ** 2;
    return product / scale;
  });
  return { values, lagMax };
}

/**
 * Index, with its fraction, of the greatest likeness; null if nothing is alike. Voiced sounds repeat
 * themselves, and half a sample costs likeness: so the best few peaks are looked at between samples.
 */
function bestDelay({ values }: Likeness): number | null {
  const peaks: number[] = [];
  values.forEach((value, i) => {
    if (value > sample(values, i - 1) && value >= sample(values, i + 1)) peaks.push(i);
  });
  peaks.sort((a, b) => sample(values, b) - sample(values, a));
  const refined = peaks.slice(0, peaksMax).map((peak) => {
    const at = goldenMaximum(peak - 1, peak + 1, (index) => between(values, index));
    return { at, value: between(values, at) };
  });
  refined.sort((a, b) => b.value - a.value);
  const best = refined[0];
  return best !== undefined && best.value >= likenessMin ? best.at : null;
}

function goldenMaximum(low: number, high: number, value: (at: number) => number): number {
  let [from, to] = [low, high];
  for (let step = 0; step < goldenSteps; step += 1) {
    const left = to - goldenPart * (to - from);
    const right = from + goldenPart * (to - from);
    if (value(left) > value(right)) to = right;
    else from = left;
  }
  return (from + to) / 2;
}

/** A signal between its samples. */
function between(signal: Signal, index: number): number {
  const whole = Math.round(index);
  return interpolate(signal, whole, fractionTaps(index - whole));
}

function sample(signal: Signal, index: number): number {
  return signal[index] ?? 0;
}

/** The delay of the smallest difference, near which the difference is a parabola. */
function polish(reference: Signal, echo: Signal, pattern: Stretch, near: number): number {
  const active = new Uint8Array(reference.length);
  active.fill(1, pattern.from, pattern.from + Math.min(pattern.length, polishSamplesMax));
  const mismatch = (delay: number): number => {
    const { referencePower, echoPower, product } = compare(reference, echo, active, delay);
    return referencePower === 0 ? 0 : echoPower - product ** 2 / referencePower;
  };
  let delay = near;
  for (const step of polishSteps) {
    const [left, middle, right] = [mismatch(delay - step), mismatch(delay), mismatch(delay + step)];
    const curvature = left - 2 * middle + right;
    if (curvature <= 0) break;
    delay += Math.max(-1, Math.min(1, (left - right) / (2 * curvature))) * step;
  }
  return delay;
}

/** Coefficients that read a signal `fraction` (-1..1) of a sample after an index. */
function fractionTaps(fraction: number): Float64Array {
  return Float64Array.from({ length: 2 * kernelHalf + 1 }, (_, i) => {
    const distance = i - kernelHalf - fraction;
    return sinc(distance) * kaiser(distance / (kernelHalf + 1), kernelBeta);
  });
}

function interpolate(signal: Signal, index: number, taps: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < taps.length; i += 1) sum += taps[i]! * sample(signal, index + i - kernelHalf);
  return sum;
}

interface Sums {
  readonly referencePower: number;
  readonly echoPower: number;
  readonly differencePower: number;
  readonly product: number;
  readonly count: number;
}

/** Sums at one delay, over the active samples. The reference is moved, the echo stays as it is. */
function compare(reference: Signal, echo: Signal, active: Uint8Array, delay: number): Sums {
  const whole = Math.round(delay);
  const taps = whole === delay ? null : fractionTaps(whole - delay);
  let referencePower = 0;
  let echoPower = 0;
  let differencePower = 0;
  let product = 0;
  let count = 0;
  for (let i = 0; i < reference.length; i += 1) {
    const at = i + whole;
    if (active[i] === 0 || at < 0 || at >= echo.length) continue;
    const expected = taps === null ? reference[i]! : interpolate(reference, i, taps);
    const heard = echo[at]!;
    referencePower += expected * expected;
    echoPower += heard * heard;
    differencePower += (heard - expected) ** 2;
    product += expected * heard;
    count += 1;
  }
  return { referencePower, echoPower, differencePower, product, count };
}

function matchOf(sums: Sums, delaySamples: number): EchoMatch {
  const ratio = sums.referencePower / sums.differencePower;
  return {
    snrDb: Math.min(snrDbMax, 10 * Math.log10(ratio)),
    delaySamples,
    gain: sums.product / sums.referencePower,
    comparedSamples: sums.count,
  };
}
