import { GatewayError } from '../errors.js';
import { audioRates, isAudioRate } from '../limits.js';
import { designFilter, type Filter, FilterForm } from './filters.js';
import type { Kernel } from './kernel.js';

/** Sizes and offsets of the structs that `kernel/resample.ts` draws. */
const filterHeaderBytes = 32;
const stateHeaderBytes = 16;
/** Fraction bits of the reciprocal by which the kernel divides. */
const reciprocalBits = 40;

/** Where each kernel keeps the filters that its states share; they stay as long as the kernel. */
const placedFilters = new WeakMap<Kernel, Map<Filter, number>>();

/**
 * One direction of one call: a mono int16 stream from one rate to another (Hz), in chunks of any size.
 * Each chunk's share of the output comes at once: after k samples in, exactly ceil(k * target / source)
 * are out, whatever the chunks were. The sound is `delayMs` late, constantly.
 */
export class Resampler {
  readonly sourceRate: number;
  readonly targetRate: number;
  /** Constant delay of the sound; 0 between equal rates. */
  readonly delayMs: number;
  /** The same in samples of the target; not always whole. */
  readonly delaySamples: number;
  /** Largest result of `flush`. */
  readonly tailMax: number;
  readonly #kernel: Kernel;
  readonly #stateBytes: number;
  /** Byte offset of the state; 0 between equal rates. */
  readonly #state: number;
  #isOpen = true;

  constructor(kernel: Kernel, sourceRate: number, targetRate: number) {
    assertRate(sourceRate);
    assertRate(targetRate);
    this.sourceRate = sourceRate;
    this.targetRate = targetRate;
    this.#kernel = kernel;
    const filter = sourceRate === targetRate ? undefined : designFilter(sourceRate, targetRate);
    this.delayMs = filter?.delayMs ?? 0;
    this.delaySamples = filter?.delaySamples ?? 0;
    this.tailMax = this.outputMax(filter?.delaySourceSamples ?? 0);
    this.#stateBytes = filter === undefined ? 0 : stateHeaderBytes + 2 * (filter.taps - 1);
    this.#state = filter === undefined ? 0 : openState(kernel, filter, this.#stateBytes);
  }

  /** Largest number of output samples for `count` input samples. */
  outputMax(count: number): number {
    return Math.ceil((count * this.targetRate) / this.sourceRate);
  }

  /**
   * Takes `count` samples at `source` and writes their share of the output at `target`, both byte
   * offsets in the kernel's memory that do not overlap. Returns the samples written.
   */
  push(source: number, count: number, target: number): number {
    this.#assertOpen();
    if (this.#state !== 0) return this.#kernel.resample(this.#state, source, count, target);
    this.#kernel.copy(source, count * 2, target);
    return count;
  }

  /**
   * Ends an utterance: writes the tail that the filter still holds, if anything was pushed since the
   * last reset, and resets. Returns the samples written.
   */
  flush(target: number): number {
    this.#assertOpen();
    return this.#state === 0 ? 0 : this.#kernel.flush(this.#state, target);
  }

  /** Forgets all input, as after a clear: nothing of it will be heard. */
  reset(): void {
    this.#assertOpen();
    if (this.#state !== 0) this.#kernel.reset(this.#state);
  }

  /** Gives the state back. May be called twice; everything else fails from then on. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#state !== 0) this.#kernel.release(this.#state, this.#stateBytes);
  }

  // The state may belong to another call by now: using it would be heard there.
  #assertOpen(): void {
    if (!this.#isOpen) throw new GatewayError('CLOSED', 'this resampler is closed');
  }
}

function assertRate(rate: number): void {
  if (isAudioRate(rate)) return;
  throw new GatewayError(
    'UNSUPPORTED_RATE',
    `sample rate ${rate} Hz is not one of ${audioRates.join(', ')}`,
  );
}

function openState(kernel: Kernel, filter: Filter, stateBytes: number): number {
  const placed = placedFilter(kernel, filter);
  const state = kernel.allocate(stateBytes);
  new Int32Array(kernel.bytes.buffer, state, 1)[0] = placed;
  kernel.reset(state);
  return state;
}

function placedFilter(kernel: Kernel, filter: Filter): number {
  let placed = placedFilters.get(kernel);
  if (placed === undefined) {
    placed = new Map();
    placedFilters.set(kernel, placed);
  }
  let offset = placed.get(filter);
  if (offset === undefined) {
    offset = placeFilter(kernel, filter);
    placed.set(filter, offset);
  }
  return offset;
}

function placeFilter(kernel: Kernel, filter: Filter): number {
  const { phases, decimation, taps, form, coefficients, gain } = filter;
  const isHalfBand = form === FilterForm.HalfBand;
  const thinned = coefficients.filter((_, index) => isHalfBand && index % 2 === 0);
  const offset = kernel.allocate(filterHeaderBytes + 2 * (coefficients.length + thinned.length));
  const header = new DataView(kernel.bytes.buffer, offset, filterHeaderBytes);
  header.setInt32(0, taps, true);
  header.setInt32(4, phases, true);
  header.setInt32(8, decimation % phases, true);
  header.setInt32(12, Math.floor(decimation / phases), true);
  header.setInt32(16, form, true);
  header.setInt32(20, Math.round(2 ** reciprocalBits / gain), true);
  const first = (offset + filterHeaderBytes) / 2;
  kernel.samples.set(coefficients, first);
  kernel.samples.set(thinned, first + coefficients.length);
  return offset;
}
