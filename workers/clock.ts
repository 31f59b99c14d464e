import { performance } from 'node:perf_hooks';
import type { StampClock } from '../src/shard/clock.js';

/**
 * The shard's time. Within a turn of the loop it stands still, so that one reading serves all records of a batch;
 * outside, in a handler's own timers and promises, it is read afresh.
 */
export class ShardClock {
  readonly #stamps: StampClock;
  #nowMs = 0;
  #causeUs = 0;
  inTurn = false;

  constructor(stamps: StampClock) {
    this.#stamps = stamps;
  }

  /** Begins a turn; answers its stamp. */
  enter(): number {
    this.inTurn = true;
    this.#nowMs = Math.trunc(performance.now());
    this.#causeUs = this.#stamps.nowUs();
    return this.#causeUs;
  }

  leave(): number {
    this.inTurn = false;
    return this.#stamps.nowUs();
  }

  /** What is done next is done because of something that came in at this time. */
  setCause(stampUs: number): void {
    this.#causeUs = stampUs;
  }

  /** Whole milliseconds since the thread began. */
  nowMs(): number {
    return this.inTurn ? this.#nowMs : Math.trunc(performance.now());
  }

  /** Stamp for what is sent now: when its cause came in. */
  causeUs(): number {
    return this.inTurn ? this.#causeUs : this.#stamps.nowUs();
  }
}
