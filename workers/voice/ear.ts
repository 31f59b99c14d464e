import { playoutCatchUpMs } from '../../src/limits.js';
import { observe } from '../../src/shard/histogram.js';
import { voiceTime } from '../../src/shard/voice-counters.js';

/** A shorter pause is the jitter of an echo; a longer one than `playoutCatchUpMs` lies between two things said. */
const underrunMsMin = 20;
/** What begins so soon after the last sound goes on with it. */
const pauseMs = 200;

/** What the caller's ear gets, by our clock: Plivo plays one message after another. */
export class Ear {
  readonly #block: Float64Array;
  /** When all that was sent will have been heard. */
  #heardMs = Number.NEGATIVE_INFINITY;
  /** When the last sound of it will. */
  #soundMs = Number.NEGATIVE_INFINITY;
  #clearMs = Number.NEGATIVE_INFINITY;
  underruns = 0;
  underrunMs = 0;
  bargeIns = 0;
  bargeInMsMax = 0;

  constructor(block: Float64Array) {
    this.#block = block;
  }

  /** Audio that Plivo has not played yet. */
  aheadMs(nowMs: number): number {
    return Math.max(0, this.#heardMs - nowMs);
  }

  /** Audio of this length was sent; true if sound begins with it. */
  sent(nowMs: number, ms: number, isSound: boolean): boolean {
    const pause = nowMs - this.#heardMs;
    if (pause >= underrunMsMin && pause <= playoutCatchUpMs) {
      this.underruns += 1;
      this.underrunMs += pause;
      observe(this.#block, voiceTime.underrun, pause);
    }
    const startMs = Math.max(nowMs, this.#heardMs);
    this.#heardMs = startMs + ms;
    if (!isSound) return false;
    const begins = startMs - this.#soundMs >= pauseMs;
    this.#soundMs = this.#heardMs;
    return begins;
  }

  /** 4 times a second. */
  look(nowMs: number): void {
    const aheadMs = this.aheadMs(nowMs);
    if (aheadMs > 0) observe(this.#block, voiceTime.lead, aheadMs);
  }

  /** Plivo was told to forget all. What comes next begins something new, and no pause before it counts. */
  clear(nowMs: number): void {
    this.#heardMs = Number.NEGATIVE_INFINITY;
    this.#soundMs = Math.min(this.#soundMs, nowMs);
    if (this.#clearMs === Number.NEGATIVE_INFINITY) this.#clearMs = nowMs;
  }

  /** Plivo says that it has; answers after how many milliseconds, or -1 if nobody asked. */
  cleared(nowMs: number): number {
    const ms = nowMs - this.#clearMs;
    if (!Number.isFinite(ms)) return -1;
    this.#clearMs = Number.NEGATIVE_INFINITY;
    this.bargeIns += 1;
    this.bargeInMsMax = Math.max(this.bargeInMsMax, ms);
    observe(this.#block, voiceTime.bargeIn, ms);
    return ms;
  }
}
