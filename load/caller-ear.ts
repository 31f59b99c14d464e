import { ptimeMs } from '../src/limits.js';
import { type GatewayMessage, readGatewayMessage, type StreamFacts } from './gateway-message.js';
import { HeardAudio } from './heard-audio.js';
import { PlayoutModel } from './playout-model.js';
import type { PlivoSender } from './plivo-sender.js';
import { samplesFromWire } from './stream-format.js';
import { TurnaroundMeter } from './turnaround.js';
import type { ReportViolation } from './violations.js';

/** Counts of what the gateway said, live while the call runs. */
export interface EarCounts {
  playAudioReceived: number;
  checkpointsReceived: number;
  checkpointsPlayed: number;
  checkpointsCleared: number;
  /** `clearAudio` messages. */
  cleared: number;
  /** Digits of `sendDTMF`, in order, up to a bound. */
  dtmfReceived: string;
}

/** Two packets, as a telephone network's jitter buffer holds. */
const playoutDelayMs = 2 * ptimeMs;
/** Samples up to this loud are silence: the noise of two µ-law codecs stays below. */
const silenceLevelMax = 64;
const dtmfReceivedMax = 256;

function isLoud(samples: Int16Array): boolean {
  return samples.some((sample) => Math.abs(sample) > silenceLevelMax);
}

/**
 * Plivo's receiving half of one stream: judges every message of the gateway, plays audio out on a
 * `PlayoutModel`, answers checkpoints and clears. It has no clock and no socket of its own.
 */
export class CallerEar {
  readonly heard = new HeardAudio();
  readonly playout: PlayoutModel;
  readonly turnaround: TurnaroundMeter;
  /** Turnaround of each media message that came back, ms. */
  readonly turnaroundsMs: number[] = [];
  readonly counts: EarCounts = {
    playAudioReceived: 0,
    checkpointsReceived: 0,
    checkpointsPlayed: 0,
    checkpointsCleared: 0,
    cleared: 0,
    dtmfReceived: '',
  };
  readonly #stream: StreamFacts;
  readonly #sender: PlivoSender;
  readonly #send: (text: string) => void;
  readonly #report: ReportViolation;
  #loudUntilMs = Number.NEGATIVE_INFINITY;

  constructor(
    stream: StreamFacts,
    sender: PlivoSender,
    send: (text: string) => void,
    report: ReportViolation,
  ) {
    const { rateHz, frameSamples } = stream.format;
    this.#stream = stream;
    this.#sender = sender;
    this.#send = send;
    this.#report = report;
    this.playout = new PlayoutModel({ rateHz, startDelayMs: playoutDelayMs });
    this.turnaround = new TurnaroundMeter(frameSamples, (turnaroundMs) => {
      this.turnaroundsMs.push(turnaroundMs);
    });
  }

  /** When the last sound above silence will have been heard. */
  get loudUntilMs(): number {
    return this.#loudUntilMs;
  }

  /** Takes one text message of the gateway. */
  take(bytes: Uint8Array, nowMs: number): void {
    this.answerDue(nowMs);
    const message = readGatewayMessage(bytes, this.#stream, this.#report);
    if (message !== null) this.#act(message, nowMs);
  }

  /** Sends `playedStream` for every checkpoint whose audio has played out (section 2.4). */
  answerDue(nowMs: number): void {
    for (const { name } of this.playout.advance(nowMs)) {
      this.counts.checkpointsPlayed += 1;
      this.#send(this.#sender.playedStream(name));
    }
  }

  /** The stream is over: what has not been heard never will be. */
  stop(nowMs: number): void {
    this.heard.drop(this.playout.clear(nowMs).droppedSamples);
  }

  #act(message: GatewayMessage, nowMs: number): void {
    switch (message.event) {
      case 'playAudio':
        this.#play(message.audio, nowMs);
        break;
      case 'checkpoint':
        this.#mark(message.name, nowMs);
        break;
      case 'clearAudio':
        this.#clear(nowMs);
        break;
      case 'sendDTMF': {
        const digits = this.counts.dtmfReceived + message.digits;
        this.counts.dtmfReceived = digits.slice(0, dtmfReceivedMax);
        break;
      }
    }
  }

  #play(audio: Uint8Array, nowMs: number): void {
    const samples = samplesFromWire(audio, this.#stream.format);
    this.counts.playAudioReceived += 1;
    this.turnaround.received(samples.length, nowMs);
    if (!this.playout.push(samples.length, nowMs)) {
      this.#report('playout-overflow', 'more than 60 s of audio waits in the playback queue');
      return;
    }
    this.heard.push(samples);
    if (isLoud(samples)) this.#loudUntilMs = this.playout.endMs;
  }

  #mark(name: string, nowMs: number): void {
    this.counts.checkpointsReceived += 1;
    if (this.playout.checkpoint(name, nowMs)) this.answerDue(nowMs);
    else this.#report('checkpoint-name-duplicate', `the checkpoint "${name}" is still pending`);
  }

  #clear(nowMs: number): void {
    const { droppedSamples, droppedCheckpoints } = this.playout.clear(nowMs);
    this.heard.drop(droppedSamples);
    this.counts.cleared += 1;
    this.counts.checkpointsCleared += droppedCheckpoints;
    this.#loudUntilMs = Math.min(this.#loudUntilMs, nowMs);
    this.#send(this.#sender.clearedAudio());
  }
}
