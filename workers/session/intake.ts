import {
  type PlivoMessage,
  readMessage,
  type StartMessage,
  type Track,
} from '../../src/plivo/messages.js';
import { SessionState } from '../../src/shard/call-board.js';
import { counter } from '../../src/shard/counters.js';
import type { ShardContext } from '../shard-context.js';
import type { Callbacks } from './callbacks.js';
import type { SessionNotes } from './session-notes.js';
import type { Stream } from './stream.js';

/** Takes all messages as they came; the bytes are good until it returns. */
export type Tap = (message: Buffer, isMedia: boolean, isBinary: boolean) => void;

/** What messages mean for the life of a session. */
export interface IntakeEvents {
  started(start: StartMessage, text: string): void;
  played(stream: Stream, wireName: string): void;
  stopped(why: string): void;
}

/** What Plivo sends in one stream: read, counted, and given to the handler, or to a tap as it is. */
export class Intake {
  readonly #context: ShardContext;
  readonly #notes: SessionNotes;
  readonly #callbacks: Callbacks;
  readonly #events: IntakeEvents;
  tap: Tap | undefined = undefined;

  constructor(
    context: ShardContext,
    notes: SessionNotes,
    callbacks: Callbacks,
    events: IntakeEvents,
  ) {
    this.#context = context;
    this.#notes = notes;
    this.#callbacks = callbacks;
    this.#events = events;
  }

  /** One WebSocket message, in place in the ring. */
  message(
    stream: Stream | undefined,
    state: number,
    at: number,
    bytes: number,
    binary: boolean,
  ): void {
    const { scan, probe } = this.#context;
    const isMedia = scan.scan(at, bytes);
    if (probe.active && !isMedia) probe.cancel();
    if (this.tap !== undefined && state === SessionState.Live) {
      this.#tapped(this.tap, stream, at, bytes, isMedia, binary);
    } else if (!isMedia) {
      this.#parsed(stream, state, at, bytes, binary);
    } else if (stream === undefined) {
      this.#notes.drop('before-start', 'media before start');
    } else {
      const track = scan.inbound ? 'inbound' : 'outbound';
      const { payloadAt, payloadBytes, chunk } = scan;
      this.#media(stream, state, payloadAt, payloadBytes, track, chunk);
    }
    if (probe.active) probe.end();
  }

  #media(
    stream: Stream,
    state: number,
    payloadAt: number,
    payloadBytes: number,
    track: Track,
    chunk: number,
  ): void {
    if (state >= SessionState.Leaving) return;
    const count = stream.codec.decode(payloadAt, payloadBytes, track);
    if (count < 0) {
      this.#notes.drop('bad-payload', 'media whose payload is not base64, or holds half a sample');
      return;
    }
    const { probe } = this.#context;
    if (probe.active) probe.decoded();
    this.#countMedia();
    if (track === 'inbound') this.#measure(stream, chunk);
    if (state !== SessionState.Live || count === 0 || !this.#callbacks.hears) return;
    this.#callbacks.audio(stream.call, this.#context.scratch.samples(count), track);
  }

  /** A frame of the caller, as the codec has it. */
  #measure({ codec, meter }: Stream, chunk: number): void {
    const { scratch, clock } = this.#context;
    const { streamSamples } = codec;
    if (streamSamples === 0) return;
    const durationMs = streamSamples / (codec.format.sampleRate / 1_000);
    meter.packets.arrived(clock.causeUs(), durationMs * 1_000, chunk);
    meter.heard(scratch.level(codec), scratch.peak, streamSamples, durationMs, clock.nowMs());
  }

  #countMedia(): void {
    this.#notes.mediaIn += 1;
    this.#context.values[counter.mediaIn]! += 1;
  }

  /** The application speaks Plivo's protocol itself: what it makes of a message is its affair. */
  #tapped(
    tap: Tap,
    stream: Stream | undefined,
    at: number,
    bytes: number,
    isMedia: boolean,
    binary: boolean,
  ): void {
    const { scan, scratch, values } = this.#context;
    if (isMedia && scan.inbound && stream !== undefined) {
      stream.codec.listen(scan.payloadAt, scan.payloadBytes);
      this.#measure(stream, scan.chunk);
    }
    tap(scratch.bytes(at, bytes), isMedia, binary);
    const message = isMedia ? undefined : readMessage(scratch.read(at, bytes));
    if (message === undefined || message.event === 'media') return this.#countMedia();
    values[counter.messagesIn]! += 1;
    if (message.event === 'dtmf') this.#digit();
    else if (message.event === 'clearedAudio') this.#cleared(stream);
    else if (message.event === 'stop') this.#events.stopped(message.reason);
  }

  /** Which one is nobody's business: it may be of a PIN. */
  #digit(): void {
    this.#context.values[counter.digitsIn]! += 1;
    this.#notes.tell('digit');
  }

  #cleared(stream: Stream | undefined): void {
    stream?.meter.cleared(this.#context.clock.nowMs());
  }

  /** Everything that the scan did not take for media. */
  #parsed(
    stream: Stream | undefined,
    state: number,
    at: number,
    bytes: number,
    binary: boolean,
  ): void {
    const text = this.#context.scratch.read(at, bytes);
    const message = readMessage(text);
    if (message.event === 'unreadable') {
      if (binary) this.#notes.drop('binary-message', 'a binary message that is no JSON of Plivo');
      else this.#notes.drop(message.reason, message.detail);
      return;
    }
    this.#context.values[counter.messagesIn]! += 1;
    if (message.event === 'start') this.#events.started(message, text);
    else if (stream === undefined)
      this.#notes.drop('before-start', `${message.event} before start`);
    else if (state < SessionState.Leaving) this.#known(stream, state, message);
  }

  #known(stream: Stream, state: number, message: Exclude<PlivoMessage, StartMessage>): void {
    switch (message.event) {
      case 'media': {
        const { scratch } = this.#context;
        const bytes = scratch.write(message.payload);
        return this.#media(stream, state, scratch.textAt, bytes, message.track, message.chunk);
      }
      case 'dtmf':
        this.#digit();
        if (state === SessionState.Live) {
          this.#callbacks.run('dtmf', (handler) => handler.dtmf?.(stream.call, message.digit));
        }
        return;
      case 'playedStream':
        return this.#events.played(stream, message.name);
      case 'clearedAudio':
        return this.#cleared(stream);
      case 'stop':
        return this.#events.stopped(message.reason);
    }
  }
}
