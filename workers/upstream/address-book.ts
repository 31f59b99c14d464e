import type { UpstreamConfig } from '../../src/config/types.js';
import type { AddressPlace } from '../../src/shard/routing.js';
import type { UpstreamBoard, UpstreamEvent } from '../../src/shard/upstream-board.js';

/** What a leg asks of the addresses that it may dial. */
export interface Addresses {
  /** Takes a place at the best one that was not tried yet; undefined if there is none. */
  take(caller: string, tried: ReadonlySet<number>): AddressPlace | undefined;
  release(address: AddressPlace): void;
  count(address: AddressPlace, event: UpstreamEvent): void;
  succeeded(address: AddressPlace): void;
  failed(address: AddressPlace): void;
  sent(address: AddressPlace, bytes: number): void;
  received(address: AddressPlace, bytes: number): void;
  dropped(address: AddressPlace): void;
}

/** One shard's way to the addresses of one upstream: chooses, takes a place, and tells the others how it went. */
export class AddressBook implements Addresses {
  readonly #board: UpstreamBoard;
  readonly #seat: number;
  readonly #upstream: UpstreamConfig;
  #places: readonly AddressPlace[];

  constructor(
    upstream: UpstreamConfig,
    places: readonly AddressPlace[],
    board: UpstreamBoard,
    seat: number,
  ) {
    this.#upstream = upstream;
    this.#places = places;
    this.#board = board;
    this.#seat = seat;
  }

  /** Calls to come go to these. */
  become(places: readonly AddressPlace[]): void {
    this.#places = places;
  }

  /** Ejected and unhealthy ones come last: when all are, one that may work is better than none. */
  take(caller: string, tried: ReadonlySet<number>): AddressPlace | undefined {
    const nowMs = Date.now();
    const left = this.#places.filter(({ index }) => !tried.has(index));
    const isOut = ({ index }: AddressPlace) =>
      this.#board.isEjected(index, nowMs) || this.#board.isUnhealthy(index);
    const groups = [left.filter((one) => !isOut(one)), left.filter(isOut)];
    for (const group of groups) {
      for (const address of this.#ranked(group, caller, nowMs)) {
        if (this.#board.take(address, this.#seat, this.#upstream.callsMax)) return address;
      }
    }
    return undefined;
  }

  sent({ index }: AddressPlace, bytes: number): void {
    this.#board.sent(index, this.#seat, bytes);
  }

  received({ index }: AddressPlace, bytes: number): void {
    this.#board.received(index, this.#seat, bytes);
  }

  dropped({ index }: AddressPlace): void {
    this.#board.dropped(index, this.#seat);
  }

  release({ index }: AddressPlace): void {
    this.#board.release(index, this.#seat);
  }

  count({ index }: AddressPlace, event: UpstreamEvent): void {
    this.#board.count(index, event);
  }

  succeeded({ index }: AddressPlace): void {
    this.#board.succeeded(index);
  }

  failed({ index }: AddressPlace): void {
    this.#board.failed(index, Date.now());
  }

  /** Best first. */
  #ranked(addresses: readonly AddressPlace[], caller: string, nowMs: number): AddressPlace[] {
    const score = this.#score(caller, nowMs);
    const scored = addresses.map((address) => [score(address), address] as const);
    return scored.toSorted(([a], [b]) => a - b).map(([, address]) => address);
  }

  /** The lower, the better. */
  #score(caller: string, nowMs: number): (address: AddressPlace) => number {
    const ready = ({ index, weight }: AddressPlace) => weight * this.#board.readiness(index, nowMs);
    switch (this.#upstream.balance) {
      case 'least-calls':
        // Chance decides between equals: shards that look at the same moment do not all go to the same place.
        return (one) => (this.#board.calls(one.index) + 1 + Math.random() / 1_000) / ready(one);
      case 'weighted':
        // Exponential times with these rates: the first to come is each one with its share.
        return (one) => -Math.log(1 - Math.random()) / ready(one);
      case 'caller':
        // Highest random weight: an address that goes or comes moves its own callers only.
        return (one) =>
          -Math.log(1 - unitHash(`${caller} ${one.url} ${one.ip ?? ''}`)) / one.weight;
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

/** An address of which nothing is known, for one call. */
export class LoneAddress implements Addresses {
  readonly #place: AddressPlace;

  constructor(url: string) {
    this.#place = { url, weight: 1, index: -1, generation: 0 };
  }

  take(_caller: string, tried: ReadonlySet<number>): AddressPlace | undefined {
    return tried.has(this.#place.index) ? undefined : this.#place;
  }

  release(): void {}
  count(): void {}
  succeeded(): void {}
  failed(): void {}
  sent(): void {}
  received(): void {}
  dropped(): void {}
}

type Lookup = (
  host: string,
  options: { readonly all?: boolean | undefined },
  done: (
    error: null,
    found: string | { address: string; family: number }[],
    family?: number,
  ) => void,
) => void;

/** The name of the URL stays what the certificate and the Host header are about. */
export function lookupOf(ip: string): Lookup {
  const family = ip.includes(':') ? 6 : 4;
  return (_host, options, done) => {
    if (options.all === true) done(null, [{ address: ip, family }]);
    else done(null, ip, family);
  };
}
