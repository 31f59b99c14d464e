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

/** Looks in one turn of the event loop. */
const looksMax = 8;

/**
 * The consumer's waiting: looks when the bell rings and, while traffic is dense, by itself once a millisecond with the
 * bell silenced. One wake-up then serves many records, at the price of at most that millisecond.
 */
export class Waiter {
  readonly #bell: Doorbell;
  readonly #look: () => number;
  readonly #waiting: () => boolean;
  readonly #denseRecords: number;
  #timer: NodeJS.Timeout | undefined;
  #polling = false;
  #stopped = false;

  /**
   * @param look handles what is in the ring and answers how many records that were
   * @param waiting says whether the ring holds a record
   * @param denseRecords so many records in one look are dense traffic
   */
  constructor(
    bell: Doorbell,
    port: MessagePort,
    look: () => number,
    waiting: () => boolean,
    denseRecords: number,
  ) {
    this.#bell = bell;
    this.#look = look;
    this.#waiting = waiting;
    this.#denseRecords = denseRecords;
    port.on('message', () => this.look());
  }

  /** Looks now, as if the bell had rung. */
  look(): void {
    if (!this.#polling) this.#serve();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #serve(): void {
    if (this.#stopped) return;
    for (let looks = 0; looks < looksMax; looks += 1) {
      const records = this.#look();
      if (this.#stopped) return;
      if (records >= this.#denseRecords) {
        this.#poll();
        return;
      }
      this.#polling = false;
      this.#bell.arm();
      if (!this.#waiting()) return;
      this.#bell.silence();
    }
    // Records keep coming: the thread's timers and promises get their turn before the next look.
    this.#polling = true;
    setImmediate(() => this.#serve());
  }

  #poll(): void {
    this.#polling = true;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#serve(), 1);
    else this.#timer.refresh();
  }
}
