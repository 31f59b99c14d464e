// Eight outputs at a time, for the ratios of telephony: a whole factor up (8 to 16 kHz and so on) or
// down. There, neighbouring outputs meet neighbouring samples (down: of every M-th one) with the same
// coefficients, so that a lane holds an output and nothing has to be summed across lanes. Both
// functions leave the outputs that do not fill a vector to the caller.

import {
  filterCoefficients, filterPhases, filterReciprocal, filterStepWhole, filterTaps, statePosition,
} from './resample';

// Every second sample of the work area, for runHalfBand.
const thinned: usize = memory.data(2048, 16);

// For runWholeDown. M rows, of which row r holds every M-th sample of the work area from sample r on;
// the coefficients with zeros behind them; and those in rows too. Rows round up to whole vectors:
// less than 16 more for each, and there are 6 at most (48 to 8 kHz).
const rows: usize = memory.data(4096, 16);
const paddedCoefficients: usize = memory.data(1536, 16);
const rowCoefficients: usize = memory.data(1536, 16);

/**
 * Eight neighbouring outputs of `sets` sets of `taps` coefficients each (a multiple of 8). Set s lies
 * behind the one before and meets samples[0..taps + 6], `stride * s` bytes further. `even` and `odd` are
 * products to start from, of outputs 0, 2, 4, 6 and 1, 3, 5, 7: a product of pairs takes two samples
 * per lane, so the two are apart until the end.
 *
 * A lane may sum half a set before it could overflow (the filter design sees to it). The halves then
 * meet as high * 65536 + low.
 */
// @ts-ignore: decorator
@inline
function eightOutputs(
  samples: usize, stride: usize, coefficients: usize, taps: i32, sets: i32,
  reciprocal: i32, even: v128, odd: v128,
): v128 {
  const lowMask = i32x4.splat(0xffff);
  let evenHigh = i32x4.shr_s(even, 16);
  let oddHigh = i32x4.shr_s(odd, 16);
  let evenLow = v128.and(even, lowMask);
  let oddLow = v128.and(odd, lowMask);
  const last = coefficients + ((taps * sets) << 1);
  do {
    const middle = coefficients + taps;
    let end = middle;
    do {
      even = i32x4.splat(0);
      odd = i32x4.splat(0);
      do {
        const first = v128.load32_splat(coefficients);
        const second = v128.load32_splat(coefficients, 4);
        even = i32x4.add(even, i32x4.dot_i16x8_s(v128.load(samples), first));
        odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.load(samples, 2), first));
        even = i32x4.add(even, i32x4.dot_i16x8_s(v128.load(samples, 4), second));
        odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.load(samples, 6), second));
        samples += 8;
        coefficients += 8;
      } while (coefficients < end);
      evenHigh = i32x4.add(evenHigh, i32x4.shr_s(even, 16));
      oddHigh = i32x4.add(oddHigh, i32x4.shr_s(odd, 16));
      evenLow = i32x4.add(evenLow, v128.and(even, lowMask));
      oddLow = i32x4.add(oddLow, v128.and(odd, lowMask));
      end += taps;
    } while (coefficients == middle);
    samples += stride - (taps << 1);
  } while (coefficients < last);
  const results = i16x8.narrow_i32x4_s(
    scaledLanes(evenHigh, evenLow, reciprocal),
    scaledLanes(oddHigh, oddLow, reciprocal),
  );
  return v128.shuffle<i16>(results, results, 0, 4, 1, 5, 2, 6, 3, 7);
}

/** (high * 65536 + low) * reciprocal / 2^40, rounded to nearest: fits 24 bits, saturated later. */
// @ts-ignore: decorator
@inline
function scaledLanes(high: v128, low: v128, reciprocal: i32): v128 {
  const factor = i32x4.splat(reciprocal);
  const half = i64x2.splat(<i64>1 << 39);
  const first = i64x2.add(
    i64x2.shl(i64x2.extmul_low_i32x4_s(high, factor), 16),
    i64x2.add(i64x2.extmul_low_i32x4_s(low, factor), half),
  );
  const second = i64x2.add(
    i64x2.shl(i64x2.extmul_high_i32x4_s(high, factor), 16),
    i64x2.add(i64x2.extmul_high_i32x4_s(low, factor), half),
  );
  // WebAssembly's 64-bit arithmetic shift is slow on x86: take the upper halves, then shift those.
  return i32x4.shr_s(v128.shuffle<i32>(first, second, 1, 3, 5, 7), 8);
}

/** L/M = L: phase 0 is the input, half a filter late. */
export function runWholeUp(
  state: usize, filter: usize, work: usize, count: i32, target: usize,
): usize {
  const taps = load<i32>(filter, filterTaps);
  const phases = load<i32>(filter, filterPhases);
  const reciprocal = load<i32>(filter, filterReciprocal);
  const setBytes = taps << 1;
  const first = filter + filterCoefficients + setBytes;
  const zero = i32x4.splat(0);
  let position = 0;
  while (position + 8 <= count) {
    const samples = work + (position << 1);
    const direct = v128.load(samples + taps - 2);
    if (phases == 2) {
      const between = eightOutputs(samples, 0, first, taps, 1, reciprocal, zero, zero);
      v128.store(target, v128.shuffle<i16>(direct, between, 0, 8, 1, 9, 2, 10, 3, 11));
      v128.store(target, v128.shuffle<i16>(direct, between, 4, 12, 5, 13, 6, 14, 7, 15), 16);
    } else {
      const stride = phases << 1;
      scatter(target, direct, stride);
      let coefficients = first;
      for (let phase = 1; phase < phases; phase += 1) {
        const between = eightOutputs(samples, 0, coefficients, taps, 1, reciprocal, zero, zero);
        scatter(target + (phase << 1), between, stride);
        coefficients += setBytes;
      }
    }
    target += phases << 4;
    position += 8;
  }
  store<i32>(state, position, statePosition);
  return target;
}

/** Stores eight samples `stride` bytes apart. */
// @ts-ignore: decorator
@inline
function scatter(target: usize, samples: v128, stride: i32): void {
  v128.store16_lane(target, samples, 0);
  v128.store16_lane(target + stride, samples, 1);
  target += stride << 1;
  v128.store16_lane(target, samples, 2);
  v128.store16_lane(target + stride, samples, 3);
  target += stride << 1;
  v128.store16_lane(target, samples, 4);
  v128.store16_lane(target + stride, samples, 5);
  target += stride << 1;
  v128.store16_lane(target, samples, 6);
  v128.store16_lane(target + stride, samples, 7);
}

/** L/M = 1/2: of the even samples, counted from an output's oldest, all count; of the odd, one. */
export function runHalfBand(
  state: usize, filter: usize, work: usize, count: i32, target: usize,
): usize {
  const taps = load<i32>(filter, filterTaps);
  const reciprocal = load<i32>(filter, filterReciprocal);
  const coefficients = filter + filterCoefficients;
  const thinnedCoefficients = coefficients + (taps << 1);
  // As a pair with zero: a product then takes the lower sample of each lane alone.
  const middle = i32x4.splat(load<u16>(coefficients + taps - 2));
  let position = load<i32>(state, statePosition);
  const outputs = (count - position + 1) >> 1;
  const oldest = work + (position << 1);
  thin(oldest, thinned, outputs + (taps >> 1));
  let done = 0;
  while (done + 8 <= outputs) {
    const centre = oldest + (done << 2) + taps - 2;
    const low = v128.load(centre);
    const high = v128.load(centre, 16);
    const results = eightOutputs(
      thinned + (done << 1), 0, thinnedCoefficients, taps >> 1, 1, reciprocal,
      i32x4.dot_i16x8_s(v128.shuffle<i32>(low, high, 0, 2, 4, 6), middle),
      i32x4.dot_i16x8_s(v128.shuffle<i32>(low, high, 1, 3, 5, 7), middle),
    );
    v128.store(target, results);
    target += 16;
    done += 8;
  }
  store<i32>(state, position + (done << 1), statePosition);
  return target;
}

/** Copies every second sample, starting with the first: `count` of them, rounded up to eight. */
// @ts-ignore: decorator
@inline
function thin(source: usize, target: usize, count: i32): void {
  for (let done = 0; done < count; done += 8) {
    // The lower sample of each lane, sign-extended; narrowing cannot saturate.
    const low = i32x4.shr_s(i32x4.shl(v128.load(source), 16), 16);
    const high = i32x4.shr_s(i32x4.shl(v128.load(source, 16), 16), 16);
    v128.store(target, i16x8.narrow_i32x4_s(low, high));
    source += 32;
    target += 16;
  }
}

/**
 * L/M = 1/M: output n meets every M-th sample M times over, so each row is filtered as it is. The row
 * that holds the middle of the filter has no coefficient but that, and is put last.
 */
export function runWholeDown(
  state: usize, filter: usize, work: usize, count: i32, target: usize,
): usize {
  const taps = load<i32>(filter, filterTaps);
  const reciprocal = load<i32>(filter, filterReciprocal);
  const factor = load<i32>(filter, filterStepWhole);
  const position = load<i32>(state, statePosition);
  const outputs = (count - position + factor - 1) / factor;
  if (outputs < 8) return target;
  const rowTaps = ((taps + factor - 1) / factor + 7) & ~7;
  const middle = (taps >> 1) - 1;
  const middleRow = middle % factor;
  memory.copy(paddedCoefficients, filter + filterCoefficients, taps << 1);
  memory.fill(paddedCoefficients + (taps << 1), 0, factor << 4);
  // Whole vectors are read: what lies behind the last sample meets coefficients of zero.
  const rowBytes = ((outputs + rowTaps + 7) & ~7) << 1;
  const stride = factor << 1;
  const oldest = work + (position << 1);
  let row = rows;
  let coefficients = rowCoefficients;
  for (let i = 0; i < factor; i += 1) {
    if (i == middleRow) continue;
    gather(oldest + (i << 1), stride, row, row + rowBytes);
    gather(paddedCoefficients + (i << 1), stride, coefficients, coefficients + (rowTaps << 1));
    row += rowBytes;
    coefficients += rowTaps << 1;
  }
  const middleSamples = row;
  gather(oldest + (middle << 1), stride, row, row + (outputs << 1));
  // As a pair with zero: a product then takes one sample of each lane alone.
  const coefficient = <i32>load<u16>(filter + filterCoefficients + (middle << 1));
  const lower = i32x4.splat(coefficient);
  const upper = i32x4.splat(coefficient << 16);
  let done = 0;
  while (done + 8 <= outputs) {
    const samples = v128.load(middleSamples + (done << 1));
    const results = eightOutputs(
      rows + (done << 1), rowBytes, rowCoefficients, rowTaps, factor - 1, reciprocal,
      i32x4.dot_i16x8_s(samples, lower), i32x4.dot_i16x8_s(samples, upper),
    );
    v128.store(target, results);
    target += 16;
    done += 8;
  }
  store<i32>(state, position + done * factor, statePosition);
  return target;
}

/** Fills `target` up to `end`, in whole vectors, with samples that lie `stride` bytes apart. */
// @ts-ignore: decorator
@inline
function gather(source: usize, stride: usize, target: usize, end: usize): void {
  do {
    let samples = v128.load16_splat(source);
    samples = v128.load16_lane(source + stride, samples, 1);
    source += stride << 1;
    samples = v128.load16_lane(source, samples, 2);
    samples = v128.load16_lane(source + stride, samples, 3);
    source += stride << 1;
    samples = v128.load16_lane(source, samples, 4);
    samples = v128.load16_lane(source + stride, samples, 5);
    source += stride << 1;
    samples = v128.load16_lane(source, samples, 6);
    samples = v128.load16_lane(source + stride, samples, 7);
    source += stride << 1;
    v128.store(target, samples);
    target += 16;
  } while (target < end);
}
