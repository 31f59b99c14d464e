import { bufferedBytesMax, recordsPerBatchMax } from '../limits.js';
import { elapsedUs, type StampClock } from '../shard/clock.js';
import { counter, drop, histogram, stage } from '../shard/counters.js';
import { observe } from '../shard/histogram.js';
import {
  type AnswererBody,
  type EndBody,
  type EndedBody,
  type HangupBody,
  type NoteBody,
  RecordKind,
  type StartedBody,
  type TransferBody,
} from '../shard/record.js';
import type { Shard } from '../shard/shard.js';
import type { Connection, Connections } from './connections.js';

/** What a shard asks of the front besides sending. */
export interface ShardRequests {
  started(connection: Connection, body: StartedBody): void;
  hangup(connection: Connection, body: HangupBody): void;
  close(connection: Connection, body: EndBody): void;
  transfer(connection: Connection, body: TransferBody): void;
  answerer(connection: Connection, body: AnswererBody): void;
  note(connection: Connection, body: NoteBody): void;
  /** The session is over; after it comes nothing more for this connection. */
  ended(connection: Connection, body: EndedBody): void;
  /** The socket could not take a control message: the connection must end. */
  stuck(connection: Connection): void;
}

/** Messages that are sent with one reading of the clock. */
const clockEvery = 8;

/** A ring holds no more batches than this. */
const finishLooksMax = 256;

/** What uWebSockets.js answers to a send. */
const SendOutcome = { Queued: 0, Sent: 1, Dropped: 2 } as const;

/** Empties one shard's egress ring: sends messages, passes the rest on. */
export class Egress {
  readonly #shard: Shard;
  readonly #connections: Connections;
  readonly #requests: ShardRequests;
  readonly #values: Float64Array;
  readonly #clock: StampClock;
  /** When this look began, and the time as it was read last. */
  #lookUs = 0;
  #nowUs = 0;
  /** Views of the outbox by length, so that sending makes no new one. */
  readonly #views: Uint8Array[] = [];

  constructor(
    shard: Shard,
    connections: Connections,
    requests: ShardRequests,
    values: Float64Array,
    clock: StampClock,
  ) {
    this.#shard = shard;
    this.#connections = connections;
    this.#requests = requests;
    this.#values = values;
    this.#clock = clock;
  }

  get waiting(): boolean {
    return this.#shard.open && this.#shard.egress.waiting;
  }

  /** Handles all that was published by a thread that is gone; one that is not may not keep us here for ever. */
  finish(): void {
    for (let looks = 0; looks < finishLooksMax && this.waiting; looks += 1) this.look();
  }

  /** Handles what is there, up to a batch; answers how many records. */
  look(): number {
    if (!this.#shard.open) return 0;
    const { egress } = this.#shard;
    let records = 0;
    while (records < recordsPerBatchMax && egress.next()) {
      records += 1;
      // A reading of the clock serves a few messages: it costs a hundredth of one.
      if (records % clockEvery === 1) this.#nowUs = this.#clock.nowUs();
      if (records === 1) this.#lookUs = this.#nowUs;
      const connection = this.#connections.get(egress.slot, egress.generation);
      if (connection === undefined || connection.shard !== this.#shard) {
        this.#values[counter.staleRecords]! += 1;
      } else if (egress.kind === RecordKind.Audio || egress.kind === RecordKind.Control) {
        this.#send(connection, egress.kind, egress.at, egress.bytes);
      } else {
        this.#request(connection, egress.kind, egress.at, egress.bytes);
      }
    }
    egress.release();
    return records;
  }

  #send(connection: Connection, kind: number, at: number, bytes: number): void {
    const isAudio = kind === RecordKind.Audio;
    const { socket } = connection;
    if (socket === undefined || (connection.blockedSinceMs > 0 && isAudio)) {
      this.#values[drop[socket === undefined ? 'socket-gone' : 'slow-reader']]! += 1;
      return;
    }
    const { outboxAt } = this.#shard.layout;
    this.#shard.views.bytes.copyWithin(outboxAt, at, at + bytes);
    const message = this.#view(bytes);
    if (connection.capture !== undefined) connection.capture.sent(message);
    const outcome = socket.send(message, false, false);
    if (outcome === SendOutcome.Sent) {
      if (isAudio) this.#sent();
      return;
    }
    if (connection.blockedSinceMs === 0) connection.blockedSinceMs = performance.now();
    if (outcome === SendOutcome.Dropped || socket.getBufferedAmount() > bufferedBytesMax) {
      this.#requests.stuck(connection);
    }
  }

  #sent(): void {
    const { stampUs, leftUs } = this.#shard.egress;
    observe(this.#values, histogram.turnaround, elapsedUs(stampUs, this.#nowUs));
    if (leftUs === 0) return;
    // This one is followed on its way: see `stages` in `shard/counters.ts`.
    const lookedUs = leftUs + elapsedUs(leftUs, this.#lookUs);
    observe(this.#values, stage['ring-out'], lookedUs - leftUs);
    observe(this.#values, stage.send, elapsedUs(lookedUs | 0, this.#clock.nowUs()));
  }

  #view(bytes: number): Uint8Array {
    const { memory, layout } = this.#shard;
    this.#views[bytes] ??= new Uint8Array(memory.buffer, layout.outboxAt, bytes);
    return this.#views[bytes];
  }

  #request(connection: Connection, kind: number, at: number, bytes: number): void {
    const text = Buffer.from(this.#shard.memory.buffer, at, bytes).toString('utf8');
    const body = JSON.parse(text) as unknown;
    switch (kind) {
      case RecordKind.Started:
        return this.#requests.started(connection, body as StartedBody);
      case RecordKind.Hangup:
        return this.#requests.hangup(connection, body as HangupBody);
      case RecordKind.Close:
        return this.#requests.close(connection, body as EndBody);
      case RecordKind.Transfer:
        return this.#requests.transfer(connection, body as TransferBody);
      case RecordKind.Answerer:
        return this.#requests.answerer(connection, body as AnswererBody);
      case RecordKind.Note:
        return this.#requests.note(connection, body as NoteBody);
      case RecordKind.Ended:
        return this.#requests.ended(connection, body as EndedBody);
    }
  }
}
