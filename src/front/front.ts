import { closeCode, closedReason, type EndReason } from '../errors.js';
import { closeAfterHangupMs, closeUnsettledMs, egressLookMs, messageBytesMax } from '../limits.js';
import { place } from '../pool/placement.js';
import { Waiter } from '../shard/doorbell.js';
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
import type { Admission, AdmissionState } from './admission.js';
import { Adoption } from './adoption.js';
import { type Connection, Connections } from './connections.js';
import { Egress, type ShardRequests } from './egress.js';
import { FrontLoad } from './front-load.js';
import type { FrontEvents, FrontOptions } from './front-parts.js';
import { Ingress } from './ingress.js';
import type { SocketEvents } from './server.js';
import type { UpgradeRequest } from './upgrade-check.js';

/**
 * Between sockets and shards: knows which connection is whose, moves their bytes, and closes them. Looks into no
 * message.
 */
export class Front implements SocketEvents, ShardRequests {
  readonly connections: Connections;
  readonly #options: FrontOptions;
  readonly #events: FrontEvents;
  readonly #ingress: Ingress;
  readonly #egress = new Map<Shard, { readonly egress: Egress; readonly waiter: Waiter }>();
  readonly #adoption: Adoption;
  readonly #load: FrontLoad;
  readonly #sweeper: NodeJS.Timeout;
  draining = false;
  /** Connections whose `start` has arrived. */
  calls = 0;

  constructor(options: FrontOptions, events: FrontEvents) {
    this.#options = options;
    this.#events = events;
    this.connections = new Connections(options.slots);
    this.#ingress = new Ingress(options.values, options.clock, () => this.#glance());
    this.#adoption = new Adoption(this.#ingress, options.log, {
      adopted: (connection) => events.adopted(connection),
      guilty: (connection) => this.#cut(connection, 'handler-error'),
      abandoned: (connection) => this.#cut(connection, 'shard-lost'),
    });
    this.#load = new FrontLoad(options.values, options.giveUp);
    this.#sweeper = setInterval(() => this.#sweep(), egressLookMs);
  }

  // ---- sockets -------------------------------------------------------------------------------------------------

  admit(request: UpgradeRequest): Admission {
    const admission = this.#options.admissions.admit(request, this.admissionState);
    if (admission.admitted) this.#events.admitted(admission.by);
    else this.#events.refused(admission.refusal);
    return admission;
  }

  get admissionState(): AdmissionState {
    const { routing, shards, callsPerShard, slots } = this.#options;
    return {
      draining: this.draining,
      shardReady: place(shards(), callsPerShard) !== undefined,
      routes: routing().routes,
      connections: this.connections.count,
      slots,
    };
  }

  connect(admission: Extract<Admission, { admitted: true }>): Connection | undefined {
    const { route, facts, by, accountId, issuedMs } = admission;
    const { routing, shards, callsPerShard } = this.#options;
    const { revision, routes } = routing();
    const shard = place(shards(), callsPerShard);
    if (shard === undefined) return undefined;
    const open = { revision, route, facts };
    const connection = this.connections.open(shard, routes[route]!.name, open);
    connection.accountId = accountId;
    connection.admittedBy = by;
    connection.tokenIssuedMs = issuedMs;
    if (this.#ingress.life(connection, RecordKind.Open, open)) return connection;
    this.connections.release(connection);
    return undefined;
  }

  message(connection: Connection, message: ArrayBuffer, isBinary: boolean): void {
    if (message.byteLength > messageBytesMax) return this.#end(connection, 'message-too-large');
    if (connection.capture !== undefined) {
      connection.capture.arrived(new Uint8Array(message), isBinary);
    }
    if (connection.callId === '') connection.firstMessage ??= new Uint8Array(message.slice(0));
    if (!this.#ingress.message(connection, message, isBinary)) {
      this.#hangUpAndEnd(connection, 'shard-overrun');
    }
  }

  writable(connection: Connection): void {
    const mayRead = !(connection.pongDue && connection.answersPings);
    if (mayRead && connection.socket?.getBufferedAmount() === 0) connection.blockedSinceMs = 0;
  }

  pong(connection: Connection): void {
    connection.pongDue = false;
    connection.answersPings = true;
    this.writable(connection);
  }

  closed(connection: Connection, code: number): void {
    const usual = connection.endedAtPlivo ? 'stream-closed' : closedReason(code);
    const reason = connection.endReason ?? usual;
    connection.ends(reason);
    connection.closeCode = code;
    connection.capture?.end('call-ended');
    // Nothing more will be heard: a hang-up that waited for the last word is due now.
    if (connection.hangupAsked) this.#events.hangup(connection, reason, 0);
    if (connection.shard.open) {
      this.#ingress.lifeSurely(connection, RecordKind.Closed, { reason, code });
    } else this.ended(connection);
  }

  // ---- shards --------------------------------------------------------------------------------------------------

  shardOpened(shard: Shard): void {
    const { values, clock } = this.#options;
    const egress = new Egress(shard, this.connections, this, values, clock);
    const waiter = new Waiter(
      shard.egressBell,
      shard.port,
      () => egress.look(),
      () => egress.waiting,
    );
    this.#egress.set(shard, { egress, waiter });
    waiter.look();
  }

  /** The thread is gone, or about to go: what it published is still sent, and then nothing more of it is looked at. */
  shardLost(shard: Shard, cause: string): void {
    const known = this.#egress.get(shard);
    known?.waiter.stop();
    known?.egress.finish();
    this.#egress.delete(shard);
    shard.close();
    const mine = [...this.connections].filter((connection) => connection.shard === shard);
    for (const connection of mine) {
      connection.countBefore(this.#options.callBoard.read(connection.slot));
      if (connection.socket === undefined) this.ended(connection);
      // What it still had to say is lost.
      else if (connection.endReason !== undefined) this.#cut(connection, 'shard-lost');
    }
    const left = mine.filter(({ socket }) => socket !== undefined);
    this.#adoption.lost(shard, left, cause);
  }

  /** Another one has taken the place of one that was lost. */
  shardReplaced(lost: Shard, by: Shard): void {
    this.#adoption.replaced(lost, by);
  }

  started(connection: Connection, body: StartedBody): void {
    connection.starts(body);
    this.calls += 1;
    this.#events.started(connection);
    if (connection.socket === undefined) return;
    // Plivo reconnects with a new socket (protocol reference, section 7.2): it replaces the old one.
    const before = this.connections.name(connection);
    if (before !== undefined) this.#end(before, 'replaced');
  }

  /** The shard has nothing more to say of a closed connection: only now is its slot free, and the call counted. */
  ended(connection: Connection, body?: EndedBody): void {
    this.connections.release(connection);
    if (connection.callId !== '') this.calls -= 1;
    const reason = connection.endReason!;
    // Plivo's word that all is well may come between the close and the shard's last one.
    const isWell = reason === 'stream-dropped' && connection.endedAtPlivo;
    this.#events.ended(connection, isWell ? 'stream-closed' : reason, connection.whole(body));
  }

  hangup(connection: Connection, body: HangupBody): void {
    const reason = body.reason as EndReason;
    connection.ends(reason);
    connection.hangupAsked = true;
    const inMs = connection.socket === undefined ? 0 : body.inMs;
    // Plivo closes the socket when the call is hung up. If its API fails, the caller is not kept in silence for it.
    connection.closeAtMs = performance.now() + inMs + closeUnsettledMs;
    this.#events.hangup(connection, reason, inMs);
  }

  close(connection: Connection, body: EndBody): void {
    const reason = body.reason as EndReason;
    if (reason === 'no-start' || reason === 'wrong-call') {
      this.#options.log.warn(
        { route: connection.route, reason },
        `connection closed: ${body.detail}`,
      );
    }
    this.#end(connection, reason);
  }

  transfer(connection: Connection, { url }: TransferBody): void {
    void this.#transfer(connection, url, 'app-transfer');
  }

  async #transfer(connection: Connection, url: string, reason: EndReason): Promise<void> {
    const result = await this.#events.transfer(connection, url);
    if (connection.socket === undefined) return;
    if (result.ok) {
      connection.ends(reason);
      connection.hangupAsked = false;
    }
    this.#ingress.lifeSurely(connection, RecordKind.Transferred, result);
    if (result.ok) this.#end(connection, reason);
  }

  answerer(connection: Connection, body: AnswererBody): void {
    connection.answerer(body);
    this.#events.answerer(connection, body);
  }

  note(connection: Connection, body: NoteBody): void {
    this.#events.note(connection, body);
  }

  stuck(connection: Connection): void {
    this.#end(connection, 'slow-reader');
  }

  /** The thread is awake for its sockets: what the shards have answered meanwhile goes out with it. */
  #glance(): void {
    for (const { waiter } of this.#egress.values()) waiter.glance();
  }

  // ---- endings -------------------------------------------------------------------------------------------------

  /** A hang-up is settled: Plivo closes the socket now, and if it does not, we do. */
  hangupSettled(callId: string, reason: EndReason, done: boolean): void {
    const connection = this.connections.byCallId(callId);
    if (connection === undefined) return;
    connection.hangupAsked = false;
    connection.ends(reason);
    if (done) connection.closeAtMs = performance.now() + closeAfterHangupMs;
    else this.#end(connection, reason);
  }

  /** Plivo said that the call is over: its socket will close, however it does. */
  callEnded(callId: string): void {
    const connection = this.connections.byCallId(callId);
    if (connection === undefined) return;
    connection.endedAtPlivo = true;
    connection.closeAtMs = Math.min(connection.closeAtMs, performance.now() + closeAfterHangupMs);
  }

  /** Plivo said that the stream ended on purpose: however its socket closes, it is not lost. */
  streamStopped(callId: string, streamId: string): void {
    const connection = this.connections.byCallId(callId);
    if (connection?.streamId === streamId) connection.endedAtPlivo = true;
  }

  /** An operator ends a call at once; false if there is no such call here. */
  hangupCall(callId: string): boolean {
    const connection = this.connections.byCallId(callId);
    if (connection?.socket === undefined) return false;
    if (connection.ends('operator')) {
      this.#ingress.lifeSurely(connection, RecordKind.End, { reason: 'operator' });
    }
    this.#events.hangup(connection, 'operator', 0);
    return true;
  }

  /** Ends all live calls gracefully. */
  endAll(reason: EndReason): void {
    for (const connection of this.connections) {
      if (connection.ends(reason)) {
        this.#ingress.lifeSurely(connection, RecordKind.End, { reason });
      }
    }
  }

  /** Hands live calls to another answer document, so many at a time; those that cannot be go on. */
  async handOverAll(url: string, reason: EndReason, atOnce: number): Promise<void> {
    const calls = [...this.connections].filter(({ isGoingOn }) => isGoingOn);
    while (calls.length > 0) {
      const some = calls.splice(0, atOnce).filter(({ isGoingOn }) => isGoingOn);
      await Promise.all(some.map((connection) => this.#transfer(connection, url, reason)));
    }
  }

  /** Closes the streams of live calls: Plivo goes on with the XML behind them, and nobody is hung up. */
  leaveAll(reason: EndReason): void {
    for (const connection of this.connections) {
      if (connection.isGoingOn) this.#end(connection, reason);
    }
  }

  /** Cuts all calls that are still open: their sockets close now, and their hang-ups are due. */
  closeAll(reason: EndReason): void {
    for (const connection of [...this.connections]) {
      if (connection.socket !== undefined) this.#cut(connection, reason);
    }
  }

  stop(): void {
    clearInterval(this.#sweeper);
    for (const { waiter } of this.#egress.values()) waiter.stop();
  }

  #hangUpAndEnd(connection: Connection, reason: EndReason): void {
    connection.ends(reason);
    if (connection.callId !== '') this.#events.hangup(connection, reason, 0);
    this.#end(connection, reason);
  }

  /** Closes the socket. Its close callback does the rest. */
  #end(connection: Connection, reason: EndReason): void {
    connection.ends(reason);
    const { socket } = connection;
    if (socket === undefined) return;
    // A blocked socket would never send its close frame.
    if (connection.blockedSinceMs > 0) socket.close();
    else socket.end(closeCode(connection.endReason!), connection.endReason!);
  }

  #sweep(): void {
    const nowMs = performance.now();
    this.#load.look(nowMs, this.#options.shards());
    this.#ingress.retry();
    this.#adoption.look(nowMs);
    for (const { egress } of this.#egress.values()) if (egress.waiting) egress.look();
    for (const connection of this.connections) {
      if (connection.ping(nowMs) && connection.blockedSinceMs === 0) {
        connection.blockedSinceMs = nowMs;
      }
      const reason = connection.due(nowMs);
      if (reason !== undefined) this.#end(connection, reason);
    }
  }

  /** Ends a call of which its shard has no more to say. */
  #cut(connection: Connection, cause: EndReason): void {
    connection.ends(cause);
    this.#hangUpAndEnd(connection, connection.endReason!);
  }
}
