import { oneWaySilenceMs } from '../../src/limits.js';
import { observe } from '../../src/shard/histogram.js';
import type { VoiceSummary } from '../../src/shard/record.js';
import {
  clippedFrames,
  type OneWaySide,
  oneWay,
  voiceCounter,
  voiceLevel,
  voiceTime,
} from '../../src/shard/voice-counters.js';
import { Ear } from './ear.js';
import { Loudness } from './loudness.js';
import { Packets } from './packets.js';
import { Turns } from './turns.js';

/** Of µ-law, the two codes next to nought are silence too. */
const silencePeak = 8;
/** Mean squares below -60 dBFS are no sound that an answer begins with. */
const soundPower = 1_100;

/** A word about the call for its timeline. */
export type Tell = (what: string, ms?: number) => void;

/** What one call sounds like, in numbers: for its route's metrics, and for its record. Milliseconds of the shard. */
export class VoiceMeter {
  readonly packets: Packets;
  readonly #block: Float64Array;
  readonly #turns: Turns;
  readonly #ear: Ear;
  readonly #in: Loudness;
  readonly #out: Loudness;
  readonly #openedMs: number;
  /** Nothing may be played on such a stream. */
  readonly #isOneWay: boolean;
  readonly #tell: Tell;
  #setupMs = -1;
  #lastSoundMs: number;
  #isSound = true;
  #late = 0;
  readonly #lacks: OneWaySide[] = [];

  /** `rate`: samples a second on the wire. */
  constructor(
    block: Float64Array,
    openedMs: number,
    nowMs: number,
    rate: number,
    isOneWay: boolean,
    tell: Tell,
  ) {
    this.#block = block;
    this.packets = new Packets(block);
    this.#turns = new Turns(block);
    this.#ear = new Ear(block);
    this.#in = new Loudness(block, voiceLevel.in, clippedFrames.in, rate);
    this.#out = new Loudness(block, voiceLevel.out, clippedFrames.out, rate);
    this.#openedMs = openedMs;
    this.#lastSoundMs = nowMs;
    this.#isOneWay = isOneWay;
    this.#tell = tell;
  }

  /** The call goes on: its first audio is long past. */
  resume(): void {
    this.#setupMs = Number.NaN;
  }

  /** A frame of the caller: sum of squares, greatest magnitude, samples. */
  heard(sum: number, peak: number, samples: number, durationMs: number, nowMs: number): void {
    this.#in.add(sum, peak, samples);
    if (peak > silencePeak) this.#lastSoundMs = nowMs;
    this.#turns.heard(sum / samples, durationMs, nowMs);
  }

  /** Audio of the application, on its way out. */
  encoded(sum: number, peak: number, samples: number): void {
    this.#out.add(sum, peak, samples);
    this.#isSound = sum > samples * soundPower;
  }

  /** Audio of this length was sent to Plivo. */
  sent(nowMs: number, ms: number): void {
    if (this.#setupMs < 0) this.#spoke(nowMs);
    if (!this.#ear.sent(nowMs, ms, this.#isSound)) return;
    const answeredMs = this.#turns.answered(nowMs);
    if (answeredMs >= 0) this.#tell('answered', answeredMs);
  }

  /** Frames that should have left before. */
  late(frames: number): void {
    this.#late += frames;
    this.#block[voiceCounter.late]! += frames;
  }

  #spoke(nowMs: number): void {
    this.#setupMs = nowMs - this.#openedMs;
    observe(this.#block, voiceTime.setup, this.#setupMs);
    this.#tell('first-audio', this.#setupMs);
  }

  clear(nowMs: number): void {
    this.#ear.clear(nowMs);
    this.#tell('clear');
  }

  cleared(nowMs: number): void {
    const ms = this.#ear.cleared(nowMs);
    if (ms >= 0) this.#tell('cleared', ms);
  }

  /** A few times a second, while the call is live. */
  look(nowMs: number): void {
    this.#ear.look(nowMs);
    if (nowMs - this.#lastSoundMs >= oneWaySilenceMs) this.#lack('caller-silent');
    const isMute = this.#setupMs < 0 && !this.#isOneWay;
    if (isMute && nowMs - this.#openedMs >= oneWaySilenceMs) this.#lack('nothing-played');
  }

  #lack(side: OneWaySide): void {
    if (this.#lacks.includes(side)) return;
    this.#lacks.push(side);
    this.#block[oneWay[side]]! += 1;
    this.#tell(side);
  }

  summary(): VoiceSummary {
    const { packets } = this;
    const { count, sumMs, maxMs } = this.#turns;
    const { underruns, underrunMs, bargeIns, bargeInMsMax } = this.#ear;
    return {
      setupMs: this.#setupMs >= 0 ? this.#setupMs : null,
      responses: count,
      responseMsMean: count === 0 ? null : Math.round(sumMs / count),
      responseMsMax: count === 0 ? null : maxMs,
      bargeIns,
      bargeInMsMax: bargeIns === 0 ? null : bargeInMsMax,
      underruns,
      underrunMs,
      lateFrames: this.#late,
      longestGapMs: Math.round(packets.longestGapMs),
      jitterMs: Math.round(packets.jitterMs * 10) / 10,
      packetsLost: packets.lost,
      packetsReordered: packets.reordered,
      levelInDb: decibels(this.#in.ratio),
      levelOutDb: decibels(this.#out.ratio),
      oneWay: this.#lacks,
    };
  }
}

/** Of full scale; null without any sound. */
function decibels(ratio: number | undefined): number | null {
  if (ratio === undefined || ratio === 0) return null;
  return Math.round(200 * Math.log10(ratio)) / 10;
}
