import { type EndReason, errorText, GatewayError } from '../../src/errors.js';
import type { Handler } from '../../src/handler.js';
import { lastWordGraceMs, startTimeoutMs } from '../../src/limits.js';
import { readMessage, type StartMessage } from '../../src/plivo/messages.js';
import { SessionState } from '../../src/shard/call-board.js';
import { counter } from '../../src/shard/counters.js';
import {
  type AdoptBody,
  type ClosedBody,
  type OpenBody,
  RecordKind,
} from '../../src/shard/record.js';
import type { RouteSet } from '../routes.js';
import type { LoadedRoute, ShardContext } from '../shard-context.js';
import type { VoiceMeter } from '../voice/voice-meter.js';
import { SessionCall } from './call.js';
import { Callbacks } from './callbacks.js';
import { Intake, type IntakeEvents, type Tap } from './intake.js';
import { PendingTransfer } from './pending-transfer.js';
import type { Playout } from './playout.js';
import { SessionNotes } from './session-notes.js';
import { closeStream, openStream, type Stream } from './stream.js';

/** A shard's state for one stream: reads its messages, runs its handler, owns its codec and playout. */
export class Session implements IntakeEvents {
  readonly slot: number;
  readonly generation: number;
  readonly #context: ShardContext;
  readonly #routes: readonly LoadedRoute[];
  readonly #route: LoadedRoute;
  readonly #open: OpenBody;
  readonly #openedMs: number;
  #state: number = SessionState.Opening;
  #stream: Stream | undefined;
  #lastWord: string | undefined;
  #deadlineMs = 0;
  readonly #transfer = new PendingTransfer();
  readonly #visited = new Set<string>();
  readonly notes: SessionNotes;
  readonly #callbacks: Callbacks;
  readonly #intake: Intake;

  constructor(
    context: ShardContext,
    { routes }: RouteSet,
    slot: number,
    generation: number,
    open: OpenBody,
  ) {
    this.#context = context;
    this.#routes = routes;
    this.slot = slot;
    this.generation = generation;
    this.#open = open;
    this.#route = routes[open.route] ?? routes[0]!;
    this.#openedMs = context.clock.nowMs();
    this.notes = new SessionNotes(context, slot, generation, this.#route.name);
    this.#callbacks = new Callbacks(this.#route.loaded, context.words, slot, (where, thrown) =>
      this.#failed(where, thrown),
    );
    this.#intake = new Intake(context, this.notes, this.#callbacks, this);
  }

  // ---- what comes in -------------------------------------------------------------------------------------------

  /** One WebSocket message, in place in the ring. */
  message(at: number, bytes: number, binary: boolean): void {
    this.#intake.message(this.#stream, this.#state, at, bytes, binary);
  }

  started(start: StartMessage, message: string): void {
    if (this.#state !== SessionState.Opening) {
      this.notes.drop('duplicate-start', 'a second start');
      return;
    }
    const { facts } = this.#open;
    if (facts.callId !== '' && facts.callId !== start.callId) {
      this.#close('wrong-call', 'start names another call than the token of the stream URL');
      return;
    }
    if (!this.#goLive(start, message, 0)) return;
    const { callId, streamId, accountId } = start;
    const started = { callId, streamId, accountId, message };
    this.#context.outbox.life(RecordKind.Started, this.slot, this.generation, started);
    this.notes.started(start, facts);
    this.#callbacks.start(this.#stream!.call);
  }

  /** The call was another shard's, until that died. */
  adopted({ start: message, answeredBy, adoptions }: AdoptBody): void {
    const start = readMessage(message);
    if (start.event !== 'start' || !this.#goLive(start, message, adoptions)) return;
    const route = this.#routes.find(({ name }) => name === answeredBy);
    if (route === undefined) return this.fail('gateway-error', `route ${answeredBy} is gone`);
    this.#stream!.call.route = answeredBy;
    this.become(route.loaded, route.sampleRate);
  }

  #goLive(start: StartMessage, message: string, adoptions: number): boolean {
    const { slot, generation, notes } = this;
    const { voiceArea } = this.#route;
    const call = new SessionCall(
      this,
      this.#context,
      start,
      message,
      this.#open.facts,
      this.#route,
    );
    call.resumed = adoptions > 0;
    notes.callId = start.callId;
    try {
      const owner = { slot, generation, openedMs: this.#openedMs, voiceArea, notes, adoptions };
      this.#stream = openStream(this.#context, owner, start, call);
    } catch (thrown) {
      this.#context.log.error({ callId: start.callId, err: thrown }, 'no room for another call');
      this.#close('shard-overrun', errorText(thrown));
      return false;
    }
    this.#state = SessionState.Live;
    return true;
  }

  played(stream: Stream, wireName: string): void {
    this.#tellInterrupted();
    const name = stream.playout.played(wireName);
    if (name === undefined) {
      this.notes.drop('unknown-checkpoint', 'playedStream for a checkpoint that is not waited for');
      return;
    }
    this.#context.values[counter.checkpointsPlayed]! += 1;
    if (this.#state === SessionState.Ending) {
      if (wireName === this.#lastWord) this.#hangup('app-end', 0);
    } else {
      this.#callbacks.run('played', (handler) => handler.played?.(stream.call, name, false));
    }
  }

  stopped(why: string): void {
    this.#close('stream-stopped', why);
  }

  // ---- what the front says -------------------------------------------------------------------------------------

  /** An operator's hang-up is already on its way; the deadline of a drain ends the call gracefully. */
  ended(reason: EndReason): void {
    if (this.#state >= SessionState.Leaving) return;
    if (reason === 'operator') this.#leaving();
    else if (this.#stream === undefined) this.#close(reason);
    else this.#finish(reason);
  }

  transferred(ok: boolean): void {
    this.#transfer.settle(ok);
    if (ok) this.#leaving();
  }

  /** The socket is gone: the last thing that happens here. */
  closed(body: ClosedBody): void {
    if (this.#state === SessionState.Closed) return;
    this.#state = SessionState.Closed;
    const reason = body.reason as EndReason;
    this.#transfer.settle(reason === 'app-transfer');
    const stream = this.#stream;
    const { slot, generation } = this;
    this.#context.outbox.life(RecordKind.Ended, slot, generation, this.notes.ended(stream));
    if (stream === undefined) return;
    this.#callbacks.run('end', (handler) => handler.end?.(stream.call, reason));
    closeStream(stream);
  }

  /** Our own code failed in this call. */
  defect(): void {
    if (this.#stream === undefined) this.#close('gateway-error');
    else if (this.#state < SessionState.Leaving) {
      const end = () => this.#hangup('gateway-error', 0);
      if (!this.#waitsForTransfer(end)) end();
    }
  }

  /** Called on every fourth tick. */
  tick(nowMs: number): void {
    if (this.#state === SessionState.Opening && nowMs - this.#openedMs >= startTimeoutMs) {
      this.#close('no-start', `no start within ${startTimeoutMs / 1_000} s`);
    }
    this.#tellInterrupted();
    this.#transfer.tick(nowMs);
    const speaks = this.#state === SessionState.Live || this.#state === SessionState.Ending;
    if (speaks) this.#stream?.playout.tick(nowMs);
    if (this.#state === SessionState.Ending && nowMs >= this.#deadlineMs) this.#leaving();
    if (this.notes.show(nowMs, this.#state, this.#stream) && speaks)
      this.#stream?.meter.look(nowMs);
  }

  #tellInterrupted(): void {
    this.#callbacks.tellInterrupted(this.isLive ? this.#stream?.call : undefined);
  }

  // ---- what the handler asks for through its call (call.ts) ------------------------------------------------

  /** What a command of the handler works on, or undefined and counted when the call is ending. */
  speaking(): Playout | undefined {
    if (this.#state === SessionState.Live) return this.#stream?.playout;
    this.notes.count('after-end');
    return undefined;
  }

  /** The same for messages that are passed on as they are: what measures them. */
  relaying(): VoiceMeter | undefined {
    return this.speaking() === undefined ? undefined : this.#stream?.meter;
  }

  get isLive(): boolean {
    return this.#state === SessionState.Live;
  }

  queuedMs(): number {
    return this.#stream?.playout.remainingMs(this.#context.clock.nowMs()) ?? 0;
  }

  interrupted(checkpoints: readonly string[]): void {
    this.#callbacks.interrupted(checkpoints);
  }

  end(): void {
    if (this.#state === SessionState.Live) this.#finish('app-end');
  }

  cancel(): void {
    if (this.#stream === undefined || this.#state >= SessionState.Leaving) return;
    this.#stream.playout.clear(this.#context.clock.nowMs());
    this.#hangup('app-cancel', 0);
  }

  leave(): void {
    if (this.#state === SessionState.Live) this.#close('app-leave');
  }

  fail(reason: EndReason, why: string): void {
    if (this.#state !== SessionState.Live) return;
    if (this.#waitsForTransfer(() => this.fail(reason, why))) return;
    this.notes.turned(`nobody answers this call (${reason}): hanging up`, why);
    this.#hangup(reason, 0);
  }

  handOver(name: string, why: string): void {
    const route = this.#routes.find((other) => other.name === name);
    const call = this.#stream?.call;
    if (this.#state !== SessionState.Live || route === undefined || call === undefined) return;
    // Routes that fall back on each other would go on for ever.
    if (this.#visited.has(name)) return this.fail('upstream-failed', why);
    this.#visited.add(name).add(this.#route.name);
    this.notes.turned(`call goes on with route ${name}`, why);
    call.report({ what: 'moved', route: name });
    call.route = name;
    call.resumed = false;
    this.become(route.loaded, route.sampleRate);
  }

  /** Another handler goes on with the call, from its `start`. */
  become(handler: Handler, sampleRate: number): void {
    const stream = this.#stream;
    if (this.#state !== SessionState.Live || stream === undefined) return;
    try {
      stream.codec.setHeardRate(sampleRate);
    } catch (thrown) {
      return this.fail('gateway-error', errorText(thrown));
    }
    this.#intake.tap = undefined;
    stream.call.data = {};
    stream.call.sampleRate = sampleRate;
    this.#callbacks.become(handler);
    this.#callbacks.start(stream.call);
  }

  /** From now on all messages go there instead of to the handler. */
  tap(tap: Tap): void {
    this.#intake.tap = tap;
  }

  transfer(url: string): Promise<boolean> {
    if (this.#state !== SessionState.Live) return Promise.resolve(false);
    const { clock, outbox } = this.#context;
    return this.#transfer.ask(clock.nowMs(), () =>
      outbox.life(RecordKind.Transfer, this.slot, this.generation, { url }),
    );
  }

  // ---- endings -------------------------------------------------------------------------------------------------

  /** Graceful: the hang-up is asked for now, due when all has surely been heard; the last word makes it due. */
  #finish(reason: EndReason): void {
    if (this.#waitsForTransfer(() => this.#finish(reason))) return;
    const stream = this.#stream!;
    const nowMs = this.#context.clock.nowMs();
    this.#tellInterrupted();
    if (this.#state !== SessionState.Live) return;
    this.#state = SessionState.Ending;
    const remainingMs = stream.playout.remainingMs(nowMs);
    if (remainingMs <= 0 && stream.playout.frames === 0) return this.#hangup(reason, 0);
    this.#lastWord = stream.playout.checkpoint('last-word', nowMs, true);
    const boundMs = Math.ceil(remainingMs) + lastWordGraceMs;
    this.#deadlineMs = nowMs + boundMs;
    this.#askHangup(reason, boundMs);
  }

  /** A call that Plivo takes over must not be hung up: what comes first decides. */
  #waitsForTransfer(otherwise: () => void): boolean {
    return this.#transfer.decides(() => {
      if (this.isLive) otherwise();
    });
  }

  #hangup(reason: EndReason, inMs: number): void {
    this.#askHangup(reason, inMs);
    this.#leaving();
  }

  #askHangup(reason: EndReason, inMs: number): void {
    const { slot, generation } = this;
    const callId = this.#stream!.start.callId;
    this.#context.outbox.life(RecordKind.Hangup, slot, generation, { callId, reason, inMs });
  }

  #close(reason: EndReason, detail = ''): void {
    if (this.#state >= SessionState.Leaving) return;
    const { slot, generation } = this;
    this.#context.outbox.life(RecordKind.Close, slot, generation, { reason, detail });
    this.#leaving();
  }

  #leaving(): void {
    if (this.#state < SessionState.Leaving) this.#state = SessionState.Leaving;
  }

  // ---- the handler ---------------------------------------------------------------------------------------------

  #failed(where: string, thrown: unknown): void {
    this.#context.values[counter.handlerErrors]! += 1;
    const error =
      thrown instanceof Error ? thrown : new GatewayError('HANDLER_THREW', errorText(thrown));
    this.notes.failed(where, error);
    const end = () => this.#hangup('handler-error', 0);
    if (this.#state === SessionState.Ending) end();
    else if (this.#state === SessionState.Live && !this.#waitsForTransfer(end)) end();
  }
}
