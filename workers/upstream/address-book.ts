import type { UpstreamConfig } from '../../src/config/types.js';
import type { UpstreamBoard, UpstreamEvent } from '../../src/shard/upstream-board.js';

/** An address that a call has taken. */
export interface Address {
  readonly url: string;
  readonly index: number;
  readonly weight: number;
}

/** One shard's way to the addresses of one upstream: chooses, takes a place, and tells the others how it went. */
export class AddressBook {
  readonly #board: UpstreamBoard;
  readonly #shard: number;
  readonly #upstream: UpstreamConfig;
  readonly #addresses: readonly Address[];

  /** `first`: index of its first address among those of all upstreams. */
  constructor(upstream: UpstreamConfig, first: number, board: UpstreamBoard, shard: number) {
    this.#upstream = upstream;
    this.#board = board;
    this.#shard = shard;
    this.#addresses = upstream.addresses.map((address, i) => ({ ...address, index: first + i }));
  }

  /**
   * Takes a place at the best address that was not tried yet; undefined if there is none. Ejected ones come last: when
   * all are, one that may work is better than none.
   */
  take(caller: string, tried: ReadonlySet<number>): Address | undefined {
    const nowMs = Date.now();
    const left = this.#addresses.filter(({ index }) => !tried.has(index));
    const isEjected = ({ index }: Address) => this.#board.isEjected(index, nowMs);
    const groups = [left.filter((one) => !isEjected(one)), left.filter(isEjected)];
    for (const group of groups) {
      for (const address of this.#ranked(group, caller, nowMs)) {
        if (this.#board.take(address.index, this.#shard, this.#upstream.callsMax)) return address;
      }
    }
    return undefined;
  }

  release({ index }: Address): void {
    this.#board.release(index, this.#shard);
  }

  count({ index }: Address, event: UpstreamEvent): void {
    this.#board.count(index, event);
  }

  succeeded({ index }: Address): void {
    this.#board.succeeded(index);
  }

  failed({ index }: Address): void {
    this.#board.failed(index, Date.now());
  }

  /** Best first. */
  #ranked(addresses: readonly Address[], caller: string, nowMs: number): Address[] {
    const score = this.#score(caller, nowMs);
    const scored = addresses.map((address) => [score(address), address] as const);
    return scored.toSorted(([a], [b]) => a - b).map(([, address]) => address);
  }

  /** The lower, the better. */
  #score(caller: string, nowMs: number): (address: Address) => number {
    const ready = ({ index, weight }: Address) => weight * this.#board.readiness(index, nowMs);
    switch (this.#upstream.balance) {
      case 'least-calls':
        // Chance decides between equals: shards that look at the same moment do not all go to the same place.
        return (one) => (this.#board.calls(one.index) + 1 + Math.random() / 1_000) / ready(one);
      case 'weighted':
        // Exponential times with these rates: the first to come is each one with its share.
        return (one) => -Math.log(1 - Math.random()) / ready(one);
      case 'caller':
        // Highest random weight: an address that goes or comes moves its own callers only.
        return (one) => -Math.log(1 - unitHash(`${caller} ${one.url}`)) / one.weight;
    }
  }
}

/** FNV-1a with a last mix, as a number from 0 up to 1. */
function unitHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
