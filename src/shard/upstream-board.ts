import { upstreamAddressesMax } from '../limits.js';

/**
 * What all shards know of the upstreams' addresses, in one shared memory: how many calls each has, and whether it is to
 * be left alone. Every word is changed by atomic operations only.
 */

/** What became of an attempt to reach an address, and of calls that had reached it; metric labels. */
export const upstreamEvents = [
  'connected',
  'refused',
  'timeout',
  'busy',
  'early-close',
  'silent',
  'failed-over',
  'lost',
  'resumed',
] as const;
export type UpstreamEvent = (typeof upstreamEvents)[number];

const word = {
  ...{ failures: 0, ejections: 1, ejectedUntilS: 2, unhealthy: 3 },
  /** Counts whose places they were: who remembers an earlier one takes none. */
  generation: 4,
  /** Over all shards. */
  calls: 5,
  events: 6,
} as const;
const headWords = word.events + upstreamEvents.length;

/** Failures in a row after which an address is left alone, and for how long at first and at most. */
const failuresMax = 3;
const ejectedSecondsMin = 5;
const ejectedSecondsMax = 60;
/** An address that comes back gets its share of calls over so long. */
const slowStartSeconds = 10;
const slowStartLeast = 0.1;

/** Bytes to an application and from it, and messages dropped, each written by one shard alone: float64. */
const trafficWords = 3;

/** An address's place on the board, and whose it was when it was given. */
export interface BoardPlace {
  readonly index: number;
  readonly generation: number;
}

export interface Traffic {
  /** Bytes of messages. */
  readonly sent: number;
  readonly received: number;
  /** Messages. */
  readonly dropped: number;
}

/** A view that every thread makes for itself. Times are seconds of `Date.now()`, in 32 bits until 2038. */
export class UpstreamBoard {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #traffic: Float64Array;
  readonly #seats: number;
  readonly #stride: number;

  constructor(seats: number, memory?: SharedArrayBuffer) {
    this.#seats = seats;
    this.#stride = headWords + seats;
    const trafficCount = upstreamAddressesMax * seats * trafficWords;
    const wordCount = upstreamAddressesMax * this.#stride;
    this.memory = memory ?? new SharedArrayBuffer(trafficCount * 8 + wordCount * 4);
    this.#traffic = new Float64Array(this.memory, 0, trafficCount);
    this.#words = new Int32Array(this.memory, trafficCount * 8, wordCount);
  }

  /** A new address: nothing is known of it but its generation. */
  reset(address: number): void {
    const from = address * this.#stride;
    for (let at = from; at < from + this.#stride; at += 1) {
      if (at !== this.#at(address, word.generation)) Atomics.store(this.#words, at, 0);
    }
    const first = address * this.#seats * trafficWords;
    this.#traffic.fill(0, first, first + this.#seats * trafficWords);
  }

  /** Counts what goes to an application. */
  sent(address: number, seat: number, bytes: number): void {
    this.#traffic[(address * this.#seats + seat) * trafficWords]! += bytes;
  }

  received(address: number, seat: number, bytes: number): void {
    this.#traffic[(address * this.#seats + seat) * trafficWords + 1]! += bytes;
  }

  dropped(address: number, seat: number): void {
    this.#traffic[(address * this.#seats + seat) * trafficWords + 2]! += 1;
  }

  traffic(address: number): Traffic {
    let [sent, received, dropped] = [0, 0, 0];
    for (let seat = 0; seat < this.#seats; seat += 1) {
      const at = (address * this.#seats + seat) * trafficWords;
      sent += this.#traffic[at]!;
      received += this.#traffic[at + 1]!;
      dropped += this.#traffic[at + 2]!;
    }
    return { sent, received, dropped };
  }

  calls(address: number): number {
    return Atomics.load(this.#words, this.#at(address, word.calls));
  }

  generation(address: number): number {
    return Atomics.load(this.#words, this.#at(address, word.generation));
  }

  /** From now on nobody takes a place there who does not know of it anew. */
  retire(address: number): void {
    Atomics.add(this.#words, this.#at(address, word.generation), 1);
  }

  /**
   * Takes a place for one call; false if the address has as many as it may, or is not the one that is meant.
   * @param callsMax 0: no bound
   */
  take({ index, generation }: BoardPlace, seat: number, callsMax: number): boolean {
    const at = this.#at(index, word.calls);
    for (;;) {
      const calls = Atomics.load(this.#words, at);
      if (callsMax > 0 && calls >= callsMax) return false;
      if (Atomics.compareExchange(this.#words, at, calls, calls + 1) === calls) break;
    }
    Atomics.add(this.#words, this.#callsAt(index, seat), 1);
    // Counted first and looked at then, and retired the other way round: one of the two sees the other.
    if (this.generation(index) === generation) return true;
    this.release(index, seat);
    return false;
  }

  release(address: number, seat: number): void {
    Atomics.sub(this.#words, this.#callsAt(address, seat), 1);
    Atomics.sub(this.#words, this.#at(address, word.calls), 1);
  }

  /** A thread is gone, or begins: what had been taken in this seat is free. */
  forget(seat: number): void {
    for (let address = 0; address < upstreamAddressesMax; address += 1) {
      const taken = Atomics.exchange(this.#words, this.#callsAt(address, seat), 0);
      if (taken !== 0) Atomics.sub(this.#words, this.#at(address, word.calls), taken);
    }
  }

  /** It speaks: what failed before does not count any more. */
  succeeded(address: number): void {
    Atomics.store(this.#words, this.#at(address, word.failures), 0);
    if (!this.isEjected(address, Date.now())) {
      Atomics.store(this.#words, this.#at(address, word.ejections), 0);
    }
  }

  /** Several in a row, and nobody goes there for a while, longer each time. */
  failed(address: number, nowMs: number): void {
    // Calls that were on their way when it was ejected say nothing new.
    if (this.isEjected(address, nowMs)) return;
    if (Atomics.add(this.#words, this.#at(address, word.failures), 1) + 1 < failuresMax) return;
    Atomics.store(this.#words, this.#at(address, word.failures), 0);
    const times = Atomics.add(this.#words, this.#at(address, word.ejections), 1);
    const seconds = Math.min(ejectedSecondsMax, ejectedSecondsMin * 2 ** Math.min(times, 10));
    const untilS = Math.ceil(nowMs / 1_000) + seconds;
    Atomics.store(this.#words, this.#at(address, word.ejectedUntilS), untilS);
  }

  isEjected(address: number, nowMs: number): boolean {
    return Atomics.load(this.#words, this.#at(address, word.ejectedUntilS)) * 1_000 > nowMs;
  }

  /** Its health check fails. */
  isUnhealthy(address: number): boolean {
    return Atomics.load(this.#words, this.#at(address, word.unhealthy)) === 1;
  }

  /** What a health check found; an address that is well again comes back slowly. */
  setHealth(address: number, isHealthy: boolean, nowMs: number): void {
    const before = Atomics.exchange(
      this.#words,
      this.#at(address, word.unhealthy),
      isHealthy ? 0 : 1,
    );
    if (before === 0 || !isHealthy) return;
    const nowS = Math.floor(nowMs / 1_000);
    Atomics.store(this.#words, this.#at(address, word.ejectedUntilS), nowS);
  }

  /** Share of its usual calls that an address is to get, 0 to 1: less while it comes back. */
  readiness(address: number, nowMs: number): number {
    const sinceS = nowMs / 1_000 - Atomics.load(this.#words, this.#at(address, word.ejectedUntilS));
    return Math.min(1, Math.max(slowStartLeast, sinceS / slowStartSeconds));
  }

  count(address: number, event: UpstreamEvent): void {
    Atomics.add(this.#words, this.#eventAt(address, event), 1);
  }

  events(address: number, event: UpstreamEvent): number {
    return Atomics.load(this.#words, this.#eventAt(address, event));
  }

  #at(address: number, offset: number): number {
    return address * this.#stride + offset;
  }

  #eventAt(address: number, event: UpstreamEvent): number {
    return this.#at(address, word.events + upstreamEvents.indexOf(event));
  }

  #callsAt(address: number, seat: number): number {
    return this.#at(address, headWords + seat);
  }
}
