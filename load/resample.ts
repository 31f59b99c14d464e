/**
 * Offline rate conversion by a windowed sinc in floating point: exact in time (output sample k sits
 * at k / rate), slow, and only for playing a file on a stream of another rate.
 */

/** Zero crossings of the sinc on either side of its centre. */
const zeroCrossings = 48;
/** Kaiser window: stop band below -90 dB. */
const kaiserBeta = 9;
/** Pass band as a part of the lower rate's half. */
const passBand = 0.94;

/** Bessel function I0, by its power series. */
function bessel0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-15; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** Kaiser window at `position` in -1..1; 0 outside. */
export function kaiser(position: number, beta: number): number {
  if (Math.abs(position) >= 1) return 0;
  return bessel0(beta * Math.sqrt(1 - position * position)) / bessel0(beta);
}

export function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/**
 * Coefficients for outputs that fall `fraction` (0..1) of a sample after an input sample. Entry i
 * belongs to input sample `1 - halfTaps + i`, counted from the one at or before the output.
 */
function phaseTaps(fraction: number, cutoff: number, halfTaps: number): Float64Array {
  const taps = new Float64Array(2 * halfTaps);
  let sum = 0;
  for (let i = 0; i < taps.length; i += 1) {
    const distance = i + 1 - halfTaps - fraction;
    const tap = cutoff * sinc(cutoff * distance) * kaiser(distance / halfTaps, kaiserBeta);
    taps[i] = tap;
    sum += tap;
  }
  return taps.map((tap) => tap / sum);
}

function clampSample(value: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(value)));
}

/** Converts `samples` from one rate to another, both in Hz. Equal rates give a copy. */
export function resample(samples: Int16Array, fromHz: number, toHz: number): Int16Array {
  if (fromHz === toHz) return samples.slice();
  const divisor = greatestDivisor(fromHz, toHz);
  const phaseCount = toHz / divisor;
  const step = fromHz / divisor;
  const cutoff = Math.min(1, toHz / fromHz) * passBand;
  const halfTaps = Math.ceil(zeroCrossings / cutoff);
  const phases = Array.from({ length: phaseCount }, (_, phase) =>
    phaseTaps(phase / phaseCount, cutoff, halfTaps),
  );
  const target = new Int16Array(Math.round((samples.length * toHz) / fromHz));
  for (let k = 0; k < target.length; k += 1) {
    const taps = phases[(k * step) % phaseCount];
    if (taps === undefined) break;
    const first = Math.floor((k * step) / phaseCount) + 1 - halfTaps;
    let sum = 0;
    for (let i = 0; i < taps.length; i += 1) sum += (taps[i] ?? 0) * (samples[first + i] ?? 0);
    target[k] = clampSample(sum);
  }
  return target;
}
