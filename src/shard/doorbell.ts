import { performance } from 'node:perf_hooks';
import type { MessagePort } from 'node:worker_threads';

/**
 * Wakes the thread on the other side of a ring. Rung at most once between two looks of the consumer: the shared word
 * is set by the first ring and cleared when the consumer goes to sleep again.
 */
export class Doorbell {
  readonly #words: Int32Array;
  readonly #word: number;
  readonly #port: MessagePort;

  constructor(words: Int32Array, word: number, port: MessagePort) {
    this.#words = words;
    this.#word = word;
    this.#port = port;
  }

  /** Producer, after publishing. */
  ring(): void {
    if (Atomics.load(this.#words, this.#word) !== 0) return;
    if (Atomics.exchange(this.#words, this.#word, 1) === 0) this.#port.postMessage(null);
  }

  /**
   * Consumer, when it has nothing more to do: from here on the producer rings again. It must look at its ring once
   * more afterwards, since what was published just before did not ring.
   */
  arm(): void {
    Atomics.store(this.#words, this.#word, 0);
  }

  /** Consumer, when it will look again by itself soon and needs no ring until then. */
  silence(): void {
    Atomics.store(this.#words, this.#word, 1);
  }
}

/** Two looks that find something within this time are dense traffic. */
const denseMs = 2;
/** Then the consumer looks by itself so often, until it has found nothing so many times in a row. */
const pollMs = 1;
const emptyPollsMax = 3;

/**
 * The consumer's waiting: looks when the bell rings and, while traffic is dense, by itself once a millisecond with the
 * bell silenced. One wake-up then serves many records, and no ring is paid for, at the price of at most that
 * millisecond.
 */
export class Waiter {
  readonly #bell: Doorbell;
  readonly #look: () => number;
  readonly #waiting: () => boolean;
  #timer: NodeJS.Timeout | undefined;
  #polling = false;
  #stopped = false;
  #emptyPolls = 0;
  /** When a look last found something. */
  #foundAtMs = Number.NEGATIVE_INFINITY;
  /** A look in passing has found something since the last poll. */
  #glanced = false;

  /**
   * @param look handles what is in the ring and answers how many records that were
   * @param waiting says whether the ring holds a record
   */
  constructor(bell: Doorbell, port: MessagePort, look: () => number, waiting: () => boolean) {
    this.#bell = bell;
    this.#look = look;
    this.#waiting = waiting;
    port.on('message', () => this.look());
  }

  /** Looks now, as if the bell had rung. */
  look(): void {
    if (!this.#polling) this.#serve();
  }

  /** Looks in passing, when the thread is awake for another reason. Changes nothing about the bell. */
  glance(): void {
    if (!this.#stopped && this.#waiting()) this.#glanced = this.#look() > 0;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #serve(): void {
    if (this.#stopped) return;
    let isDense = true;
    try {
      isDense = this.#lookDense();
    } finally {
      // Also after a failed look: a consumer that neither polls nor listens would be deaf.
      if (!this.#stopped) this.#rest(isDense);
    }
  }

  #rest(isDense: boolean): void {
    if (!isDense) {
      this.#polling = false;
      this.#bell.arm();
      // What came just before the bell was armed did not ring.
      if (!this.#waiting()) return;
    }
    this.#poll();
  }

  /** Looks, and says whether it is worth looking again soon without being rung. */
  #lookDense(): boolean {
    const nowMs = performance.now();
    const found = this.#look() > 0 || this.#glanced;
    this.#glanced = false;
    const isDense = nowMs - this.#foundAtMs < denseMs;
    if (found) this.#foundAtMs = nowMs;
    this.#emptyPolls = found ? 0 : this.#emptyPolls + 1;
    return this.#polling ? this.#emptyPolls < emptyPollsMax : found && isDense;
  }

  #poll(): void {
    if (!this.#polling) this.#bell.silence();
    this.#polling = true;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#serve(), pollMs);
    else this.#timer.refresh();
  }
}
