import { performance } from 'node:perf_hooks';
import { ptimeMs } from '../../src/limits.js';
import { readGatewayMessage } from '../gateway-message.js';
import { PlayoutModel } from '../playout-model.js';
import type { PlivoSender } from '../plivo-sender.js';
import type { StreamFormat } from '../stream-format.js';
import { EchoMeter } from './echo-meter.js';
import { msOfSlot } from './grid.js';
import { isLoud } from './loudness.js';
import { lateMs, type Meter } from './meter.js';

export interface StreamEarOptions {
  readonly streamId: string;
  readonly format: StreamFormat;
  readonly meter: Meter;
  readonly sender: PlivoSender;
  /** What comes back is the caller's own audio: turnarounds and losses count. */
  readonly isJudged: boolean;
  send(text: string): void;
}

/** What a jitter buffer holds before the caller hears it. */
const playoutDelayMs = 2 * ptimeMs;

/** Plivo's receiving half of one stream: plays audio out, answers checkpoints and clears, and times what comes. */
export class StreamEar {
  readonly echo: EchoMeter;
  readonly playout: PlayoutModel;
  readonly #options: StreamEarOptions;
  // Fields of its own: every message needs them, and V8 finds a field faster than a property of somebody's options.
  readonly #meter: Meter;
  readonly #format: StreamFormat;
  readonly #isJudged: boolean;
  /** Checkpoints wait for their audio to play out. */
  #hasCheckpoints = false;
  /** Slot of the last packet of a turn that nobody has answered yet; 0 if none. */
  #turnEnded = 0;
  /** Slot of the first packet with which the caller talked into the application's speech; 0 if none. */
  #barged = 0;

  constructor(options: StreamEarOptions) {
    const { rateHz, frameSamples, sampleBytes } = options.format;
    this.#options = options;
    this.#meter = options.meter;
    this.#format = options.format;
    this.#isJudged = options.isJudged;
    this.echo = new EchoMeter(frameSamples * sampleBytes);
    // An echo never pauses: every time it runs dry the caller hears it.
    const pause = options.isJudged ? { pauseMsMin: Number.POSITIVE_INFINITY } : {};
    this.playout = new PlayoutModel({ rateHz, startDelayMs: playoutDelayMs, ...pause });
  }

  /** The caller has begun to speak. */
  turnBegan(): void {
    this.#turnEnded = 0;
  }

  /** The caller's last turn has no answer yet. */
  get isAwaited(): boolean {
    return this.#turnEnded > 0;
  }

  /** The caller waits no longer: the answer took at least so long. */
  gaveUp(nowMs: number): void {
    this.#meter.record('response', nowMs - msOfSlot(this.#turnEnded));
    this.#turnEnded = 0;
  }

  /** The stream is over: what has not come back took at least until now. Answers how many packets that are. */
  lose(nowMs: number): number {
    if (!this.#isJudged) return 0;
    const { echo } = this;
    for (let packet = echo.returned; packet < echo.sent; packet += 1) {
      this.#meter.turnaround.record(nowMs - msOfSlot(echo.dueSlot(packet)));
    }
    return echo.sent - echo.returned;
  }

  /** The caller has fallen silent; the last packet of the turn was due then. */
  turnEnded(slot: number): void {
    this.#turnEnded = slot;
    this.#meter.counters.turns += 1;
  }

  barged(slot: number): void {
    // The one before was never answered by a clear: that took at least until now.
    if (this.#barged > 0) this.#meter.record('barge', msOfSlot(slot) - msOfSlot(this.#barged));
    this.#barged = slot;
  }

  /** A message with audio: its base64 lies between `from` and `until`. */
  heard(byteCount: number, buffer: Buffer, from: number, until: number): void {
    const nowMs = performance.now();
    const format = this.#format;
    const { counters } = this.#meter;
    counters.received += 1;
    const returned = this.echo.received(byteCount);
    if (returned > 0 && this.#isJudged) this.#returned(returned, nowMs);
    else if (this.#isJudged && this.echo.open === 0) counters.surplus += 1;
    const before = this.playout.underruns;
    if (!this.playout.push(byteCount / format.sampleBytes, nowMs)) counters.overflows += 1;
    counters.gaps += this.playout.underruns - before;
    if (this.#turnEnded > 0 && isLoud(buffer, from, until, format)) this.#answered(nowMs);
  }

  /** Messages without audio, and a sample of those with it. */
  told(text: string): void {
    const { streamId, format, meter } = this.#options;
    const report: Meter['violate'] = (name, detail) => meter.violate(name, detail);
    const message = readGatewayMessage(Buffer.from(text), { streamId, format }, report);
    const nowMs = performance.now();
    if (message?.event === 'checkpoint') {
      meter.counters.checkpoints += 1;
      this.#hasCheckpoints = true;
      if (!this.playout.checkpoint(message.name, nowMs)) {
        report('checkpoint-name-duplicate', `the checkpoint "${message.name}" is still pending`);
      }
    } else if (message?.event === 'clearAudio') {
      this.#cleared(nowMs);
    }
  }

  /** Sends `playedStream` for the checkpoints whose audio has played out. */
  answerPlayed(nowMs: number): void {
    if (!this.#hasCheckpoints || this.playout.nextDueMs() > nowMs) return;
    for (const { name } of this.playout.advance(nowMs)) {
      this.#options.send(this.#options.sender.playedStream(name));
    }
    this.#hasCheckpoints = this.playout.checkpointsPending > 0;
  }

  #returned(count: number, nowMs: number): void {
    const meter = this.#meter;
    const { echo } = this;
    meter.counters.returned += count;
    for (let packet = echo.returned - count; packet < echo.returned; packet += 1) {
      const turnaroundMs = nowMs - msOfSlot(echo.dueSlot(packet));
      meter.turnaround.record(turnaroundMs);
      if (turnaroundMs > lateMs) meter.counters.late += 1;
    }
  }

  /** The first sound after the caller's turn answers it. */
  #answered(nowMs: number): void {
    const { meter } = this.#options;
    meter.counters.answered += 1;
    meter.record('response', Math.max(0, nowMs - msOfSlot(this.#turnEnded)));
    this.#turnEnded = 0;
  }

  #cleared(nowMs: number): void {
    const { meter, format, send, sender } = this.#options;
    const { droppedSamples } = this.playout.clear(nowMs);
    meter.counters.clears += 1;
    meter.counters.clearedMs += Math.round((droppedSamples * 1_000) / format.rateHz);
    if (this.#barged > 0) meter.record('barge', nowMs - msOfSlot(this.#barged));
    this.#barged = 0;
    send(sender.clearedAudio());
  }
}
