import { type EndReason, errorText, GatewayError } from '../../src/errors.js';
import { lastWordGraceMs, startTimeoutMs } from '../../src/limits.js';
import {
  type PlivoMessage,
  readMessage,
  type StartMessage,
  type Track,
} from '../../src/plivo/messages.js';
import { StreamCodec } from '../../src/serializer/stream-codec.js';
import { counter, drop } from '../../src/shard/counters.js';
import { type ClosedBody, type OpenBody, RecordKind } from '../../src/shard/record.js';
import type { LoadedRoute, ShardContext } from '../shard-context.js';
import { SessionCall } from './call.js';
import { Callbacks } from './callbacks.js';
import { PendingTransfer } from './pending-transfer.js';
import { Playout } from './playout.js';
import { SessionNotes } from './session-notes.js';
import { SessionState } from './session-state.js';

/** What a session has from its `start` on. */
interface Stream {
  readonly start: StartMessage;
  readonly call: SessionCall;
  readonly codec: StreamCodec;
  readonly playout: Playout;
}

/** A shard's state for one stream: reads its messages, runs its handler, owns its codec and playout. */
export class Session {
  readonly slot: number;
  readonly generation: number;
  readonly #context: ShardContext;
  readonly #route: LoadedRoute;
  readonly #open: OpenBody;
  readonly #openedMs: number;
  #state: number = SessionState.Opening;
  #stream: Stream | undefined;
  #lastWord: string | undefined;
  #deadlineMs = 0;
  readonly #transfer = new PendingTransfer();
  readonly #visited = new Set<string>();
  #interrupted: string[] = [];
  readonly notes: SessionNotes;
  readonly #callbacks: Callbacks;

  constructor(context: ShardContext, slot: number, generation: number, open: OpenBody) {
    this.#context = context;
    this.slot = slot;
    this.generation = generation;
    this.#open = open;
    this.#route = context.routes[open.route]!;
    this.#openedMs = context.clock.nowMs();
    const { log, values, words } = context;
    this.notes = new SessionNotes(log, values, this.#route.name, this.#openedMs);
    this.#callbacks = new Callbacks(this.#route.loaded, words, slot, (where, thrown) =>
      this.#failed(where, thrown),
    );
  }

  // ---- what comes in -------------------------------------------------------------------------------------------

  /** One WebSocket message, in place in the ring. */
  message(at: number, bytes: number, binary: boolean): void {
    const { scan } = this.#context;
    if (!scan.scan(at, bytes)) {
      this.#parsed(at, bytes, binary);
    } else if (this.#stream === undefined) {
      this.notes.drop('before-start', 'media before start');
    } else {
      this.#media(
        this.#stream,
        scan.payloadAt,
        scan.payloadBytes,
        scan.inbound ? 'inbound' : 'outbound',
      );
    }
  }

  #media(stream: Stream, payloadAt: number, payloadBytes: number, track: Track): void {
    if (this.#state >= SessionState.Leaving) return;
    const count = stream.codec.decode(payloadAt, payloadBytes, track);
    if (count < 0) {
      this.notes.drop('bad-payload', 'media whose payload is not base64, or holds half a sample');
      return;
    }
    this.notes.mediaIn += 1;
    this.#context.values[counter.mediaIn]! += 1;
    if (this.#state !== SessionState.Live || count === 0 || !this.#callbacks.hears) return;
    this.#callbacks.audio(stream.call, this.#context.scratch.samples(count), track);
  }

  /** Everything that the scan did not take for media. */
  #parsed(at: number, bytes: number, binary: boolean): void {
    const text = this.#context.scratch.read(at, bytes);
    const message = readMessage(text);
    if (message.event === 'unreadable') {
      if (binary) this.notes.drop('binary-message', 'a binary message that is no JSON of Plivo');
      else this.notes.drop(message.reason, message.detail);
      return;
    }
    this.#context.values[counter.messagesIn]! += 1;
    if (message.event === 'start') this.#start(message, text);
    else if (this.#stream === undefined)
      this.notes.drop('before-start', `${message.event} before start`);
    else if (this.#state < SessionState.Leaving) this.#known(this.#stream, message);
  }

  #known(stream: Stream, message: Exclude<PlivoMessage, StartMessage>): void {
    switch (message.event) {
      case 'media': {
        const { scratch } = this.#context;
        const bytes = scratch.write(message.payload);
        return this.#media(stream, scratch.textAt, bytes, message.track);
      }
      case 'dtmf':
        this.#context.values[counter.digitsIn]! += 1;
        if (this.#state === SessionState.Live) {
          this.#callbacks.run('dtmf', (handler) => handler.dtmf?.(stream.call, message.digit));
        }
        return;
      case 'playedStream':
        return this.#played(stream, message.name);
      case 'clearedAudio':
        return;
      case 'stop':
        return this.#close('stream-stopped', message.reason);
    }
  }

  #start(start: StartMessage, message: string): void {
    if (this.#state !== SessionState.Opening) {
      this.notes.drop('duplicate-start', 'a second start');
      return;
    }
    const { scratch, outbox, values, options } = this.#context;
    const { slot, generation } = this;
    const call = new SessionCall(this, this.#context, start, this.#open.facts, this.#route);
    let codec: StreamCodec | undefined;
    try {
      codec = new StreamCodec(scratch, start.format, this.#route.sampleRate);
      const place = { slot, generation, streamId: start.streamId };
      const playout = new Playout(codec, scratch, outbox, values, place, options.playout);
      this.#stream = { start, call, codec, playout };
    } catch (thrown) {
      codec?.close();
      this.#context.log.error({ callId: start.callId, err: thrown }, 'no room for another call');
      this.#close('shard-overrun', errorText(thrown));
      return;
    }
    this.#state = SessionState.Live;
    const { callId, streamId, accountId } = start;
    outbox.life(RecordKind.Started, slot, generation, { callId, streamId, accountId, message });
    this.notes.callId = callId;
    this.notes.started(start, this.#open.facts);
    this.#callbacks.run('start', (handler) => handler.start?.(call));
  }

  #played(stream: Stream, wireName: string): void {
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
    this.#context.outbox.life(RecordKind.Ended, this.slot, this.generation, {});
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#callbacks.run('end', (handler) => handler.end?.(stream.call, reason));
    stream.codec.close();
    stream.playout.close();
    this.notes.ended(reason, body.code, stream.playout.frames, this.#context.clock.nowMs());
  }

  /** Our own code failed in this call. */
  defect(): void {
    if (this.#stream === undefined) this.#close('gateway-error');
    else if (this.#state < SessionState.Leaving) this.#hangup('gateway-error', 0);
  }

  /** Called on every fourth tick. */
  tick(nowMs: number): void {
    if (this.#state === SessionState.Opening && nowMs - this.#openedMs >= startTimeoutMs) {
      this.#close('no-start', `no start within ${startTimeoutMs / 1_000} s`);
    }
    this.#tellInterrupted();
    this.#transfer.tick(nowMs);
    if (this.#state === SessionState.Live || this.#state === SessionState.Ending) {
      this.#stream?.playout.tick(nowMs);
    }
    if (this.#state === SessionState.Ending && nowMs >= this.#deadlineMs) this.#leaving();
  }

  #tellInterrupted(): void {
    if (this.#interrupted.length === 0) return;
    const names = this.#interrupted;
    this.#interrupted = [];
    const call = this.#stream?.call;
    if (call === undefined || this.#state !== SessionState.Live) return;
    for (const name of names) {
      this.#callbacks.run('played', (handler) => handler.played?.(call, name, true));
    }
  }

  // ---- what the handler asks for through its call (call.ts) ------------------------------------------------

  /** What a command of the handler works on, or undefined and counted when the call is ending. */
  speaking(): Playout | undefined {
    if (this.#state === SessionState.Live) return this.#stream?.playout;
    this.#context.values[drop['after-end']]! += 1;
    return undefined;
  }

  queuedMs(): number {
    return this.#stream?.playout.remainingMs(this.#context.clock.nowMs()) ?? 0;
  }

  /** Checkpoints that a clear has made void; the handler hears of them from the clock, not from within its `clear`. */
  interrupted(checkpoints: readonly string[]): void {
    this.#interrupted.push(...checkpoints);
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
    this.notes.turned(`nobody answers this call (${reason}): hanging up`, why);
    this.#hangup(reason, 0);
  }

  handOver(name: string, why: string): void {
    const route = this.#context.routes.find((other) => other.name === name);
    const call = this.#stream?.call;
    if (this.#state !== SessionState.Live || route === undefined || call === undefined) return;
    // Routes that fall back on each other would go on for ever.
    if (this.#visited.has(name)) return this.fail('upstream-failed', why);
    this.#visited.add(name).add(this.#route.name);
    this.notes.turned(`call goes on with route ${name}`, why);
    call.route = name;
    call.data = {};
    this.#callbacks.become(route.loaded);
    this.#callbacks.run('start', (handler) => handler.start?.(call));
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
    if (this.#transfer.asked !== undefined) {
      // A call that Plivo takes over must not be hung up: what comes first decides.
      void this.#transfer.asked.then((ok) => {
        if (!ok && this.#state === SessionState.Live) this.#finish(reason);
      });
      return;
    }
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
    if (this.#state === SessionState.Live || this.#state === SessionState.Ending) {
      this.#hangup('handler-error', 0);
    }
  }
}
