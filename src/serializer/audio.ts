import { isInt16Array } from 'node:util/types';
import { isAudioRate, messageBytesMax, playPayloadBytesMax } from '../limits.js';
import { type MediaFormat, playAudioEnds, type Track } from '../plivo/messages.js';
import type { SerializerDropReason, SerializerDrops } from './drops.js';
import type { InputAudioRawFrame, OutputAudioRawFrame } from './frames.js';
import { leaveSeat, type SharedKernel, takeSeat } from './kernel-pool.js';
import type { Settings } from './options.js';
import { encodeSamplesMax, StreamCodec } from './stream-codec.js';

type AudioFrame = InputAudioRawFrame | OutputAudioRawFrame;

/** Pipecat's pipeline default, Hz. */
const sampleRateDefault = 16_000;
/** More wire bytes than the tail of any encoder (2.5 ms at L16 24 kHz is 120). */
const tailBytesMax = 256;

/** The audio of one serializer: `media` payloads to samples, samples to `playAudio` messages. */
export class SerializerAudio {
  readonly shared: SharedKernel = takeSeat();
  readonly #streamId: string;
  readonly #clearAfterMs: number;
  readonly #drops: SerializerDrops;
  #format: MediaFormat;
  #sampleRate: number;
  /** Opened when first needed: by then `setup` and `start` have usually said what it has to be. */
  #codec: StreamCodec | undefined;
  #head = '';
  #tail = '';
  /** Raw bytes that fit into one message of 64 KB. */
  #payloadBytesMax = 0;
  /** Audio is inside the filter that was not sent yet. */
  #holdsTail = false;
  /**
   * When all that was sent has been played, if Plivo lost no time; on the clock of
   * `performance.now()`.
   */
  #playedMs = 0;
  #isOpen = true;

  constructor(settings: Settings, drops: SerializerDrops) {
    this.#streamId = settings.streamId;
    this.#clearAfterMs = settings.clearAfterMs;
    this.#drops = drops;
    this.#format = settings.format;
    this.#sampleRate = settings.sampleRate ?? sampleRateDefault;
  }

  get format(): MediaFormat {
    return this.#format;
  }

  get sampleRate(): number {
    return this.#sampleRate;
  }

  /** Both directions start afresh if this is another format. */
  setFormat(format: MediaFormat): void {
    const { encoding, sampleRate } = this.#format;
    if (format.encoding === encoding && format.sampleRate === sampleRate) return;
    this.#format = format;
    this.#closeCodec();
  }

  /**
   * Reserves what both directions need; both start afresh if the application now hears another
   * rate.
   */
  setRates(sampleRate: number, outSampleRate: number): void {
    if (sampleRate !== this.#sampleRate) {
      this.#sampleRate = sampleRate;
      this.#closeCodec();
    }
    if (!this.#holdsTail) this.#open().setRate(outSampleRate);
  }

  /**
   * The samples of a base64 payload in the kernel's memory; undefined, and counted, if it cannot be
   * decoded.
   */
  decode(payloadAt: number, payloadBytes: number, track: Track): Int16Array | undefined {
    const count = this.#open().decode(payloadAt, payloadBytes, track);
    if (count < 0) {
      this.#drops['bad-payload'] += 1;
      return undefined;
    }
    // A copy of the copy is half as dear as one straight from shared memory.
    return new Int16Array(this.shared.scratch.samples(count));
  }

  /**
   * One `playAudio` of up to 64 KB; null for an empty frame, and for a bad or too long one, which
   * is counted.
   */
  message(frame: AudioFrame): string | null {
    if (!this.#isGood(frame)) return null;
    this.#open();
    if (this.#wireBytes(frame) > this.#payloadBytesMax) {
      this.#drops['audio-too-long'] += 1;
      return null;
    }
    return this.#playAudio(this.#encode(frame));
  }

  /** The same frame in messages of at most 16 KB of base64, as Plivo recommends (section 3.1). */
  messages(frame: AudioFrame): string[] {
    if (!this.#isGood(frame)) return [];
    const wire = this.#encode(frame);
    const messages: string[] = [];
    for (let at = 0; at < wire.length; at += playPayloadBytesMax) {
      messages.push(this.#playAudio(wire.subarray(at, at + playPayloadBytesMax))!);
    }
    return messages;
  }

  /** The end of an utterance that is still inside the filter, as one message. */
  flush(): string | null {
    if (!this.#holdsTail) return null;
    this.#holdsTail = false;
    const wire = this.shared.wire(this.#open().flush());
    this.#played(wire.length);
    return this.#playAudio(wire);
  }

  /** Forgets all that was sent. */
  clear(): void {
    this.#codec?.clear();
    this.#holdsTail = false;
    this.#playedMs = 0;
  }

  /** May be called twice. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#closeCodec();
    leaveSeat(this.shared);
  }

  #isGood(frame: AudioFrame): boolean {
    const problem = problemOf(frame);
    if (problem !== undefined) this.#drops[problem] += 1;
    return problem === undefined;
  }

  #open(): StreamCodec {
    if (this.#codec !== undefined) return this.#codec;
    this.#codec = new StreamCodec(this.shared.scratch, this.#format, this.#sampleRate);
    [this.#head, this.#tail] = playAudioEnds(this.#format, this.#streamId);
    const room = messageBytesMax - Buffer.byteLength(this.#head + this.#tail);
    // Whole groups of base64, and whole samples of L16.
    this.#payloadBytesMax = Math.floor(room / 8) * 6;
    return this.#codec;
  }

  #closeCodec(): void {
    this.#codec?.close();
    this.#codec = undefined;
    this.#holdsTail = false;
  }

  /** Upper bound of what `#encode` makes of a frame. */
  #wireBytes({ audio, sampleRate, numChannels }: AudioFrame): number {
    const count = Math.ceil((audio.length / numChannels) * (this.#format.sampleRate / sampleRate));
    return count * (this.#format.encoding === 'l16' ? 2 : 1) + tailBytesMax;
  }

  /**
   * Wire bytes of a frame, behind the tail of earlier audio at another rate; valid until the next
   * frame.
   */
  #encode(frame: AudioFrame): Buffer {
    const codec = this.#open();
    this.#dropStaleTail(codec);
    const tail = this.#changeRate(codec, frame.sampleRate);
    const pieceMax = encodeSamplesMax * frame.numChannels;
    let wire: Buffer;
    if (tail === undefined && frame.audio.length <= pieceMax) {
      wire = this.#encodePiece(codec, frame.audio, frame);
    } else {
      const pieces = tail === undefined ? [] : [tail];
      for (let at = 0; at < frame.audio.length; at += pieceMax) {
        const piece = frame.audio.subarray(at, at + pieceMax);
        pieces.push(Buffer.from(this.#encodePiece(codec, piece, frame)));
      }
      wire = Buffer.concat(pieces);
    }
    this.#played(wire.length);
    return wire;
  }

  #encodePiece(codec: StreamCodec, piece: Int16Array, frame: AudioFrame): Buffer {
    if (piece.length > 0) this.#holdsTail = frame.sampleRate !== this.#format.sampleRate;
    return this.shared.wire(codec.encode(this.#load(piece, frame.numChannels)));
  }

  /** The tail of what came at another rate, if there is any. */
  #changeRate(codec: StreamCodec, rate: number): Buffer | undefined {
    if (!codec.changesRate(rate)) return undefined;
    const tail = this.#holdsTail ? Buffer.from(this.shared.wire(codec.flush())) : undefined;
    codec.setRate(rate);
    this.#holdsTail = false;
    return tail;
  }

  /**
   * Told by the clock of what the caller hears, not by the time between two frames: an application
   * that is faster than real time may pause for long in the middle of a word.
   */
  #dropStaleTail(codec: StreamCodec): void {
    if (!this.#holdsTail || performance.now() - this.#playedMs <= this.#clearAfterMs) return;
    codec.clear();
    this.#holdsTail = false;
    this.#drops['stale-tail'] += 1;
  }

  #played(bytes: number): void {
    this.#playedMs = Math.max(this.#playedMs, performance.now()) + bytes / this.#open().bytesPerMs;
  }

  /** Puts samples where the encoder takes them, two channels as their mean; answers how many. */
  #load(audio: Int16Array, channels: number): number {
    const { samples } = this.shared.kernel;
    const first = this.shared.scratch.samplesAt >> 1;
    if (channels === 1) {
      samples.set(audio, first);
      return audio.length;
    }
    const count = audio.length / 2;
    for (let i = 0; i < count; i += 1) {
      samples[first + i] = (audio[2 * i]! + audio[2 * i + 1]!) >> 1;
    }
    return count;
  }

  #playAudio(wire: Buffer): string | null {
    if (wire.length === 0) return null;
    return this.#head + wire.toString('base64') + this.#tail;
  }
}

/** Types are promises only: what JavaScript hands over is looked at. */
function problemOf({
  audio,
  sampleRate,
  numChannels,
}: AudioFrame): SerializerDropReason | undefined {
  if (!isInt16Array(audio)) return 'bad-audio';
  if (numChannels !== 1 && numChannels !== 2) return 'bad-channels';
  if (audio.length % numChannels !== 0) return 'bad-audio';
  return isAudioRate(sampleRate) ? undefined : 'bad-rate';
}
