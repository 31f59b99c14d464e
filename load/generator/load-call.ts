import { randomUUID } from 'node:crypto';
// The global of that name is behind a getter, which two calls per packet do not need.
import { performance } from 'node:perf_hooks';
import { PlivoSender } from '../plivo-sender.js';
import type { StreamFormat } from '../stream-format.js';
import { State } from './call-state.js';
import { binaryFrame, type MediaFrames, textFrame } from './frames.js';
import { never, slotAt, slotsIn } from './grid.js';
import { Link } from './link.js';
import type { CallEnd, CallResult, Dial } from './messages.js';
import type { Meter } from './meter.js';
import type { Random } from './random.js';
import { type Actor, type Scenario, scenarios } from './scenarios.js';
import { StreamEar } from './stream-ear.js';
import { type Lines, StreamVoice } from './stream-voice.js';

/** What all calls of a thread share. */
export interface CallSurroundings {
  readonly meter: Meter;
  readonly format: StreamFormat;
  readonly lines: Lines;
  readonly insecure: boolean;
  readonly authToken: string | undefined;
  readonly isEcho: boolean;
  framesFor(extraHeaders: string): MediaFrames;
  started(call: LoadCall): void;
  over(result: CallResult): void;
}

const connectMsMax = 10_000;
const settleMsMax = 2_000;
const closeMsMax = 2_000;
/** After a hang-up by REST Plivo closes the socket soon. */
const hangUpCloseMs = 20;
const retryAfterMs = 500;
/** Plivo drops a stream that is 40 s behind with reading (section 2.8). */
const unreadPacketsMax = 2_000;
const mediaJsonBytes = 210;
/** Half a second's: what a connection that breaks may take with it. */
const inFlightPackets = 25;

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
  #ear!: StreamEar;
  #voice!: StreamVoice;
  /** Packets since `start`, sent or held back, of the whole call. */
  #packet = 0;
  #askAt = 0;
  /** Slot in which the present state is left, whatever happens. */
  #deadline = 0;
  #dialledMs: number;
  #startedMs = 0;
  #tries = 0;
  /** The caller has hung up while the server had not answered: its answer still counts. */
  #hasHungUp = false;
  /** We have stopped reading: whatever the server answers is not heard. */
  #isDeaf = false;
  /** Of the streams before this one. */
  #lostBefore = 0;
  /** Over the streams before this one. */
  #sentBefore = 0;
  #end: CallEnd = 'completed';
  #endDetail = '';
  #closeCode = 0;

  constructor(dial: Dial, surroundings: CallSurroundings, random: Random, nowMs: number) {
    this.callId = dial.callId;
    this.#dial = dial;
    this.#with = surroundings;
    this.#scenario = scenarios[dial.scenario];
    this.#random = random;
    this.#speechOffset = Math.floor(random() * surroundings.lines.speech.length);
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

  /**
   * The call's 20 ms are over: `slot` says when this should have been called, `nowMs` when it is. Answers what time it is
   * afterwards.
   */
  tick(slot: number, nowMs: number): number {
    if (this.#state !== State.Live) {
      this.#wait(slot, nowMs);
      return nowMs;
    }
    this.#ear.answerPlayed(nowMs);
    if (slot >= this.#deadline) {
      this.#finish(slot, nowMs);
      return nowMs;
    }
    if (this.#scenario.opening === 'no-start') return nowMs;
    if (this.#packet >= this.#askAt) this.#act();
    if (this.#state !== State.Live) return nowMs;
    this.#packet += 1;
    if (this.#link.unsentBytes > 0) this.#checkUnread();
    return this.#voice.speak(slot, nowMs);
  }

  /** The caller hangs up, wherever the call is. */
  hangUp(nowMs: number): void {
    if (this.#state === State.Live) this.#finish(slotAt(nowMs), nowMs);
    else if (this.#state === State.Away && this.#startedMs > 0) this.#over('completed', '');
    else this.#hasHungUp = true;
  }

  /** Plivo was asked by REST to hang up. */
  hangUpByRest(nowMs: number): void {
    if (this.isConnecting) this.#over('hung-up', '');
    this.#end = 'hung-up';
    if (this.#state !== State.Live) return;
    this.#state = State.Settling;
    this.#deadline = slotAt(nowMs + hangUpCloseMs);
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
    this.#voice.stall(ms);
  }

  stopReading(): void {
    this.#isDeaf = true;
    this.#link.stopReading();
  }

  drop(returnAfterMs: number): void {
    this.#link.destroy();
    this.#state = State.Away;
    const nowMs = performance.now();
    this.#deadline = slotAt(nowMs + returnAfterMs);
    this.#dialledMs = nowMs + returnAfterMs;
    // What was on its way is lost with the connection, and nobody's fault.
    const { echo } = this.#ear;
    if (this.#isJudged) this.#lostBefore += Math.max(0, echo.open - inFlightPackets);
  }

  sendStart(): void {
    this.sendText(this.#sender.start());
  }

  interrupt(): boolean {
    if (this.#ear.playout.leadMs(performance.now()) === 0) return false;
    this.#voice.interrupt();
    return true;
  }

  #connect(nowMs: number): void {
    const { format, insecure, authToken } = this.#with;
    this.#state = State.Connecting;
    this.#deadline = slotAt(nowMs + connectMsMax);
    this.#streamId = randomUUID();
    const { extraHeaders, accountId } = this.#dial;
    const names = { callId: this.callId, streamId: this.#streamId, accountId };
    this.#sender = new PlivoSender({ ...names, extraHeaders, format });
    const { meter, lines } = this.#with;
    this.#sentBefore += this.#ear?.echo.sent ?? 0;
    this.#ear = new StreamEar({
      ...{ streamId: this.#streamId, format, meter, sender: this.#sender },
      isJudged: this.#isJudged,
      send: (text) => this.sendText(text),
    });
    this.#tries += 1;
    this.#link = new Link(
      { url: this.#url(), insecure, authToken },
      {
        opened: () => this.#opened(performance.now()),
        failed: (kind, detail) => this.#connectFailed(kind, detail),
        audio: (byteCount, buffer, from, until) => {
          if (this.#state <= State.Settling) this.#ear.heard(byteCount, buffer, from, until);
        },
        text: (text) => {
          if (this.#state <= State.Settling) this.#ear.told(text);
        },
        binary: (count) => meter.violate('binary-frame', `a message of ${count} bytes`),
        closed: (code, detail) => this.#closed(code, detail),
      },
    );
    this.#voice = new StreamVoice({
      ...{ streamId: this.#streamId, meter, lines, sender: this.#sender },
      ...{ ear: this.#ear, link: this.#link, offset: this.#speechOffset },
      frames: this.#with.framesFor(extraHeaders),
      isSilent: this.#scenario.isSilent === true,
      waitsForAnswer: !this.#isJudged,
    });
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
    const { lengthMs } = this.#dial;
    this.#deadline = lengthMs === undefined ? never : slotAt(this.#startedMs + lengthMs);
    if (isFirst) this.#with.started(this);
    this.#open();
    if (this.#hasHungUp) this.#finish(slotAt(nowMs), nowMs);
  }

  #open(): void {
    const { opening } = this.#scenario;
    if (opening === 'no-start') return;
    if (opening === 'media-first') this.#voice.speakEarly();
    this.sendStart();
  }

  #connectFailed(kind: string, detail: string): void {
    if (this.#tries <= this.#dial.retries && !this.#hasHungUp) {
      this.#state = State.Away;
      this.#deadline = slotAt(performance.now() + retryAfterMs);
      return;
    }
    this.#over('connect-failed', kind === detail ? kind : `${kind}\n${detail}`);
  }

  #act(): void {
    const { act } = this.#scenario;
    this.#askAt = act === undefined ? never : Math.min(never, act(this, this.#packet));
  }

  #checkUnread(): void {
    const { format } = this.#with;
    const packetBytes = mediaJsonBytes + (format.frameSamples * format.sampleBytes * 4) / 3;
    if (this.#link.unsentBytes < unreadPacketsMax * packetBytes) return;
    this.#with.meter.violate('gateway-not-reading', 'the server is 40 s behind with reading');
    this.#over('dropped', 'the server is 40 s behind with reading');
  }

  /** Everything that happens while no packets are sent. */
  #wait(slot: number, nowMs: number): void {
    const isDue = slot >= this.#deadline;
    switch (this.#state) {
      case State.Connecting:
        if (!isDue) return;
        this.#link.destroy();
        this.#connectFailed('timeout', `no answer to the upgrade within ${connectMsMax} ms`);
        return;
      case State.Away:
        if (isDue) this.#connect(nowMs);
        return;
      case State.Settling:
        if (isDue || (this.#end !== 'hung-up' && this.#hasAllBack)) this.#close(slot);
        return;
      case State.Closing:
        if (!isDue) return;
        if (!this.#isDeaf) {
          this.#with.meter.violate('close-unanswered', 'it did not answer the close frame');
        }
        this.#over(this.#end, this.#endDetail);
        return;
    }
  }

  get #isJudged(): boolean {
    return this.#with.isEcho && this.#scenario.isJudged;
  }

  get #hasAllBack(): boolean {
    return !this.#isJudged || this.#ear.echo.open <= 0;
  }

  #finish(slot: number, nowMs: number): void {
    this.#state = State.Settling;
    this.#deadline = slot + slotsIn(settleMsMax);
    this.#wait(slot, nowMs);
  }

  #close(slot: number): void {
    this.#state = State.Closing;
    this.#deadline = slot + slotsIn(closeMsMax);
    this.#link.close(1000);
  }

  #closed(code: number, detail: string): void {
    this.#closeCode = code;
    if (this.#state === State.Closing || this.#end === 'hung-up') this.#over(this.#end, '');
    else this.#over(code === 1006 ? 'dropped' : 'server-closed', detail);
  }

  #over(end: CallEnd, detail: string): void {
    if (this.#state === State.Over) return;
    this.#state = State.Over;
    const nowMs = performance.now();
    const { counters } = this.#with.meter;
    const lastedMs = this.#startedMs === 0 ? 0 : nowMs - this.#startedMs;
    const open = end === 'hung-up' ? 0 : this.#ear.lose(nowMs);
    const lost = this.#lostBefore + open;
    counters.ended += 1;
    counters.lost += lost;
    this.#link.destroy();
    const closeCode = this.#closeCode;
    const { isEcho } = this.#with;
    const isExpected = this.#scenario.isExpected({ end, closeCode, lastedMs, isEcho });
    if (end === 'connect-failed' && !isExpected) counters.failed += 1;
    const { callId, scenario } = this.#dial;
    const ending = { end, detail, closeCode, isExpected };
    this.#with.over({
      callId,
      scenario,
      ...ending,
      lastedMs,
      sent: this.#sentBefore + this.#ear.echo.sent,
      lost,
    });
  }
}
