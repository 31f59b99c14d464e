import type { WebSocket } from 'uWebSockets.js';
import type { EndReason } from '../errors.js';
import { pingIntervalMs, pongLateMs, slowReaderMs, startTimeoutMs } from '../limits.js';
import type { CallNumbers } from '../shard/call-board.js';
import type { AnswererBody, CallFacts, EndedBody, OpenBody, StartedBody } from '../shard/record.js';
import type { Shard } from '../shard/shard.js';
import type { Capture } from './capture.js';

/** The shard sees to the deadline of `start`; this is for one that does not run. */
const unstartedMs = startTimeoutMs + 2_000;

/** uWebSockets.js copies the members of what a socket is given, so that it gets one member. */
export interface SocketData {
  readonly connection: Connection;
}

/** One WebSocket at the front, from the upgrade to its close. */
export class Connection {
  readonly slot: number;
  readonly generation: number;
  /** Another one after the death of the first. */
  shard: Shard;
  readonly route: string;
  /** What its shard was told at its beginning. */
  readonly open: OpenBody;
  readonly openedMs = performance.now();
  /**
   * Undefined until the upgrade is done, and again once the socket is closed. The connection keeps its slot until the
   * shard has answered that.
   */
  socket: WebSocket<SocketData> | undefined = undefined;
  /** Auth ID of the account whose call it is, if its admission told; otherwise from `start`. */
  accountId = '';
  /** By which credential it came in. */
  admittedBy = '';
  /** When the token that admitted it was made; 0 without one. */
  tokenIssuedMs = 0;
  /** From `start`; empty before. */
  callId = '';
  streamId = '';
  /** Name of the route whose handler speaks with the caller now. */
  answeredBy: string;
  /** Name of the upstream that took the call, and its address; empty without one. */
  upstream = '';
  address = '';
  /** Takes a copy of each message, if somebody has asked for it. */
  capture: Capture | undefined = undefined;
  /** The `start` message as it came, and before it is known whatever came first: what another worker needs. */
  startMessage = '';
  firstMessage: Uint8Array | undefined = undefined;
  /** How often another shard went on with the call, and the media messages that those before counted. */
  adoptions = 0;
  readonly mediaBefore = { in: 0, out: 0 };
  startedAt = 0;
  /** Its slot is another's: nothing is for it any more. */
  isReleased = false;
  /** The first reason stands. */
  endReason: EndReason | undefined = undefined;
  /** WebSocket close code as it was seen here; 0 before, or if there was none. */
  closeCode = 0;
  /** `performance.now()` at which we close the socket if Plivo has not; Infinity when nothing is due. */
  closeAtMs = Number.POSITIVE_INFINITY;
  /** The hang-up queue has it, and has not settled it. */
  hangupAsked = false;
  /** A webhook of Plivo's said that the call, or its stream, ended as it should. */
  endedAtPlivo = false;
  /** When the last ping left, and whether its pong is still to come. */
  pingedAtMs = Number.NEGATIVE_INFINITY;
  pongDue = false;
  /** The far side has answered a ping before: only then does a late pong mean anything. */
  answersPings = false;
  /** Since when the socket does not take, or the far side does not read, what is sent; 0 when they do. */
  blockedSinceMs = 0;

  constructor(slot: number, generation: number, shard: Shard, route: string, open: OpenBody) {
    this.slot = slot;
    this.generation = generation;
    this.shard = shard;
    this.route = route;
    this.answeredBy = route;
    this.open = open;
  }

  get facts(): CallFacts {
    return this.open.facts;
  }

  /** Its shard is gone, and had counted this. */
  countBefore({ mediaIn, mediaOut }: CallNumbers): void {
    this.mediaBefore.in += mediaIn;
    this.mediaBefore.out += mediaOut;
  }

  /** Its `start` has arrived. */
  starts({ callId, streamId, accountId, message }: StartedBody): void {
    this.callId = callId;
    this.streamId = streamId;
    this.accountId ||= accountId;
    this.startMessage = message;
    this.firstMessage = undefined;
    this.startedAt = Date.now();
  }

  /** Somebody else speaks with the caller. */
  answerer(body: AnswererBody): void {
    if (body.what === 'moved') {
      this.answeredBy = body.route;
      this.upstream = '';
      this.address = '';
    } else if (body.url !== undefined) {
      this.upstream = body.upstream;
      this.address = body.url;
    }
  }

  /** Its stream has begun, and nobody has ended it. */
  get isGoingOn(): boolean {
    return this.callId !== '' && this.socket !== undefined && this.endReason === undefined;
  }

  /** Another shard goes on with it. */
  moveTo(shard: Shard): void {
    this.shard.calls -= 1;
    this.shard = shard;
    shard.calls += 1;
    this.adoptions += 1;
  }

  /**
   * Pings when it is time, and answers whether a pong is late. Kernel buffers swallow minutes of audio before a send
   * says anything; the pong comes behind all of it.
   */
  ping(nowMs: number): boolean {
    if (this.pongDue) return this.answersPings && nowMs - this.pingedAtMs > pongLateMs;
    if (nowMs - this.pingedAtMs >= pingIntervalMs) {
      this.pingedAtMs = nowMs;
      this.pongDue = true;
      this.socket?.ping();
    }
    return false;
  }

  /** Why it has to end now, if it has to. */
  due(nowMs: number): EndReason | undefined {
    const blockedMs = this.blockedSinceMs > 0 ? nowMs - this.blockedSinceMs : 0;
    if (blockedMs > slowReaderMs) return 'slow-reader';
    if (this.callId === '' && nowMs - this.openedMs > unstartedMs) return 'no-start';
    return nowMs >= this.closeAtMs ? this.endReason : undefined;
  }

  /** What came of it, over all its shards; undefined where none could tell. */
  whole(body: EndedBody | undefined): EndedBody | undefined {
    if (this.adoptions === 0) return body;
    const { mediaIn = 0, mediaOut = 0, ...rest } = body ?? { drops: {} };
    const { mediaBefore } = this;
    return { ...rest, mediaIn: mediaIn + mediaBefore.in, mediaOut: mediaOut + mediaBefore.out };
  }

  /** Notes why the connection ends; false if that was already known. */
  ends(reason: EndReason): boolean {
    if (this.endReason !== undefined) return false;
    this.endReason = reason;
    return true;
  }
}

/** Slots with generations: a record that names a reused slot's earlier generation finds nothing. */
export class Connections {
  readonly #bySlot: (Connection | undefined)[];
  readonly #generations: Int32Array;
  readonly #free: number[] = [];
  readonly #byCallId = new Map<string, Connection>();
  #count = 0;

  constructor(slots: number) {
    this.#bySlot = new Array<Connection | undefined>(slots).fill(undefined);
    this.#generations = new Int32Array(slots);
    for (let slot = slots - 1; slot >= 0; slot -= 1) this.#free.push(slot);
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#free.length === 0;
  }

  /** Takes a slot; there must be one. */
  open(shard: Shard, route: string, open: OpenBody): Connection {
    const slot = this.#free.pop()!;
    const generation = (this.#generations[slot]! + 1) | 0;
    this.#generations[slot] = generation;
    const connection = new Connection(slot, generation, shard, route, open);
    this.#bySlot[slot] = connection;
    this.#count += 1;
    shard.calls += 1;
    return connection;
  }

  get(slot: number, generation: number): Connection | undefined {
    const connection = this.#bySlot[slot];
    return connection?.generation === generation ? connection : undefined;
  }

  /** Makes a connection findable by its call; answers another connection that held the same call. */
  name(connection: Connection): Connection | undefined {
    const before = this.#byCallId.get(connection.callId);
    this.#byCallId.set(connection.callId, connection);
    return before === connection ? undefined : before;
  }

  byCallId(callId: string): Connection | undefined {
    return this.#byCallId.get(callId);
  }

  release(connection: Connection): void {
    if (this.#bySlot[connection.slot] !== connection) return;
    this.#bySlot[connection.slot] = undefined;
    connection.isReleased = true;
    this.#free.push(connection.slot);
    this.#count -= 1;
    connection.shard.calls -= 1;
    if (this.#byCallId.get(connection.callId) === connection) {
      this.#byCallId.delete(connection.callId);
    }
  }

  *[Symbol.iterator](): Generator<Connection> {
    for (const connection of this.#bySlot) if (connection !== undefined) yield connection;
  }
}
