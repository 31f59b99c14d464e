import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import { CallEnding, isOrderlyClose } from './call-ending.js';
import { CallerEar } from './caller-ear.js';
import {
  type CallEndReason,
  type CallerOptions,
  type CallOutcome,
  streamUrl,
} from './caller-options.js';
import { CallerVoice } from './caller-voice.js';
import { PlivoSender } from './plivo-sender.js';
import { upgradeHeaders } from './signing.js';
import type { Speech } from './stream-format.js';
import { openStreamSocket, type StreamSocketEvents } from './stream-socket.js';
import { ViolationLog } from './violations.js';

/** Only ever moves forward. */
const State = {
  Idle: 0,
  Connecting: 1,
  /** Open, `start` not yet sent. */
  Opened: 2,
  Live: 3,
  /** The caller stopped sending and waits for what is still on its way. */
  Settling: 4,
  /** Plivo closes the socket. */
  Closing: 5,
  /** The gateway closed first; a hang-up by REST may still follow. */
  Lingering: 6,
  Over: 7,
} as const;
type State = (typeof State)[keyof typeof State];

/** Between the open socket and `start`: whoever speaks in this time spoke too early. */
const startDelayMs = 10;
/** How long the caller waits, after the last sound or key in either direction, to hang up. */
const quietMs = 500;
/** A handler that never falls silent is hung up on this long after the caller's last word. */
const trailMsMax = 30_000;
const settleMsMax = 200;
/** Plivo closes the socket soon after it has answered the hang-up. */
const hangupToCloseMs = 30;
const closeAnswerMsMax = 2_000;
const lingerMs = 500;
const timeLimitSpareMs = 60_000;
/** Plivo drops a stream whose reader is 40 s behind (section 2.8); these are bytes of L16 16 kHz. */
const unreadBytesMax = 40 * 50 * 1_050;
/** Between two tries to connect. */
const retryAfterMs = 500;
/** How often the clock is looked at when no media is due. */
const idleLookMs = 5;

/** One simulated Plivo call: its socket, its clock, and how it ends. */
export class Caller {
  readonly callId: string;
  readonly streamId: string;
  /** Where the stream connects to. */
  readonly url: string;
  readonly violations = new ViolationLog();
  readonly ear: CallerEar;
  readonly voice: CallerVoice;
  readonly #options: CallerOptions;
  #state: State = State.Idle;
  #socket: WebSocket | null = null;
  #timer: NodeJS.Timeout | null = null;
  #tries = 0;
  #startMs = 0;
  #endMs = 0;
  /** When the present state is left, whatever happens. */
  #deadlineMs = Number.POSITIVE_INFINITY;
  readonly #ending = new CallEnding();
  #settle: (outcome: CallOutcome) => void = () => {};

  constructor(options: CallerOptions) {
    const { format } = options.speech;
    this.#options = options;
    this.url = streamUrl(options);
    this.callId = options.callId ?? randomUUID();
    this.streamId = options.streamId ?? randomUUID();
    const sender = new PlivoSender({
      callId: this.callId,
      streamId: this.streamId,
      accountId: options.accountId ?? 'MAEXAMPLE0000000000A',
      extraHeaders: options.extraHeaders ?? '',
      format,
    });
    const send = (text: string): void => this.#socket?.send(text);
    this.ear = new CallerEar({ streamId: this.streamId, format }, sender, send, (name, detail) =>
      this.violations.record(name, detail),
    );
    const { turnaround } = this.ear;
    this.voice = new CallerVoice(options.speech, options.digits ?? [], sender, turnaround, send);
  }

  get speech(): Speech {
    return this.#options.speech;
  }

  /** How often a connection was tried. */
  get tries(): number {
    return this.#tries;
  }

  /** Milliseconds since `start`, 0 before it. */
  get elapsedMs(): number {
    return this.#startMs === 0 ? 0 : performance.now() - this.#startMs;
  }

  /** Makes the call; settles once it is over, and never rejects. To be called once. */
  run(): Promise<CallOutcome> {
    return new Promise((settle) => {
      this.#settle = settle;
      this.#enter(State.Connecting);
      this.#connect();
    });
  }

  /** The caller puts the telephone down. */
  hangUp(): void {
    if (this.#state === State.Live) this.#fallSilent('caller-hangup', null);
    else if (this.#state < State.Live) this.#over('caller-hangup', 'before the call was up');
  }

  /** A hang-up reached Plivo's REST API. False if there is no such call any more (a 404). */
  hangUpByGateway(): boolean {
    if (this.#isGone) return false;
    this.#ending.hangUpByGateway();
    this.#deadlineMs = performance.now() + hangupToCloseMs;
    return true;
  }

  /** A transfer reached Plivo's REST API: it takes effect when the stream ends (section 4.3). */
  transferByGateway(url: string): boolean {
    if (this.#isGone) return false;
    this.#ending.transferredTo = url;
    return true;
  }

  /** True if Plivo's REST API knows no such call, or no more. */
  get #isGone(): boolean {
    const isOutside = this.#state < State.Live || this.#state === State.Over;
    return isOutside || this.#state === State.Closing || this.#ending.isHungUpByGateway;
  }

  #enter(next: State): void {
    if (next <= this.#state) throw new Error(`a call only moves forward: ${this.#state} ${next}`);
    this.#state = next;
  }

  #connect(): void {
    this.#tries += 1;
    const events: StreamSocketEvents = {
      opened: () => this.#opened(),
      text: (bytes) => this.#heard(bytes),
      binary: (count) => this.violations.record('binary-frame', `a message of ${count} bytes`),
      broke: (detail) => this.violations.record('websocket-error', `on the socket: ${detail}`),
      closed: (code) => this.#closed(code),
      failed: (detail) => this.#failed(detail),
    };
    const headers = upgradeHeaders(this.url, this.#options.authToken);
    this.#socket = openStreamSocket(this.url, events, { headers });
  }

  #failed(detail: string): void {
    if (this.#state !== State.Connecting) return;
    const { retries = 0 } = this.#options;
    if (this.#tries > retries) this.#over('connect-failed', detail);
    else this.#timer = setTimeout(() => this.#connect(), retryAfterMs);
  }

  #opened(): void {
    if (this.#state !== State.Connecting) return;
    this.#enter(State.Opened);
    this.#deadlineMs = performance.now() + startDelayMs;
    this.#look();
  }

  #heard(bytes: Buffer): void {
    if (this.#options.isOneWay === true) {
      this.violations.record('one-way-stream', 'a message on a stream that is not bidirectional');
    } else if (this.#state === State.Live || this.#state === State.Settling) {
      this.ear.take(bytes, performance.now());
    } else if (this.#state === State.Opened) {
      this.violations.record('before-start', 'the gateway spoke before Plivo sent start');
    }
  }

  /** The call's clock: does what is due, then asks to be woken for what is due next. */
  #look(): void {
    const nowMs = performance.now();
    if (this.#state === State.Live) this.#speak(nowMs);
    if (this.#state === State.Live || this.#state === State.Settling) this.ear.answerDue(nowMs);
    this.#moveOn(nowMs);
    if (this.#state !== State.Over) this.#timer = setTimeout(() => this.#look(), this.#sleepMs());
  }

  #sleepMs(): number {
    if (this.#state !== State.Live) return idleLookMs;
    const dueMs = Math.min(this.voice.dueMs, this.ear.playout.nextDueMs(), this.#deadlineMs);
    return Math.max(0, Math.ceil(dueMs - performance.now()));
  }

  #moveOn(nowMs: number): void {
    const isDue = nowMs >= this.#deadlineMs;
    switch (this.#state) {
      case State.Opened:
        if (isDue) this.#start(nowMs);
        return;
      case State.Live:
        if (isDue && this.#ending.isHungUpByGateway) this.#close();
        else if (isDue) this.#timeOut(nowMs);
        else if (this.#isFinished(nowMs)) this.#fallSilent('caller-hangup', null);
        return;
      case State.Settling:
        if (isDue || this.ear.turnaround.isComplete) this.#close();
        return;
      case State.Closing:
        if (isDue) this.#giveUpClosing();
        return;
      case State.Lingering:
        if (isDue) this.#over('gateway-closed', null);
        return;
    }
  }

  #start(nowMs: number): void {
    this.#enter(State.Live);
    this.#startMs = nowMs;
    this.#deadlineMs = nowMs + Math.min(this.#timeLimitMs, this.#streamTimeoutMs);
    this.voice.start(nowMs);
    this.voice.speak(nowMs);
    this.#options.onStart?.();
  }

  get #timeLimitMs(): number {
    return this.#options.timeLimitMs ?? this.voice.durationMs + timeLimitSpareMs;
  }

  get #streamTimeoutMs(): number {
    return this.#options.streamTimeoutMs ?? Number.POSITIVE_INFINITY;
  }

  #timeOut(nowMs: number): void {
    if (nowMs < this.#startMs + this.#streamTimeoutMs) {
      this.#fallSilent('time-limit', 'the call reached its time limit');
    } else {
      this.#fallSilent('stream-timeout', null);
    }
  }

  #speak(nowMs: number): void {
    this.voice.speak(nowMs);
    if ((this.#socket?.bufferedAmount ?? 0) <= unreadBytesMax) return;
    this.violations.record('gateway-not-reading', 'the gateway is 40 s behind with reading');
    this.#stopHearing(nowMs);
    this.#over('dropped', 'Plivo drops a stream that is not read');
  }

  /** True when the caller has said everything and heard everything. */
  #isFinished(nowMs: number): boolean {
    const spokenMs = this.#startMs + this.voice.durationMs;
    if (nowMs >= spokenMs + trailMsMax) return true;
    const lastSoundMs = Math.max(spokenMs, this.ear.loudUntilMs);
    return nowMs >= lastSoundMs + quietMs && this.ear.playout.checkpointsPending === 0;
  }

  #fallSilent(reason: CallEndReason, detail: string | null): void {
    this.#ending.keep(reason, detail);
    this.#enter(State.Settling);
    this.#deadlineMs = performance.now() + settleMsMax;
  }

  #close(): void {
    const nowMs = performance.now();
    this.#stopHearing(nowMs);
    this.#enter(State.Closing);
    this.#deadlineMs = nowMs + closeAnswerMsMax;
    this.#socket?.close(1000);
  }

  #giveUpClosing(): void {
    this.violations.record('close-unanswered', 'the gateway did not answer the close frame');
    this.#over('caller-hangup', null);
  }

  #stopHearing(nowMs: number): void {
    this.#endMs = nowMs;
    this.ear.stop(nowMs);
  }

  #closed(code: number): void {
    if (this.#state === State.Over) return;
    this.#ending.closeCode = code;
    if (this.#state < State.Closing) this.#closedByGateway(code);
    else this.#over('caller-hangup', null);
  }

  #closedByGateway(code: number): void {
    this.#stopHearing(performance.now());
    if (!isOrderlyClose(code)) {
      this.violations.record('close-code-unexpected', `the gateway closed with code ${code}`);
    }
    if (code === 1006) this.#ending.keep('dropped', 'the connection broke without a close frame');
    else this.#ending.keep('gateway-closed', `the gateway closed the socket with code ${code}`);
    if (this.#state === State.Live && !this.#ending.isHungUpByGateway) {
      this.#enter(State.Lingering);
      this.#deadlineMs = this.#endMs + lingerMs;
    } else {
      this.#over('gateway-closed', null);
    }
  }

  #over(reason: CallEndReason, detail: string | null): void {
    if (this.#state === State.Over) return;
    this.#enter(State.Over);
    this.#ending.keep(reason, detail);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#socket?.terminate();
    this.#settle(this.#ending.outcome(this.#startMs, this.#endMs));
  }
}
