import { deathsInRowMax, deathsInRowMs, orphanMs } from '../limits.js';
import type { Log } from '../log.js';
import { type AdoptBody, RecordKind } from '../shard/record.js';
import type { Shard, UnreadRecord } from '../shard/shard.js';
import type { Connection } from './connections.js';
import { type Ingress, isMedia } from './ingress.js';

export interface AdoptionEvents {
  /** Another shard goes on with the call. */
  adopted(connection: Connection): void;
  /** The call was in hand when two of its workers died in a row. */
  guilty(connection: Connection): void;
  /** Nobody goes on with the call. */
  abandoned(connection: Connection): void;
}

/** The calls of a shard that died, until another takes its place. */
interface Orphans {
  readonly connections: readonly Connection[];
  readonly unread: readonly UnreadRecord[];
  readonly untilMs: number;
}

/** The last death of the shard of this index. */
interface Death {
  readonly atMs: number;
  readonly inRow: number;
  readonly inHand: Connection | undefined;
}

const encoder = new TextEncoder();

/**
 * Moves the calls of a shard that died to the one that takes its place, each with its `start` message and whatever the
 * dead one had not taken. A call that kills its worker twice does not get a third one, and a shard that dies three times
 * in a row takes its calls with it.
 */
export class Adoption {
  readonly #ingress: Ingress;
  readonly #log: Log;
  readonly #events: AdoptionEvents;
  readonly #deaths = new Map<number, Death>();
  readonly #orphans = new Map<Shard, Orphans>();

  constructor(ingress: Ingress, log: Log, events: AdoptionEvents) {
    this.#ingress = ingress;
    this.#log = log;
    this.#events = events;
  }

  /** A shard is gone, with these connections, all of whose sockets are open. */
  lost(shard: Shard, connections: readonly Connection[], cause: string): void {
    const nowMs = performance.now();
    const before = this.#deaths.get(shard.index);
    const isInRow = before !== undefined && nowMs - before.atMs < deathsInRowMs;
    const inRow = isInRow ? before.inRow + 1 : 1;
    const inHand = connections.find(({ slot }) => slot === shard.slotInHand);
    this.#deaths.set(shard.index, { atMs: nowMs, inRow, inHand });
    this.#log.error(
      { shard: shard.index, cause, calls: connections.length, callIdInHand: inHand?.callId },
      'shard lost',
    );
    const isGuilty = inHand !== undefined && inHand === before?.inHand;
    if (isGuilty) this.#events.guilty(inHand);
    const left = connections.filter((connection) => !(isGuilty && connection === inHand));
    if (inRow >= deathsInRowMax || (inRow > 1 && inHand === undefined)) {
      this.#log.error(
        { shard: shard.index, deaths: inRow },
        'it dies again and again: its calls end',
      );
      for (const connection of left) this.#events.abandoned(connection);
      return;
    }
    // What was on its way to a call that ends has no reader.
    const unread = shard.unread(isControl);
    this.#orphans.set(shard, { connections: left, unread, untilMs: nowMs + orphanMs });
  }

  /** Another shard takes the place of one that was lost. */
  replaced(lost: Shard, by: Shard): void {
    const orphans = this.#orphans.get(lost);
    if (orphans === undefined) return;
    this.#orphans.delete(lost);
    const bySlot = new Map<number, Connection>();
    for (const connection of orphans.connections.filter(isOpen)) {
      if (this.#adopt(connection, by)) bySlot.set(connection.slot, connection);
      else this.#events.abandoned(connection);
    }
    for (const { kind, slot, generation, body } of orphans.unread) {
      const connection = bySlot.get(slot);
      if (connection?.generation !== generation || isRepeated(connection, kind, body)) continue;
      this.#ingress.ahead(connection, kind, body);
    }
    this.#ingress.retry();
    this.#log.warn({ shard: by.index, calls: bySlot.size }, 'shard replaced; its calls go on');
  }

  /** False for a call that has begun to end, or that does not fit. */
  #adopt(connection: Connection, by: Shard): boolean {
    if (connection.endReason !== undefined) return false;
    connection.moveTo(by);
    const { open, startMessage: start, answeredBy, adoptions, firstMessage } = connection;
    const tell = (kind: number, body: Uint8Array) => this.#ingress.ahead(connection, kind, body);
    if (connection.callId === '') {
      if (!tell(RecordKind.Open, bytesOf(open))) return false;
      return firstMessage === undefined || tell(RecordKind.Message, firstMessage);
    }
    const body: AdoptBody = { ...open, start, answeredBy, adoptions };
    if (!tell(RecordKind.Adopt, bytesOf(body))) return false;
    this.#events.adopted(connection);
    return true;
  }

  /** Called several times a second: a call does not wait for ever. */
  look(nowMs: number): void {
    for (const [shard, { connections, untilMs }] of this.#orphans) {
      if (nowMs < untilMs) continue;
      this.#orphans.delete(shard);
      for (const connection of connections.filter(isOpen)) this.#events.abandoned(connection);
    }
  }
}

const bytesOf = (body: object): Uint8Array => encoder.encode(JSON.stringify(body));

const isOpen = ({ socket }: Connection): boolean => socket !== undefined;

const isControl = (kind: number, body: Buffer): boolean => {
  if (kind === RecordKind.Message || kind === RecordKind.BinaryMessage) return !isMedia(body);
  return kind !== RecordKind.Drain;
};

/** It has been told anew already. */
function isRepeated(connection: Connection, kind: number, body: Uint8Array): boolean {
  if (kind === RecordKind.Open || kind === RecordKind.Adopt) return true;
  const { firstMessage, callId } = connection;
  if (kind !== RecordKind.Message || callId !== '' || firstMessage === undefined) return false;
  return Buffer.compare(firstMessage, body) === 0;
}
