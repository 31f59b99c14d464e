import type { StampClock } from '../src/shard/clock.js';
import { stage } from '../src/shard/counters.js';
import { observe } from '../src/shard/histogram.js';
import { words } from '../src/shard/layout.js';

/** On average; a reading of the clock costs as much as what is measured, so not for every frame. */
const sampleEvery = 16;

/**
 * Follows one frame in 16 through the shard and notes how long each part of its way took; together they are its whole
 * time since its socket. The last two parts are noted by the front, from the stamp that goes with the answer.
 */
export class StageProbe {
  readonly #clock: StampClock;
  readonly #values: Float64Array;
  readonly #words: Int32Array;
  /** A frame is being followed now. */
  active = false;
  #toNext = sampleEvery;
  /** Of a generator of numbers that need only be uneven: calls whose frames come in turns all get theirs. */
  #seed = 0x2545f491;
  #batchUs = 0;
  #stampUs = 0;
  #beganUs = 0;
  #decodedUs = 0;
  #encodingUs = 0;
  #leftUs = 0;

  constructor(clock: StampClock, values: Float64Array, shared: Int32Array) {
    this.#clock = clock;
    this.#values = values;
    this.#words = shared;
  }

  /** The shard looks at what is there. */
  batch(nowUs: number): void {
    this.#batchUs = nowUs;
  }

  /** A message begins that came to its socket at this time. */
  message(stampUs: number): void {
    this.#toNext -= 1;
    if (this.#toNext > 0) return;
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) | 0;
    this.#toNext = 1 + ((this.#seed >>> 16) % (2 * sampleEvery - 1));
    this.active = true;
    this.#stampUs = stampUs;
    this.#beganUs = this.#clock.nowUs();
    this.#decodedUs = this.#beganUs;
    this.#encodingUs = 0;
    this.#leftUs = 0;
  }

  /** It was no audio. */
  cancel(): void {
    this.active = false;
  }

  decoded(): void {
    this.#decodedUs = this.#clock.nowUs();
  }

  /** The handler plays something. */
  encoding(): void {
    if (this.#encodingUs === 0) this.#encodingUs = this.#clock.nowUs();
  }

  /** The first audio that answers lies in the ring; answers its stamp, 0 for what comes after it. */
  left(): number {
    if (this.#leftUs !== 0) return 0;
    this.#leftUs = this.#clock.nowUs();
    return this.#leftUs;
  }

  /** The handler has returned. */
  end(): void {
    this.active = false;
    const hasAnswered = this.#leftUs !== 0 && this.#encodingUs !== 0;
    const handledUs = hasAnswered ? this.#encodingUs : this.#clock.nowUs();
    // A record may have been published since the shard began to look, and read all the same.
    const lookedUs = later(this.#batchUs, this.#stampUs);
    const published = Atomics.load(this.#words, words.ingressPublished);
    const publishedUs = earlier(later(published, this.#stampUs), lookedUs);
    this.#note('to-ring', this.#stampUs, publishedUs);
    this.#note('ring-in', publishedUs, lookedUs);
    this.#note('queue', lookedUs, this.#beganUs);
    this.#note('decode', this.#beganUs, this.#decodedUs);
    this.#note('handler', this.#decodedUs, handledUs);
    if (hasAnswered) this.#note('encode', this.#encodingUs, this.#leftUs);
  }

  #note(name: keyof typeof stage, fromUs: number, toUs: number): void {
    observe(this.#values, stage[name], Math.max(0, (toUs - fromUs) | 0));
  }
}

/** Stamps are modulo 2^32. */
function later(a: number, b: number): number {
  return ((a - b) | 0) > 0 ? a : b;
}

function earlier(a: number, b: number): number {
  return ((a - b) | 0) < 0 ? a : b;
}
