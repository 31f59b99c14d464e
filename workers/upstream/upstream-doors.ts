import { readFileSync } from 'node:fs';
import type { WebSocket } from 'ws';
import type { UpstreamConfig } from '../../src/config/types.js';
import type { AddressPlace, Routing } from '../../src/shard/routing.js';
import type { ShardStart } from '../../src/shard/shard.js';
import { UpstreamBoard } from '../../src/shard/upstream-board.js';
import { AddressBook, LoneAddress } from './address-book.js';
import type { UpstreamParts } from './upstream-call.js';

/** A shard's ways to the applications of one revision of the routes. */
export class UpstreamDoors {
  readonly #open: typeof WebSocket;
  readonly #parts = new Map<string, UpstreamParts & { readonly book: AddressBook }>();

  constructor(routing: Routing, open: typeof WebSocket, board: UpstreamBoard, seat: number) {
    this.#open = open;
    for (const upstream of routing.upstreams) {
      const book = new AddressBook(upstream, upstream.places, board, seat);
      const ca = upstream.caFile === undefined ? undefined : readFileSync(upstream.caFile);
      this.#parts.set(upstream.name, { upstream, book, open, ca });
    }
  }

  get(name: string): UpstreamParts | undefined {
    return this.#parts.get(name);
  }

  /** To an address that is in no configuration. */
  lone(upstream: UpstreamConfig, url: string): UpstreamParts {
    return { upstream, book: new LoneAddress(url), open: this.#open, ca: undefined };
  }

  places(name: string, places: readonly AddressPlace[]): void {
    this.#parts.get(name)?.book.become(places);
  }
}

/**
 * Makes the doors of a shard. The WebSocket client is loaded only if it is needed: a thread imports nothing but our code
 * before its task begins.
 */
export function doorOpener({ seat, options }: ShardStart) {
  const { memory, seats } = options.upstreamBoard;
  const board = new UpstreamBoard(seats, memory);
  board.forget(seat);
  return async (routing: Routing): Promise<UpstreamDoors> => {
    const { WebSocket: Socket } = needsSockets(routing)
      ? await import('ws')
      : { WebSocket: undefined as unknown as typeof WebSocket };
    return new UpstreamDoors(routing, Socket, board, seat);
  };
}

function needsSockets({ upstreams, routes }: Routing): boolean {
  return upstreams.length > 0 || routes.some(({ handler }) => handler.kind === 'lookup');
}
