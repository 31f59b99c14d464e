import { observe } from '../../src/shard/histogram.js';
import { voiceTime } from '../../src/shard/voice-counters.js';

/** Mean squares of int16 samples. Below -45 dBFS nothing is speech, whatever the line's noise. */
const quietPower = 34_000;
/** Speech is 9 dB above the noise of the line, which is taken for no louder than -30 dBFS. */
const aboveNoise = 8;
const noisePowerMax = 1_000_000;
const noisePowerMin = quietPower / aboveNoise;
/** The noise is known from pauses; with each frame it may be a little louder than the last that was quieter. */
const noiseRise = 1.002;
/** A pause up to this long belongs to what is being said. */
const hangOverMs = 300;
/** Shorter sounds are no speech. */
const speechMsMin = 100;
/** Whoever speaks this soon after the caller's last sound speaks into it. */
const answerMsMin = 40;
/** Later than this, it is no answer any more. */
const answerMsMax = 30_000;

/** Who speaks when: how long callers wait for an answer. */
export class Turns {
  readonly #block: Float64Array;
  #noise = noisePowerMax;
  #speechMs = 0;
  #lastLoudMs = Number.NEGATIVE_INFINITY;
  /** The caller has said something that has had no answer. */
  #asked = false;
  count = 0;
  sumMs = 0;
  maxMs = 0;

  constructor(block: Float64Array) {
    this.#block = block;
  }

  /** A frame of the caller: its mean square. */
  heard(power: number, durationMs: number, nowMs: number): void {
    const risen = Math.min(this.#noise * noiseRise, noisePowerMax);
    this.#noise = Math.max(noisePowerMin, Math.min(power, risen));
    if (power < quietPower || power < this.#noise * aboveNoise) return;
    if (nowMs - this.#lastLoudMs > hangOverMs) this.#speechMs = 0;
    this.#speechMs += durationMs;
    this.#lastLoudMs = nowMs;
    if (this.#speechMs >= speechMsMin) this.#asked = true;
  }

  /** The application begins to speak; answers after how many milliseconds, or -1 where it answers nothing. */
  answered(nowMs: number): number {
    const ms = nowMs - this.#lastLoudMs;
    if (!this.#asked || ms < answerMsMin) return -1;
    this.#asked = false;
    if (ms > answerMsMax) return -1;
    observe(this.#block, voiceTime.response, ms);
    this.count += 1;
    this.sumMs += ms;
    this.maxMs = Math.max(this.maxMs, ms);
    return ms;
  }
}
