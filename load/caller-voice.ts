import { ptimeMs } from '../src/limits.js';
import type { TimedDigit } from './caller-options.js';
import type { PlivoSender } from './plivo-sender.js';
import { type Speech, silencePayload } from './stream-format.js';
import type { TurnaroundMeter } from './turnaround.js';

/**
 * Plivo's sending half of one stream, on an absolute schedule: media message n is due at
 * start + n × 20 ms, or when the speech says, never in answer to anything. After a stall all that is due leaves at once, and
 * the schedule is never based anew on now. When the speech is over, silence follows.
 */
export class CallerVoice {
  readonly #speech: Speech;
  readonly #digits: readonly TimedDigit[];
  readonly #silence: string;
  readonly #sender: PlivoSender;
  readonly #turnaround: TurnaroundMeter;
  readonly #send: (text: string) => void;
  #startMs = 0;
  #mediaSent = 0;
  #digitsSent = 0;
  #lagMsMax = 0;

  constructor(
    speech: Speech,
    digits: readonly TimedDigit[],
    sender: PlivoSender,
    turnaround: TurnaroundMeter,
    send: (text: string) => void,
  ) {
    this.#speech = speech;
    this.#digits = digits;
    this.#silence = silencePayload(speech.format);
    this.#sender = sender;
    this.#turnaround = turnaround;
    this.#send = send;
  }

  get mediaSent(): number {
    return this.#mediaSent;
  }

  /** How late a media message ever was through our own doing, ms. */
  get lagMsMax(): number {
    return this.#lagMsMax;
  }

  /** From `start` to the last word or key, ms. */
  get durationMs(): number {
    const lastDigitMs = this.#digits.at(-1)?.atMs ?? 0;
    return Math.max(this.#dueAfterMs(this.#speech.payloads.length), lastDigitMs);
  }

  /** When the next media message is due. */
  get dueMs(): number {
    return this.#startMs + this.#dueAfterMs(this.#mediaSent);
  }

  /** When a media message is due after `start`; behind the speech the silence goes on from its last. */
  #dueAfterMs(index: number): number {
    const { atMs } = this.#speech;
    if (atMs === undefined) return index * ptimeMs;
    const last = atMs.length - 1;
    return atMs[index] ?? atMs[last]! + (index - last) * ptimeMs;
  }

  /** Sends `start`; everything else counts from here. */
  start(nowMs: number): void {
    this.#startMs = nowMs;
    this.#send(this.#sender.start());
  }

  /** Sends all media and digits that are due. */
  speak(nowMs: number): void {
    while (this.dueMs <= nowMs) {
      const payload = this.#speech.payloads[this.#mediaSent] ?? this.#silence;
      const text = this.#sender.media(payload, performance.timeOrigin + this.dueMs);
      this.#lagMsMax = Math.max(this.#lagMsMax, nowMs - this.dueMs);
      this.#turnaround.sent(performance.now());
      this.#send(text);
      this.#mediaSent += 1;
    }
    for (;;) {
      const next = this.#digits[this.#digitsSent];
      if (next === undefined || this.#startMs + next.atMs > nowMs) return;
      this.#send(this.#sender.dtmf(next.digit, performance.timeOrigin + nowMs));
      this.#digitsSent += 1;
    }
  }
}
