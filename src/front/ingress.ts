import { setImmediate } from 'node:timers';
import { orphanMessagesMax } from '../limits.js';
import type { StampClock } from '../shard/clock.js';
import { drop } from '../shard/counters.js';
import { words } from '../shard/layout.js';
import { RecordKind } from '../shard/record.js';
import type { Shard } from '../shard/shard.js';
import type { Connection } from './connections.js';

const payloadMark = Buffer.from('"payload"');

/** Audio may be dropped, all else may not. Looks inside only where there is trouble. */
export function isMedia(message: Buffer): boolean {
  return message.includes(payloadMark);
}

const encoder = new TextEncoder();

interface Kept {
  readonly connection: Connection;
  readonly kind: number;
  readonly body: Uint8Array;
}

/**
 * Copies what the sockets bring into the shards' ingress rings and publishes it once per turn of the event loop.
 */
export class Ingress {
  readonly #values: Float64Array;
  readonly #clock: StampClock;
  readonly #turned: () => void;
  /** Shards written to in this turn. */
  readonly #dirty: Shard[] = [];
  /** Ends of connections that found no room; they are never lost. */
  #kept: Kept[] = [];
  #stampUs = 0;
  #publishAsked = false;

  /** `turned` is called at the end of each turn that brought something. */
  constructor(values: Float64Array, clock: StampClock, turned: () => void) {
    this.#turned = turned;
    this.#values = values;
    this.#clock = clock;
  }

  /** One WebSocket message. False when not even the room kept for control messages is left. */
  message(connection: Connection, message: ArrayBuffer, isBinary: boolean): boolean {
    const body = new Uint8Array(message);
    const kind = isBinary ? RecordKind.BinaryMessage : RecordKind.Message;
    if (this.#push(connection, kind, body, false)) return true;
    if (isMedia(Buffer.from(message))) {
      this.#values[drop['ingress-full']]! += 1;
      return true;
    }
    if (connection.shard.open) return this.#push(connection, kind, body, true);
    // Its shard is gone, and the next one is on its way.
    if (this.#keptOf(connection) >= orphanMessagesMax) return false;
    this.#kept.push({ connection, kind, body: body.slice() });
    return true;
  }

  #keptOf(connection: Connection): number {
    return this.#kept.filter((kept) => kept.connection === connection).length;
  }

  /** A step in a connection's life; false when there is no room, or others still wait for it. */
  life(connection: Connection, kind: number, body: object): boolean {
    if (this.#kept.some((kept) => kept.connection.shard === connection.shard)) return false;
    return this.#push(connection, kind, encoder.encode(JSON.stringify(body)), true);
  }

  /** The same, kept and tried again until there is room. */
  lifeSurely(connection: Connection, kind: number, body: object): void {
    this.surely(connection, kind, encoder.encode(JSON.stringify(body)));
  }

  /** Goes before all that is kept; false when there is no room. */
  ahead(connection: Connection, kind: number, body: Uint8Array): boolean {
    return this.#push(connection, kind, body, true);
  }

  surely(connection: Connection, kind: number, body: Uint8Array): void {
    if (this.#kept.length > 0 || !this.#push(connection, kind, body, true)) {
      this.#kept.push({ connection, kind, body });
    }
  }

  /** Tries again what found no room before. */
  retry(): void {
    const full = new Set<Shard>();
    this.#kept = this.#kept.filter(({ connection, kind, body }) => {
      if (connection.isReleased) return false;
      if (!full.has(connection.shard) && this.#push(connection, kind, body, true)) return false;
      full.add(connection.shard);
      return true;
    });
  }

  #push(
    { shard, slot, generation }: Connection,
    kind: number,
    body: Uint8Array,
    control: boolean,
  ): boolean {
    if (!shard.open) return false;
    const { ingress } = shard;
    const wasClean = !ingress.unpublished;
    if (!this.#publishAsked) this.#askPublish();
    if (!ingress.push(kind, slot, generation, body, this.#stampUs, control)) return false;
    if (wasClean) this.#dirty.push(shard);
    return true;
  }

  /** One reading of the clock and one publication serve all messages of a turn. */
  #askPublish(): void {
    this.#publishAsked = true;
    this.#stampUs = this.#clock.nowUs();
    setImmediate(this.#publish);
  }

  readonly #publish = (): void => {
    this.#publishAsked = false;
    const nowUs = this.#clock.nowUs();
    for (const shard of this.#dirty) {
      if (!shard.open) continue;
      Atomics.store(shard.views.words, words.ingressPublished, nowUs);
      if (shard.ingress.publish()) shard.ingressBell.ring();
    }
    this.#dirty.length = 0;
    this.#turned();
  };
}
