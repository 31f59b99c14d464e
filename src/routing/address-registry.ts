import { upstreamAddressesMax } from '../limits.js';
import type { AddressPlace } from '../shard/routing.js';
import { type UpstreamBoard, type UpstreamEvent, upstreamEvents } from '../shard/upstream-board.js';

/** An address with a place on the board. */
export interface Registered {
  readonly upstream: string;
  readonly place: AddressPlace;
  /** Calls are led to it; otherwise it keeps its place until its last call has ended. */
  isCurrent: boolean;
  /** Who still knows of it from before takes no place there. */
  isRetired: boolean;
}

/** What the addresses of one upstream have counted together, those that are gone included. */
export interface Totals {
  readonly events: Record<UpstreamEvent, number>;
  bytesSent: number;
  bytesReceived: number;
  dropped: number;
}

export function noTotals(): Totals {
  const events = Object.fromEntries(upstreamEvents.map((event) => [event, 0]));
  return { events: events as Totals['events'], bytesSent: 0, bytesReceived: 0, dropped: 0 };
}

/** Gives addresses their places on the board, the same one as long as they are there. */
export class AddressRegistry {
  readonly #board: UpstreamBoard;
  readonly #byKey = new Map<string, Registered>();
  readonly #free = Array.from(
    { length: upstreamAddressesMax },
    (_, i) => upstreamAddressesMax - 1 - i,
  );
  readonly #gone = new Map<string, Totals>();

  constructor(board: UpstreamBoard) {
    this.#board = board;
  }

  [Symbol.iterator](): Iterator<Registered> {
    return this.#byKey.values();
  }

  /** The place of an address; undefined if the board is full. */
  place(
    upstream: string,
    address: Pick<AddressPlace, 'url' | 'weight' | 'ip'>,
  ): AddressPlace | undefined {
    const { url, weight, ip } = address;
    const key = [upstream, url, ip ?? ''].join('\n');
    const known = this.#byKey.get(key);
    const index = known?.place.index ?? this.#free.pop();
    if (index === undefined) return undefined;
    if (known === undefined) this.#board.reset(index);
    const generation = this.#board.generation(index);
    const place = { url, weight, ...(ip !== undefined && { ip }), index, generation };
    const isCurrent = known?.isCurrent ?? false;
    this.#byKey.set(key, { upstream, place, isCurrent, isRetired: false });
    return place;
  }

  /**
   * Only the first are current, and besides them the second are kept. Others take no calls any more, and are forgotten
   * with their last one.
   * @returns places that are free now
   */
  keep(current: readonly AddressPlace[], prepared: readonly AddressPlace[]): number[] {
    const inUse = new Set(current.map(({ index }) => index));
    const waiting = new Set(prepared.map(({ index }) => index));
    const freed: number[] = [];
    for (const [key, registered] of this.#byKey) {
      const { index } = registered.place;
      registered.isCurrent = inUse.has(index);
      if (registered.isCurrent || waiting.has(index)) continue;
      if (!registered.isRetired) this.#board.retire(index);
      registered.isRetired = true;
      if (this.#board.calls(index) > 0) continue;
      this.#byKey.delete(key);
      this.#free.push(index);
      freed.push(index);
      this.#add(this.#totalsOfGone(registered.upstream), index);
    }
    return freed;
  }

  totals(upstream: string): Totals {
    const sum = noTotals();
    const gone = this.#gone.get(upstream);
    if (gone !== undefined) {
      Object.assign(sum.events, gone.events);
      sum.bytesSent = gone.bytesSent;
      sum.bytesReceived = gone.bytesReceived;
      sum.dropped = gone.dropped;
    }
    for (const one of this.#byKey.values()) {
      if (one.upstream === upstream) this.#add(sum, one.place.index);
    }
    return sum;
  }

  #totalsOfGone(upstream: string): Totals {
    const totals = this.#gone.get(upstream) ?? noTotals();
    this.#gone.set(upstream, totals);
    return totals;
  }

  #add(totals: Totals, index: number): void {
    for (const event of upstreamEvents) totals.events[event] += this.#board.events(index, event);
    const { sent, received, dropped } = this.#board.traffic(index);
    totals.bytesSent += sent;
    totals.bytesReceived += received;
    totals.dropped += dropped;
  }
}
