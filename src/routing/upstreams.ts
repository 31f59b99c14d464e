import type { UpstreamConfig } from '../config/types.js';
import { UpstreamBoard, type UpstreamEvent, upstreamEvents } from '../shard/upstream-board.js';

/** One address of an upstream as the API and the metrics show it. */
export interface AddressView {
  readonly url: string;
  /** `ejected`: it failed several times in a row, and is left alone for a while. */
  readonly state: 'up' | 'ejected';
  readonly calls: number;
  /** Since the start, by what became of the connection. */
  readonly events: Readonly<Record<UpstreamEvent, number>>;
}

export interface UpstreamView {
  readonly name: string;
  readonly protocol: string;
  readonly addresses: readonly AddressView[];
}

/** The upstreams as the front sees them: the shards do the work, and note it on the board. */
export class Upstreams {
  readonly #upstreams: readonly UpstreamConfig[];
  readonly #board: UpstreamBoard;
  readonly #shards: number;

  constructor(upstreams: readonly UpstreamConfig[], shards: number) {
    const count = upstreams.reduce((sum, { addresses }) => sum + addresses.length, 0);
    this.#upstreams = upstreams;
    this.#board = new UpstreamBoard(count, shards);
    this.#shards = shards;
  }

  /** For the shards. */
  get board(): { readonly memory: SharedArrayBuffer; readonly shards: number } {
    return { memory: this.#board.memory, shards: this.#shards };
  }

  views(): readonly UpstreamView[] {
    const nowMs = Date.now();
    let next = 0;
    return this.#upstreams.map(({ name, protocol, addresses }) => ({
      name,
      protocol,
      addresses: addresses.map(({ url }) => {
        const index = next;
        next += 1;
        return {
          url,
          state: this.#board.isEjected(index, nowMs) ? 'ejected' : 'up',
          calls: this.#board.calls(index),
          events: Object.fromEntries(
            upstreamEvents.map((event) => [event, this.#board.events(index, event)]),
          ) as Record<UpstreamEvent, number>,
        };
      }),
    }));
  }
}
