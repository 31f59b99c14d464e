/** Rounding of a filter's prototype to the int16 coefficients that the kernel multiplies with. */
export interface RoundedFilter {
  /** `[phase][tap]`, oldest sample first. */
  readonly coefficients: Int16Array;
  /** What every phase adds up to. */
  readonly gain: number;
}

/**
 * Largest sum of magnitudes that may meet in one signed 32-bit accumulator: with full-scale input of
 * the worst sign pattern, every coefficient counts 2^15 times.
 */
export const coefficientSumMax = 2 ** 16 - 1;

const coefficientMax = 32_766; // even, like every gain
/** Samples per step of the kernel's general loop: four lanes of pairs in each of two accumulators. */
const stepSamples = 16;

/** Prototypes up to this length are searched for a good scale. */
const searchedLengthMax = 256;
const scalesTried = 48;
const scaleStep = 1 / 256;

/**
 * Part of each rounding error that the next tap of a long prototype makes up for. With many phases
 * these errors are a noise 84 dB below a sine; carrying half moves it from where speech is strong
 * towards half the rate, for 86 to 88 dB at 1 kHz.
 */
const longErrorCarried = 0.5;

/**
 * Rounds a prototype (its middle is 1, its zero crossings lie `period` taps apart) as large as int16
 * and the kernel's accumulators allow.
 *
 * Rounding leaves a short prototype's stop band up to 5 dB better or worse by pure luck of the scale,
 * so several scales below the largest are tried and the best is kept.
 */
export function roundPrototype(
  prototype: Float64Array,
  phases: number,
  period: number,
  stopBandEdge: number,
): RoundedFilter {
  // Rounding may add one to each tap.
  const sumMax = coefficientSumMax - prototype.length / phases;
  const scaleMax = Math.min(coefficientMax, sumMax / worstLaneSum(prototype, phases));
  const gainAt = (scale: number): number => 2 * Math.floor((scale * period) / phases / 2);
  let gain = gainAt(scaleMax);
  let best: Int16Array;
  if (prototype.length > searchedLengthMax) {
    best = roundTaps(prototype, phases, gain, longErrorCarried);
  } else {
    const edge = (2 * Math.PI * stopBandEdge) / period;
    best = roundTaps(prototype, phases, gain, 0);
    let bestBadness = stopBandBadness(best, edge);
    for (let trial = 1; trial < scalesTried; trial += 1) {
      const triedGain = gainAt(scaleMax * (1 - trial * scaleStep));
      const tried = roundTaps(prototype, phases, triedGain, 0);
      const badness = stopBandBadness(tried, edge);
      if (badness >= bestBadness) continue;
      bestBadness = badness;
      best = tried;
      gain = triedGain;
    }
  }
  return { coefficients: byPhase(best, phases), gain };
}

/**
 * Rounds so that every phase adds up to the same even number: phases of unequal gain would turn a
 * constant into an image at the source rate. What rounding left over goes, one each, to the taps that
 * were rounded furthest the other way.
 */
function roundTaps(
  prototype: Float64Array,
  phases: number,
  gain: number,
  errorCarried: number,
): Int16Array {
  const rounded = new Int16Array(prototype.length);
  for (let phase = 0; phase < phases; phase += 1) {
    const indices: number[] = [];
    let sum = 0;
    for (let i = phase; i < prototype.length; i += phases) {
      sum += prototype[i]!;
      // Zeros stay zero: the kernel skips them.
      if (prototype[i] !== 0) indices.push(i);
    }
    const scale = gain / sum;
    let missing = gain;
    let carried = 0;
    for (const i of indices) {
      const wanted = prototype[i]! * scale + carried;
      rounded[i] = Math.round(wanted);
      carried = errorCarried * (wanted - rounded[i]!);
      missing -= rounded[i]!;
    }
    const sign = Math.sign(missing);
    const error = (i: number): number => sign * (prototype[i]! * scale - rounded[i]!);
    indices.sort((a, b) => error(b) - error(a));
    for (const i of indices.slice(0, Math.abs(missing))) rounded[i]! += sign;
  }
  return rounded;
}

/**
 * How far short of nothing the stop band falls from `edge` (radians per tap) on: its peak, which is
 * the worst single image, times its mean, which is the noise of all images. Comparable between gains.
 */
function stopBandBadness(rounded: Int16Array, edge: number): number {
  const middle = rounded.length / 2;
  const points = rounded.length * 2; // about four for each ripple
  // Left-over units may have broken the symmetry a little: both sides are taken together.
  const sides = Float64Array.from({ length: middle }, (_, k) =>
    k === 0 ? rounded[middle]! : rounded[middle + k]! + rounded[middle - k]!,
  );
  const total = rounded.reduce((sum, value) => sum + value, 0);
  let peak = 0;
  let power = 0;
  for (let point = 0; point <= points; point += 1) {
    const cosine = Math.cos(edge + ((Math.PI - edge) * point) / points);
    // cos((k + 1)x) = 2 cos(x) cos(kx) - cos((k - 1)x)
    let previous = cosine;
    let current = 1;
    let sum = 0;
    for (let k = 0; k < middle; k += 1) {
      sum += sides[k]! * current;
      const next = 2 * cosine * current - previous;
      previous = current;
      current = next;
    }
    peak = Math.max(peak, Math.abs(sum) / total);
    power += (sum / total) ** 2;
  }
  return peak * Math.sqrt(power / points);
}

/** `[phase][tap]`, each phase as `tapsOf` has it. */
function byPhase(prototype: Int16Array, phases: number): Int16Array {
  const taps = prototype.length / phases;
  const coefficients = new Int16Array(prototype.length);
  for (let phase = 0; phase < phases; phase += 1) {
    coefficients.set(tapsOf(prototype, phase, phases), phase * taps);
  }
  return coefficients;
}

/** The taps that an output of one phase meets, oldest sample first. */
function tapsOf(prototype: ArrayLike<number>, phase: number, phases: number): number[] {
  const taps: number[] = [];
  for (let i = prototype.length - phases + phase; i >= 0; i -= phases) taps.push(prototype[i]!);
  return taps;
}

function worstLaneSum(prototype: Float64Array, phases: number): number {
  let worst = 0;
  for (let phase = 0; phase < phases; phase += 1) {
    worst = Math.max(worst, laneSum(tapsOf(prototype, phase, phases)));
  }
  return worst;
}

/** Largest sum of magnitudes that meets in one lane of the kernel's general loop. */
export function laneSum(taps: ArrayLike<number>): number {
  const lanes = new Float64Array(stepSamples / 2);
  for (let tap = 0; tap < taps.length; tap += 1) {
    lanes[(tap % stepSamples) >> 1]! += Math.abs(taps[tap]!);
  }
  return Math.max(...lanes);
}

/** Largest sum of magnitudes in one half of the taps, which the kernel's wide loop sums in one lane. */
export function halfSum(taps: ArrayLike<number>): number {
  const halves = [0, 0];
  for (let tap = 0; tap < taps.length; tap += 1) {
    halves[tap < taps.length / 2 ? 0 : 1]! += Math.abs(taps[tap]!);
  }
  return Math.max(...halves);
}
