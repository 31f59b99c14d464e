import { messageBytesMax } from './limits.js';
import {
  clearAudioText,
  type MediaFormat,
  type PlivoMessage,
  type StartMessage,
  type Track,
  type Unreadable,
} from './plivo/messages.js';
import { SerializerAudio } from './serializer/audio.js';
import { checkpointMessage, dtmfMessage, transportMessage } from './serializer/control.js';
import { noDrops, type SerializerDropReason, type SerializerDrops } from './serializer/drops.js';
import type { Frame, InputAudioRawFrame, StartFrame } from './serializer/frames.js';
import type { HangupResult } from './serializer/hang-up.js';
import {
  assertAudioRate,
  type PlivoFrameSerializerOptions,
  type Settings,
  settle,
} from './serializer/options.js';
import { contentOf, isTooLarge, readContent, type WireMessage } from './serializer/wire-message.js';

export { GatewayError } from './errors.js';
export type { Encoding, MediaFormat, Track } from './plivo/messages.js';
export type { SerializerDropReason, SerializerDrops } from './serializer/drops.js';
export type {
  AudioClearedFrame,
  CancelFrame,
  CheckpointFrame,
  CheckpointPlayedFrame,
  EndFrame,
  Frame,
  InputAudioRawFrame,
  InputDTMFFrame,
  InterruptionFrame,
  OutputAudioRawFrame,
  OutputDTMFFrame,
  OutputTransportMessageFrame,
  OutputTransportMessageUrgentFrame,
  StartFrame,
  StreamStoppedFrame,
} from './serializer/frames.js';
export type { HangupResult } from './serializer/hang-up.js';
export type { PlivoFrameSerializerOptions, PlivoSerializerParams } from './serializer/options.js';
export type { WireMessage } from './serializer/wire-message.js';

/** What a stream's first message says (protocol section 2.1). */
export type StreamStart = Omit<StartMessage, 'event'>;

/** Gives back what serializers held that were never closed. */
const abandoned = new FinalizationRegistry<SerializerAudio>((audio) => audio.close());

/**
 * Translates between Plivo's stream messages and frames, for one stream, whatever WebSocket server
 * it came through. It knows no socket: you hand it each message and send what it answers. Every
 * audio frame is answered at once, in full; a filter delays the sound by at most 3 ms where rates
 * differ. `docs/serializer.md` has the whole picture.
 */
export class PlivoFrameSerializer {
  /** What was put aside, by reason. */
  readonly drops: Readonly<SerializerDrops>;
  readonly #drops = noDrops();
  readonly #settings: Settings;
  readonly #audio: SerializerAudio;
  #hangup: Promise<HangupResult> | undefined;
  #isOpen = true;

  /** @throws GatewayError BAD_ARGUMENT, UNSUPPORTED_RATE, MISSING_CREDENTIALS */
  constructor(options: PlivoFrameSerializerOptions) {
    this.drops = this.#drops;
    this.#settings = settle(options);
    this.#audio = new SerializerAudio(this.#settings, this.#drops);
    abandoned.register(this, this.#audio, this);
  }

  /**
   * Reads a `start` message, whose ids the constructor wants; null for any other message. Never
   * throws.
   */
  static parseStart(message: WireMessage): StreamStart | null {
    const content = contentOf(message);
    if (content === undefined || isTooLarge(content)) return null;
    const read = readContent(content);
    if (read.event !== 'start') return null;
    const { event, ...start } = read;
    return start;
  }

  get streamId(): string {
    return this.#settings.streamId;
  }

  /** Encoding and rate of the stream, as set or as `start` announced it. */
  get format(): MediaFormat {
    return this.#audio.format;
  }

  /** Hz, of the audio in frames that come from Plivo. */
  get sampleRate(): number {
    return this.#audio.sampleRate;
  }

  /**
   * The automatic hang-up, once an EndFrame or CancelFrame asked for it. Never rejects; settles
   * within 30 s.
   */
  get hangup(): Promise<HangupResult> | undefined {
    return this.#hangup;
  }

  /**
   * Takes the rates of the application and reserves what they need, so that no first frame has to
   * wait for it. `params.sampleRate` goes before the frame's.
   * @throws GatewayError UNSUPPORTED_RATE
   */
  setup({ audioInSampleRate, audioOutSampleRate }: StartFrame): void {
    const sampleRate = this.#settings.sampleRate ?? audioInSampleRate;
    assertAudioRate('audioInSampleRate', sampleRate);
    assertAudioRate('audioOutSampleRate', audioOutSampleRate);
    if (this.#isOpen) this.#audio.setRates(sampleRate, audioOutSampleRate);
  }

  /** As the static method; takes over the format too. */
  parseStart(message: WireMessage): StreamStart | null {
    const start = PlivoFrameSerializer.parseStart(message);
    if (start !== null && this.#isOpen) this.#audio.setFormat(start.format);
    return start;
  }

  /**
   * One message of Plivo's. Null if it makes no frame: a `start`, whose format is taken over; and
   * anything bad, which is counted in `drops`. Never throws.
   */
  deserialize(message: WireMessage): Frame | null {
    if (!this.#isOpen) return this.#drop('closed');
    const content = contentOf(message);
    if (content === undefined) return this.#drop('bad-input');
    if (content.length > messageBytesMax) return this.#drop('too-large');
    const { shared } = this.#audio;
    const bytes = shared.place(content);
    if (bytes > messageBytesMax) return this.#drop('too-large');
    const { scan, scratch } = shared;
    if (!scan.scan(scratch.textAt, bytes)) return this.#read(readContent(content));
    return this.#media(scan.payloadAt, scan.payloadBytes, scan.inbound ? 'inbound' : 'outbound');
  }

  /**
   * The message to send for a frame, or null if there is none: then the frame says nothing to
   * Plivo, or it was bad, which is counted in `drops`. Takes up to 64 KB of message, that is 6 s of
   * µ-law, in one frame.
   */
  serialize(frame: Frame): string | null {
    if (!this.#isOpen) return this.#drop('closed');
    switch (frame?.type) {
      case 'OutputAudioRawFrame':
      case 'InputAudioRawFrame':
        return this.#audio.message(frame);
      case 'InterruptionFrame':
        this.#audio.clear();
        return clearAudioText(this.streamId);
      case 'CheckpointFrame':
        return this.#control(checkpointMessage(this.streamId, frame.name), 'bad-checkpoint');
      case 'OutputDTMFFrame':
        return this.#control(dtmfMessage(frame.button), 'bad-dtmf');
      case 'OutputTransportMessageFrame':
      case 'OutputTransportMessageUrgentFrame':
        return this.#control(
          transportMessage(frame.message, this.#settings.ignoreRtviMessages),
          'bad-transport-message',
        );
      case 'EndFrame':
        this.#hangUp();
        return this.#audio.flush();
      case 'CancelFrame':
        this.#hangUp();
        this.#audio.clear();
        return null;
      case 'StartFrame':
      case 'InputDTMFFrame':
      case 'CheckpointPlayedFrame':
      case 'AudioClearedFrame':
      case 'StreamStoppedFrame':
        return null;
      default:
        return this.#drop('unknown-frame');
    }
  }

  /**
   * All messages to send for a frame, in order: audio of any length in messages as short as Plivo
   * recommends (16 KB of base64), and a checkpoint behind the tail of the utterance that it ends.
   */
  serializeAll(frame: Frame): string[] {
    const type = frame?.type;
    if (this.#isOpen && (type === 'OutputAudioRawFrame' || type === 'InputAudioRawFrame')) {
      return this.#audio.messages(frame);
    }
    const message = this.serialize(frame);
    const tail = message !== null && type === 'CheckpointFrame' ? this.#audio.flush() : null;
    return [tail, message].filter((text) => text !== null);
  }

  /**
   * Ends an utterance: the last 2 or 3 ms of it, which the filter still holds, as a message; null
   * if there are none. EndFrame does it too, and `serializeAll` of a CheckpointFrame.
   */
  flush(): string | null {
    return this.#isOpen ? this.#audio.flush() : this.#drop('closed');
  }

  /**
   * Gives back what it holds; a hang-up under way goes on. May be called twice; then everything
   * answers null.
   */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    abandoned.unregister(this);
    this.#audio.close();
  }

  /** What the scan did not take for media. */
  #read(message: PlivoMessage | Unreadable): Frame | null {
    switch (message.event) {
      case 'unreadable':
        return this.#drop(message.reason);
      case 'start':
        this.#audio.setFormat(message.format);
        return null;
      case 'media': {
        const { scratch } = this.#audio.shared;
        return this.#media(scratch.textAt, scratch.write(message.payload), message.track);
      }
      case 'dtmf':
        return { type: 'InputDTMFFrame', button: message.digit };
      case 'playedStream':
        return { type: 'CheckpointPlayedFrame', name: message.name };
      case 'clearedAudio':
        return { type: 'AudioClearedFrame' };
      case 'stop':
        return { type: 'StreamStoppedFrame', reason: message.reason };
    }
  }

  #media(payloadAt: number, payloadBytes: number, track: Track): InputAudioRawFrame | null {
    if (!this.#settings.tracks[track]) return this.#drop('other-track');
    const audio = this.#audio.decode(payloadAt, payloadBytes, track);
    if (audio === undefined || audio.length === 0) return null;
    const { sampleRate } = this.#audio;
    return { type: 'InputAudioRawFrame', audio, sampleRate, numChannels: 1, track };
  }

  /** Undefined is a frame that made no message. */
  #control(message: string | null | undefined, reason: SerializerDropReason): string | null {
    return message === undefined ? this.#drop(reason) : message;
  }

  /** Once. The client and its HTTP library are loaded here, when they are first needed. */
  #hangUp(): void {
    const order = this.#settings.hangup;
    if (order === undefined) return;
    this.#hangup ??= import('./serializer/hang-up.js').then(
      ({ hangUp }) => hangUp(order),
      (error: unknown) => ({
        outcome: 'refused',
        attempts: 0,
        status: undefined,
        detail: `the hang-up client cannot be loaded: ${String(error)}`,
      }),
    );
  }

  #drop(reason: SerializerDropReason): null {
    this.#drops[reason] += 1;
    return null;
  }
}
