import { randomUUID } from 'node:crypto';
// The global of that name is behind a getter, which two calls per packet do not need.
import { performance } from 'node:perf_hooks';
import { ptimeMs } from '../../src/limits.js';
import { readGatewayMessage } from '../gateway-message.js';
import { PlayoutModel } from '../playout-model.js';
import { PlivoSender } from '../plivo-sender.js';
import type { StreamFormat } from '../stream-format.js';
import { EchoMeter } from './echo-meter.js';
import { binaryFrame, MediaFrame, textFrame } from './frames.js';
import { Link } from './link.js';
import { isLoud } from './loudness.js';
import type { CallEnd, CallResult, Dial } from './messages.js';
import { lateMs, type Meter } from './meter.js';
import type { Random } from './random.js';
import { type Actor, type Scenario, scenarios } from './scenarios.js';

/** Only ever moves forward, but for a call that breaks and returns: then it goes back to `Connecting`. */
const State = {
  Connecting: 0,
  /** Open; `start` has been sent, or is not going to be. */
  Live: 1,
  /** The connection broke on purpose; the call comes back. */
  Away: 2,
  /** The caller says nothing more and waits for what is on its way. */
  Settling: 3,
  Closing: 4,
  Over: 5,
} as const;
type State = (typeof State)[keyof typeof State];

/** What all calls of a thread share. */
export interface CallSurroundings {
  readonly meter: Meter;
  readonly format: StreamFormat;
  /** Base64 of 20 ms each, as bytes. */
  readonly speech: readonly Buffer[];
  readonly silence: Buffer;
  readonly insecure: boolean;
  readonly isEcho: boolean;
  started(call: LoadCall): void;
  over(result: CallResult): void;
}

const turnPackets = 700 / ptimeMs;
const connectMsMax = 10_000;
const settleMsMax = 2_000;
const closeMsMax = 2_000;
/** After a hang-up by REST Plivo closes the socket soon. */
const hangUpCloseMs = 20;
const retryAfterMs = 500;
/** What a jitter buffer holds before the caller hears it. */
const playoutDelayMs = 2 * ptimeMs;
/** Plivo drops a stream that is 40 s behind with reading (section 2.8). */
const unreadPacketsMax = 2_000;
const mediaJsonBytes = 210;
const earlyPackets = 5;

/** One simulated call: what Plivo would send of it, and what its caller would hear. */
export class LoadCall implements Actor {
  readonly callId: string;
  readonly #dial: Dial;
  readonly #with: CallSurroundings;
  readonly #scenario: Scenario;
  readonly #random: Random;
  readonly #speechOffset: number;
  #state: State = State.Connecting;
  #link!: Link;
  #streamId = '';
  #sender!: PlivoSender;
  #media!: MediaFrame;
  #echo!: EchoMeter;
  #playout!: PlayoutModel;
  /** Packets since `start`, sent or held back, of the whole call. */
  #packet = 0;
  #askAt = 0;
  #heldUntilMs = 0;
  #deadlineMs = 0;
  #dialledMs: number;
  #startedMs = 0;
  #tries = 0;
  #sent = 0;
  #speakUntil = 0;
  #turnEndedMs = 0;
  #bargedMs = 0;
  #end: CallEnd = 'completed';
  #endDetail = '';
  #closeCode = 0;

  constructor(dial: Dial, surroundings: CallSurroundings, random: Random, nowMs: number) {
    this.callId = dial.callId;
    this.#dial = dial;
    this.#with = surroundings;
    this.#scenario = scenarios[dial.scenario];
    this.#random = random;
    this.#speechOffset = Math.floor(random() * surroundings.speech.length);
    this.#dialledMs = nowMs;
    this.#connect(nowMs);
  }

  get isOver(): boolean {
    return this.#state === State.Over;
  }

  get isConnecting(): boolean {
    return this.#state === State.Connecting || this.#state === State.Away;
  }

  get streamId(): string {
    return this.#streamId;
  }

  /** The call's 20 ms are over: `dueMs` is when this should have been called. Answers what time it is afterwards. */
  tick(dueMs: number, nowMs: number): number {
    if (this.#state !== State.Live) {
      this.#wait(nowMs);
      return nowMs;
    }
    if (this.#playout.nextDueMs() <= nowMs) this.#answerPlayed(nowMs);
    if (nowMs >= this.#deadlineMs) {
      this.#finish(nowMs);
      return nowMs;
    }
    if (this.#scenario.opening === 'no-start') return nowMs;
    if (this.#echo.sent === 0) this.#echo.start(dueMs);
    if (this.#packet >= this.#askAt) this.#act();
    if (this.#state !== State.Live) return nowMs;
    this.#packet += 1;
    return dueMs < this.#heldUntilMs ? nowMs : this.#speak(nowMs);
  }

  /** The caller hangs up, wherever the call is. */
  hangUp(nowMs: number): void {
    if (this.#state === State.Live) this.#finish(nowMs);
    else if (this.isConnecting) this.#over('completed', 'before it was connected');
  }

  /** Plivo was asked by REST to hang up. */
  hangUpByRest(nowMs: number): void {
    if (this.isConnecting) this.#over('hung-up', '');
    this.#end = 'hung-up';
    if (this.#state !== State.Live) return;
    this.#state = State.Settling;
    this.#deadlineMs = nowMs + hangUpCloseMs;
  }

  random(): number {
    return this.#random();
  }

  press(digit: string): void {
    this.sendText(this.#sender.dtmf(digit, Date.now()));
  }

  sendText(text: string): void {
    this.#link.send(textFrame(text));
  }

  sendBinary(bytes: Uint8Array): void {
    this.#link.send(binaryFrame(bytes));
  }

  stall(ms: number): void {
    const count = Math.ceil(ms / ptimeMs);
    this.#heldUntilMs = this.#echo.dueMs(this.#echo.sent) + count * ptimeMs;
    this.#echo.hold(count + 1, this.#heldUntilMs);
  }

  stopReading(): void {
    this.#link.stopReading();
  }

  drop(returnAfterMs: number): void {
    this.#link.destroy();
    this.#state = State.Away;
    this.#deadlineMs = performance.now() + returnAfterMs;
  }

  sendStart(): void {
    this.sendText(this.#sender.start());
  }

  interrupt(): boolean {
    const nowMs = performance.now();
    if (this.#playout.leadMs(nowMs) === 0) return false;
    this.#speakUntil = this.#packet + turnPackets;
    this.#bargedMs = this.#echo.dueMs(this.#echo.sent);
    return true;
  }

  #connect(nowMs: number): void {
    const { format } = this.#with;
    this.#state = State.Connecting;
    this.#deadlineMs = nowMs + connectMsMax;
    this.#streamId = randomUUID();
    const { extraHeaders, accountId } = this.#dial;
    const names = { callId: this.callId, streamId: this.#streamId, accountId };
    this.#sender = new PlivoSender({ ...names, extraHeaders, format });
    this.#media = new MediaFrame({ streamId: this.#streamId, format, extraHeaders });
    this.#echo = new EchoMeter(format.frameSamples * format.sampleBytes);
    this.#playout = new PlayoutModel({ rateHz: format.rateHz, startDelayMs: playoutDelayMs });
    this.#tries += 1;
    this.#link = new Link(
      { url: this.#url(), insecure: this.#with.insecure },
      {
        opened: () => this.#opened(performance.now()),
        failed: (kind, detail) => this.#connectFailed(kind, detail),
        audio: (byteCount, buffer, from, until) => this.#heard(byteCount, buffer, from, until),
        text: (text) => this.#told(text),
        binary: (count) => this.#violate('binary-frame', `a message of ${count} bytes`),
        closed: (code, detail) => this.#closed(code, detail),
      },
    );
  }

  #url(): string {
    if (this.#scenario.opening !== 'bad-token') return this.#dial.url;
    const url = new URL(this.#dial.url);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/no-token-of-this-gateway`;
    return url.href;
  }

  #opened(nowMs: number): void {
    const { meter } = this.#with;
    meter.counters.connected += 1;
    meter.record('connect', nowMs - this.#dialledMs);
    this.#state = State.Live;
    const isFirst = this.#startedMs === 0;
    if (isFirst) this.#startedMs = nowMs;
    this.#deadlineMs = this.#startedMs + (this.#dial.lengthMs ?? Number.POSITIVE_INFINITY);
    if (isFirst) this.#with.started(this);
    if (this.#scenario.opening === 'no-start') return;
    if (this.#scenario.opening === 'media-first') this.#sendEarlyMedia();
    this.sendStart();
  }

  #sendEarlyMedia(): void {
    for (let i = 0; i < earlyPackets; i += 1) {
      const number = this.#sender.nextNumber();
      this.#link.send(this.#media.fill(number, number, Date.now(), this.#with.silence));
    }
  }

  #connectFailed(kind: string, detail: string): void {
    const { counters } = this.#with.meter;
    if (this.#tries <= this.#dial.retries) {
      this.#state = State.Away;
      this.#deadlineMs = performance.now() + retryAfterMs;
      return;
    }
    counters.failed += 1;
    this.#over('connect-failed', kind === detail ? kind : `${kind}\n${detail}`);
  }

  #act(): void {
    const { act } = this.#scenario;
    this.#askAt = act === undefined ? Number.POSITIVE_INFINITY : act(this, this.#packet);
  }

  /** Sends the packet that is due, and before it those that were held back. */
  #speak(fromMs: number): number {
    const { meter } = this.#with;
    const echo = this.#echo;
    for (let nowMs = fromMs; ; ) {
      const dueMs = echo.dueMs(echo.sent);
      if (dueMs > nowMs) return nowMs;
      const number = this.#sender.nextNumber();
      const unixMs = performance.timeOrigin + dueMs;
      this.#link.send(this.#media.fill(number, echo.sent + 1, unixMs, this.#payload(dueMs)));
      echo.packetSent();
      this.#sent += 1;
      meter.counters.sent += 1;
      nowMs = performance.now();
      meter.lag.record(nowMs - dueMs);
      if (this.#link.unsentBytes > 0) this.#checkUnread();
    }
  }

  #payload(dueMs: number): Buffer {
    const { speech, silence } = this.#with;
    const packet = this.#echo.sent;
    const isTurn = this.#scenario.isSilent
      ? packet < this.#speakUntil
      : packet % (2 * turnPackets) < turnPackets;
    if (isTurn) {
      this.#turnEndedMs = 0;
      return speech[(this.#speechOffset + packet) % speech.length] ?? silence;
    }
    if (packet % (2 * turnPackets) === turnPackets && !this.#scenario.isSilent) {
      this.#turnEndedMs = dueMs - ptimeMs;
      this.#with.meter.counters.turns += 1;
    }
    return silence;
  }

  #checkUnread(): void {
    const { format } = this.#with;
    const packetBytes = mediaJsonBytes + (format.frameSamples * format.sampleBytes * 4) / 3;
    if (this.#link.unsentBytes < unreadPacketsMax * packetBytes) return;
    this.#violate('gateway-not-reading', 'the server is 40 s behind with reading');
    this.#over('dropped', 'the server is 40 s behind with reading');
  }

  #heard(byteCount: number, buffer: Buffer, from: number, until: number): void {
    if (this.#state !== State.Live && this.#state !== State.Settling) return;
    const nowMs = performance.now();
    const { meter, format } = this.#with;
    const { counters } = meter;
    counters.received += 1;
    const returned = this.#echo.received(byteCount);
    if (returned > 0 && this.#isJudged) this.#returned(returned, nowMs);
    const before = this.#playout.underruns;
    if (!this.#playout.push(byteCount / format.sampleBytes, nowMs)) counters.overflows += 1;
    counters.gaps += this.#playout.underruns - before;
    if (this.#turnEndedMs > 0) this.#answered(buffer, from, until, nowMs);
  }

  #returned(count: number, nowMs: number): void {
    const { meter } = this.#with;
    const echo = this.#echo;
    meter.counters.returned += count;
    for (let packet = echo.returned - count; packet < echo.returned; packet += 1) {
      const turnaroundMs = nowMs - echo.dueMs(packet);
      meter.turnaround.record(turnaroundMs);
      if (turnaroundMs > lateMs) meter.counters.late += 1;
    }
  }

  /** The first sound after the caller's turn answers it. */
  #answered(buffer: Buffer, from: number, until: number, nowMs: number): void {
    if (!isLoud(buffer, from, until, this.#with.format)) return;
    const { meter } = this.#with;
    meter.counters.answered += 1;
    meter.record('response', Math.max(0, nowMs - this.#turnEndedMs));
    this.#turnEndedMs = 0;
  }

  /** Messages without audio, and a sample of those with it. */
  #told(text: string): void {
    const { format, meter } = this.#with;
    const report = (...violation: Parameters<Meter['violations']['record']>): void =>
      this.#violate(...violation);
    const stream = { streamId: this.#streamId, format };
    const message = readGatewayMessage(Buffer.from(text), stream, report);
    const nowMs = performance.now();
    if (message?.event === 'checkpoint') {
      meter.counters.checkpoints += 1;
      if (!this.#playout.checkpoint(message.name, nowMs)) {
        report('checkpoint-name-duplicate', `the checkpoint "${message.name}" is still pending`);
      }
    } else if (message?.event === 'clearAudio') {
      this.#cleared(nowMs);
    }
  }

  #cleared(nowMs: number): void {
    const { meter, format } = this.#with;
    const { droppedSamples } = this.#playout.clear(nowMs);
    meter.counters.clears += 1;
    meter.counters.clearedMs += (droppedSamples * 1_000) / format.rateHz;
    if (this.#bargedMs > 0) meter.record('barge', nowMs - this.#bargedMs);
    this.#bargedMs = 0;
    this.sendText(this.#sender.clearedAudio());
  }

  #answerPlayed(nowMs: number): void {
    for (const { name } of this.#playout.advance(nowMs)) {
      this.sendText(this.#sender.playedStream(name));
    }
  }

  /** Everything that happens while no packets are sent. */
  #wait(nowMs: number): void {
    const isDue = nowMs >= this.#deadlineMs;
    switch (this.#state) {
      case State.Connecting:
        if (!isDue) return;
        this.#link.destroy();
        this.#connectFailed('timeout', `no answer to the upgrade within ${connectMsMax} ms`);
        return;
      case State.Away:
        if (!isDue) return;
        this.#dialledMs = nowMs;
        this.#connect(nowMs);
        return;
      case State.Settling:
        if (isDue || (this.#end !== 'hung-up' && this.#hasAllBack)) this.#close(nowMs);
        return;
      case State.Closing:
        if (!isDue) return;
        this.#violate('close-unanswered', 'the server did not answer the close frame');
        this.#over(this.#end, this.#endDetail);
        return;
    }
  }

  get #isJudged(): boolean {
    return this.#with.isEcho && this.#scenario.isJudged;
  }

  get #hasAllBack(): boolean {
    return !this.#isJudged || this.#echo.open <= 0;
  }

  #finish(nowMs: number): void {
    this.#state = State.Settling;
    this.#deadlineMs = nowMs + settleMsMax;
    this.#wait(nowMs);
  }

  #close(nowMs: number): void {
    this.#state = State.Closing;
    this.#deadlineMs = nowMs + closeMsMax;
    this.#link.close(1000);
  }

  #closed(code: number, detail: string): void {
    this.#closeCode = code;
    if (this.#state === State.Closing || this.#end === 'hung-up') this.#over(this.#end, '');
    else this.#over(code === 1006 ? 'dropped' : 'server-closed', detail);
  }

  #violate(...violation: Parameters<Meter['violations']['record']>): void {
    this.#with.meter.counters.violations += 1;
    this.#with.meter.violations.record(...violation);
  }

  #over(end: CallEnd, detail: string): void {
    if (this.#state === State.Over) return;
    this.#state = State.Over;
    const nowMs = performance.now();
    const { counters } = this.#with.meter;
    const lastedMs = this.#startedMs === 0 ? 0 : nowMs - this.#startedMs;
    const lost = this.#isJudged && end !== 'hung-up' ? Math.max(0, this.#echo.open) : 0;
    counters.ended += 1;
    counters.lost += lost;
    this.#link.destroy();
    const closeCode = this.#closeCode;
    const { isEcho } = this.#with;
    const isExpected = this.#scenario.isExpected({ end, closeCode, lastedMs, isEcho });
    const { callId, scenario } = this.#dial;
    const ending = { end, detail, closeCode, isExpected };
    this.#with.over({ callId, scenario, ...ending, lastedMs, sent: this.#sent, lost });
  }
}
