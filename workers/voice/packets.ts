import { observe } from '../../src/shard/histogram.js';
import { voiceCounter, voiceTime } from '../../src/shard/voice-counters.js';

/** A pause is one above three packets of the usual length. */
const gapUs = 60_000;
/** RFC 3550, section 6.4.1: how much of a new difference counts. */
const jitterShare = 1 / 16;
const jitterEvery = 64;
/** A greater step of the number is another way of counting, not loss. */
const lossMax = 1_000;

/** When the packets of one caller came, and which did not. */
export class Packets {
  readonly #block: Float64Array;
  #count = 0;
  #lastUs = 0;
  #durationUs = 0;
  #nextChunk = -1;
  /** Microseconds. */
  #jitterUs = 0;
  #longestGapUs = 0;
  lost = 0;
  reordered = 0;

  constructor(block: Float64Array) {
    this.#block = block;
  }

  get jitterMs(): number {
    return this.#jitterUs / 1_000;
  }

  get longestGapMs(): number {
    return this.#longestGapUs / 1_000;
  }

  /** `chunk`: the number that Plivo gave it, or -1. */
  arrived(stampUs: number, durationUs: number, chunk: number): void {
    if (this.#count > 0) this.#after(Math.max(0, (stampUs - this.#lastUs) | 0));
    this.#count += 1;
    this.#lastUs = stampUs;
    this.#durationUs = durationUs;
    if (chunk !== this.#nextChunk && chunk >= 0 && this.#nextChunk >= 0) this.#jumped(chunk);
    if (chunk >= this.#nextChunk) this.#nextChunk = chunk + 1;
  }

  #after(pauseUs: number): void {
    this.#jitterUs += (Math.abs(pauseUs - this.#durationUs) - this.#jitterUs) * jitterShare;
    if (this.#count % jitterEvery === 0) {
      observe(this.#block, voiceTime.jitter, this.#jitterUs / 1_000);
    }
    if (pauseUs > this.#longestGapUs) this.#longestGapUs = pauseUs;
    if (pauseUs > gapUs) observe(this.#block, voiceTime.gap, pauseUs / 1_000);
  }

  #jumped(chunk: number): void {
    const step = chunk - this.#nextChunk;
    if (Math.abs(step) > lossMax) {
      this.#nextChunk = chunk;
    } else if (step > 0) {
      this.lost += step;
      this.#block[voiceCounter.lost]! += step;
    } else {
      this.reordered += 1;
      this.#block[voiceCounter.reordered]! += 1;
    }
  }
}
