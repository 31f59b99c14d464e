import type { Call, Handler } from '../../src/handler.js';
import {
  audioRates,
  checkpointNameBytesMax,
  dtmfDigitsMax,
  isAudioRate,
} from '../../src/limits.js';
import { type StartMessage, sendDtmfText, type Track } from '../../src/plivo/messages.js';
import { type DropReason, type LookupOutcome, lookup } from '../../src/shard/counters.js';
import { type AnswererBody, type CallFacts, RecordKind } from '../../src/shard/record.js';
import type { ShardContext } from '../shard-context.js';
import type { Tap } from './intake.js';
import type { Session } from './session.js';

const digitsPattern = new RegExp(`^[0-9*#A-D]{1,${dtmfDigitsMax}}$`);

/** The face of a session towards its handler: facts, and commands, each looked at before it is carried out. */
export class SessionCall implements Call {
  readonly id: string;
  readonly streamId: string;
  readonly accountId: string;
  readonly from: string;
  readonly to: string;
  readonly query: Readonly<Record<string, string>>;
  readonly extraHeaders: Readonly<Record<string, string>>;
  route: string;
  sampleRate: number;
  readonly tracks: readonly Track[];
  readonly encoding: 'mulaw' | 'l16';
  readonly streamRate: number;
  data: Record<string, unknown> = {};
  /** Another worker had it before, and died. */
  resumed = false;
  /** The `start` message as it came. */
  readonly startMessage: string;
  /** Further facts that a lookup service has told. */
  params: Readonly<Record<string, unknown>> = {};
  /** Plivo forbids the outbound track on a two-way stream (protocol reference, section 4.1). */
  readonly #isOneWay: boolean;
  readonly #session: Session;
  readonly #context: ShardContext;

  constructor(
    session: Session,
    context: ShardContext,
    start: StartMessage,
    startMessage: string,
    facts: CallFacts,
    route: { readonly name: string; readonly sampleRate: number },
  ) {
    this.#session = session;
    this.#context = context;
    this.startMessage = startMessage;
    this.id = start.callId;
    this.streamId = start.streamId;
    this.accountId = start.accountId;
    this.from = facts.from;
    this.to = facts.to;
    this.query = facts.query;
    this.extraHeaders = start.extraHeaders;
    this.route = route.name;
    this.sampleRate = route.sampleRate;
    this.tracks = start.tracks;
    this.#isOneWay = start.tracks.includes('outbound');
    this.encoding = start.format.encoding;
    this.streamRate = start.format.sampleRate;
  }

  get queuedMs(): number {
    return this.#session.queuedMs();
  }

  play(samples: Int16Array, rate: number = this.sampleRate): boolean {
    const playout = this.#session.speaking();
    if (playout === undefined) return false;
    if (!(samples instanceof Int16Array) || !isAudioRate(rate)) {
      return this.#refuse('bad-argument', `play takes an Int16Array and one of ${audioRates} Hz`);
    }
    if (this.#isOneWay) {
      return this.#refuse('one-way', 'play on a one-way stream (its tracks include outbound)');
    }
    return playout.play(samples, rate, this.#context.clock.nowMs());
  }

  clear(): void {
    const playout = this.#session.speaking();
    if (playout === undefined) return;
    this.#session.interrupted(playout.clear(this.#context.clock.nowMs()));
  }

  checkpoint(name: string): boolean {
    const playout = this.#session.speaking();
    if (playout === undefined) return false;
    const bytes = typeof name === 'string' ? Buffer.byteLength(name) : 0;
    if (bytes === 0 || bytes > checkpointNameBytesMax) {
      const limit = `1 to ${checkpointNameBytesMax} bytes`;
      return this.#refuse('bad-argument', `checkpoint takes a name of ${limit}`);
    }
    if (this.#isOneWay) return this.#refuse('one-way', 'checkpoint on a one-way stream');
    return playout.checkpoint(name, this.#context.clock.nowMs()) !== undefined;
  }

  sendDtmf(digits: string): boolean {
    if (this.#session.speaking() === undefined) return false;
    if (typeof digits !== 'string' || !digitsPattern.test(digits)) {
      const limit = `1 to ${dtmfDigitsMax} of 0-9 * # A-D`;
      return this.#refuse('bad-argument', `sendDtmf takes ${limit}`);
    }
    const { slot, generation } = this.#session;
    return this.#context.outbox.control(slot, generation, sendDtmfText(digits));
  }

  end(): void {
    this.#session.end();
  }

  cancel(): void {
    this.#session.cancel();
  }

  transfer(url: string): Promise<boolean> {
    if (typeof url === 'string' && /^https?:\/\//.test(url) && URL.canParse(url)) {
      return this.#session.transfer(url);
    }
    return Promise.resolve(this.#refuse('bad-argument', 'transfer takes an http(s) URL'));
  }

  leave(): void {
    this.#session.leave();
  }

  // ---- for what the gateway brings along; no business of applications ------------------------------------------

  /** Hangs up, as nobody speaks with the caller. */
  fail(
    reason: 'route-reject' | 'upstream-failed' | 'upstream-lost' | 'gateway-error',
    why: string,
  ): void {
    this.#session.fail(reason, why);
  }

  /** Another handler goes on with the call, from its `start`, at its own rate. */
  become(handler: Handler, sampleRate: number): void {
    this.#session.become(handler, sampleRate);
  }

  /** False once the call is ending: nobody can go on with it. */
  get isLive(): boolean {
    return this.#session.isLive;
  }

  /** The handler of another route goes on with the call, from its `start`. */
  handOver(route: string, why: string): void {
    this.#session.handOver(route, why);
  }

  drop(reason: DropReason, detail: string): void {
    this.#session.notes.drop(reason, detail);
  }

  /** A line for the call's story; `what` is of the code, never of a peer. */
  note(what: string): void {
    this.#session.notes.tell(what);
  }

  lookedUp(outcome: LookupOutcome): void {
    this.#context.values[lookup[outcome]]! += 1;
  }

  /** Tells the front who speaks with the caller. */
  report(body: AnswererBody): void {
    const { slot, generation } = this.#session;
    this.#context.outbox.life(RecordKind.Answerer, slot, generation, body);
  }

  /** Gives every message of the stream to `tap` as it came. */
  tap(tap: Tap): void {
    this.#session.tap(tap);
  }

  /**
   * Sends a message of Plivo's protocol as it is; audio, which lasts `audioMs`, may be dropped for a caller who does
   * not read.
   */
  relay(message: Uint8Array, audioMs?: number): void {
    const meter = this.#session.relaying();
    if (meter === undefined) return;
    const { slot, generation, notes } = this.#session;
    const { outbox, scratch, clock } = this.#context;
    if (audioMs === undefined) return void outbox.controlBytes(slot, generation, message);
    const at = outbox.beginAudio(message.length);
    if (at < 0) return notes.counted('egress-full');
    scratch.kernel.bytes.set(message, at);
    outbox.commitAudio(slot, generation, message.length);
    notes.relayed += 1;
    // Only now: what it tells goes into the same ring.
    meter.sent(clock.nowMs(), audioMs);
  }

  /** Sends a clear of an application that speaks Plivo's protocol itself. */
  relayClear(message: Uint8Array): void {
    this.#session.relaying()?.clear(this.#context.clock.nowMs());
    this.relay(message);
  }

  #refuse(reason: DropReason, detail: string): false {
    return this.#session.notes.drop(reason, detail);
  }
}
