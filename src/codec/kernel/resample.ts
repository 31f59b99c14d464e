// Streaming polyphase FIR, int16 mono.
//
// Filter, shared by all states of one rate pair (offsets in bytes; written by ../resampler.ts):
//    0 i32 taps         per phase, a multiple of 8
//    4 i32 phases       L of the ratio L/M
//    8 i32 stepPhase    M mod L
//   12 i32 stepWhole    M div L
//   16 i32 form         0 general; 1 whole factor up (M = 1); 2 half band (L/M = 1/2)
//   20 i32 reciprocal   round(2^40 / sum of one phase's coefficients)
//   24 (unused)
//   32 i16 coefficients[phases][taps], those of one phase in the order of the samples they meet,
//          oldest first; form 2: followed by [taps / 2], those of even index alone
//
// State, one per direction of a call:
//    0 i32 filter       byte offset of the above
//    4 i32 phase        of the next output, 0 <= phase < phases
//    8 i32 position     newest input sample of the next output, counted from the next chunk's first
//   12 i32 fed          1 if any input came since the last reset
//   16 i16 history[taps - 1], oldest first
//
// Output n meets the inputs up to floor(n * M / L), so that k inputs have yielded exactly
// ceil(k * L / M) outputs, however they were split. Holds between calls: 0 <= position <= M / L.
//
// Every sum of products is exact, so the forms differ in speed alone.

import { runHalfBand, runWholeDown, runWholeUp } from './resample-wide';

export const filterTaps = 0;
export const filterPhases = 4;
const filterStepPhase = 8;
export const filterStepWhole = 12;
const filterForm = 16;
export const filterReciprocal = 20;
export const filterCoefficients = 32;
export const statePhase = 4;
export const statePosition = 8;
const stateFed = 12;
const stateHistory = 16;

const formWholeUp = 1;
const formHalfBand = 2;

/** Input samples per turn through the work area. */
const blockSamples = 1024;
/** Upper bound of taps; the loader checks it. */
const tapsMax = 512;
// One piece of history and input, for one call at a time. Wide steps may read 16 samples too many.
const work: usize = memory.data((tapsMax + blockSamples + 32) * 2, 16);
// What `flush` feeds: half of the longest filter.
const silence: usize = memory.data(tapsMax, 16);

/** The sum of products as a sample: rounded to nearest, saturated. */
// @ts-ignore: decorator
@inline
function scaled(sum: i64, reciprocal: i64): i32 {
  const value = (sum * reciprocal + (<i64>1 << 39)) >> 40;
  return <i32>max<i64>(min<i64>(value, 32767), -32768);
}

/**
 * Products of `taps` samples and coefficients, summed in two sets of four 32-bit lanes: the filter
 * design bounds every lane, and only the lanes' sum needs more than 32 bits.
 */
// @ts-ignore: decorator
@inline
function products(samples: usize, coefficients: usize, taps: i32): i64 {
  let even = i32x4.splat(0);
  let odd = i32x4.splat(0);
  const end = coefficients + (taps << 1);
  while (coefficients + 32 <= end) {
    even = i32x4.add(even, i32x4.dot_i16x8_s(v128.load(samples), v128.load(coefficients)));
    odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.load(samples, 16), v128.load(coefficients, 16)));
    samples += 32;
    coefficients += 32;
  }
  if (coefficients < end) {
    even = i32x4.add(even, i32x4.dot_i16x8_s(v128.load(samples), v128.load(coefficients)));
  }
  const halves = i64x2.add(
    i64x2.add(i64x2.extend_low_i32x4_s(even), i64x2.extend_high_i32x4_s(even)),
    i64x2.add(i64x2.extend_low_i32x4_s(odd), i64x2.extend_high_i32x4_s(odd)),
  );
  return i64x2.extract_lane(halves, 0) + i64x2.extract_lane(halves, 1);
}

/**
 * Writes, one by one, the outputs whose newest input lies before `count` in the work area. Returns the
 * new end of the target.
 */
function run(state: usize, filter: usize, count: i32, target: usize): usize {
  const taps = load<i32>(filter, filterTaps);
  const phases = load<i32>(filter, filterPhases);
  const stepPhase = load<i32>(filter, filterStepPhase);
  const stepWhole = load<i32>(filter, filterStepWhole);
  const reciprocal = <i64>load<i32>(filter, filterReciprocal);
  let phase = load<i32>(state, statePhase);
  let position = load<i32>(state, statePosition);
  while (position < count) {
    const coefficients = filter + filterCoefficients + ((phase * taps) << 1);
    const sum = products(work + (position << 1), coefficients, taps);
    store<i16>(target, scaled(sum, reciprocal));
    target += 2;
    position += stepWhole;
    phase += stepPhase;
    if (phase >= phases) {
      phase -= phases;
      position += 1;
    }
  }
  store<i32>(state, phase, statePhase);
  store<i32>(state, position, statePosition);
  return target;
}

/**
 * Takes `count` samples from `source`; returns the number written to `target`, which needs room for
 * ceil(count * L / M). Any count, any split: the output is the same to the bit. No overlap.
 */
export function resample(state: usize, source: usize, count: i32, target: usize): i32 {
  if (count <= 0) return 0;
  const filter = <usize>load<i32>(state);
  const form = load<i32>(filter, filterForm);
  const pastBytes = (load<i32>(filter, filterTaps) - 1) << 1;
  const history = state + stateHistory;
  let end = target;
  memory.copy(work, history, pastBytes);
  while (count > 0) {
    const block = min(count, blockSamples);
    memory.copy(work + pastBytes, source, block << 1);
    if (form == formWholeUp) end = runWholeUp(state, filter, work, block, end);
    else if (form == formHalfBand) end = runHalfBand(state, filter, work, block, end);
    else if (load<i32>(filter, filterPhases) == 1) end = runWholeDown(state, filter, work, block, end);
    end = run(state, filter, block, end);
    store<i32>(state, load<i32>(state, statePosition) - block, statePosition);
    memory.copy(work, work + (block << 1), pastBytes);
    source += block << 1;
    count -= block;
  }
  memory.copy(history, work, pastBytes);
  store<i32>(state, 1, stateFed);
  return <i32>((end - target) >> 1);
}

/** Forgets all input: the next sample is the first of a stream preceded by silence. */
export function reset(state: usize): void {
  const past = load<i32>(<usize>load<i32>(state), filterTaps) - 1;
  store<i32>(state, 0, statePhase);
  store<i32>(state, 0, statePosition);
  store<i32>(state, 0, stateFed);
  memory.fill(state + stateHistory, 0, past << 1);
}

/**
 * Writes what the filter still holds, as if half its length of silence had followed, and resets it.
 * Nothing was fed: nothing is written. Returns the samples written.
 */
export function flush(state: usize, target: usize): i32 {
  if (load<i32>(state, stateFed) == 0) return 0;
  const delay = load<i32>(<usize>load<i32>(state), filterTaps) >> 1;
  const count = resample(state, silence, delay, target);
  reset(state);
  return count;
}
