import type { StreamFormat } from './stream-format.js';

/** What identifies one stream in the messages that Plivo sends. */
export interface StreamNames {
  readonly callId: string;
  readonly streamId: string;
  readonly accountId: string;
  /** What the XML's `extraHeaders` carried, e.g. `tenant=acme;plan=gold`; may be empty. */
  readonly extraHeaders: string;
  readonly format: StreamFormat;
}

/**
 * The messages of Plivo, exactly as on the wire (protocol section 2), numbered as Plivo numbers
 * them: `sequenceNumber` from 1 over all messages, `chunk` from 1 over the media of the track.
 */
export class PlivoSender {
  readonly #names: StreamNames;
  #sequenceNumber = 0;
  #chunk = 0;

  constructor(names: StreamNames) {
    this.#names = names;
  }

  /** Section 2.1: no top-level `streamId`, no numbers of caller or callee. */
  start(): string {
    const { callId, streamId, accountId, extraHeaders, format } = this.#names;
    return JSON.stringify({
      event: 'start',
      sequenceNumber: this.nextNumber(),
      start: {
        callId,
        streamId,
        accountId,
        tracks: ['inbound'],
        mediaFormat: { encoding: format.encoding, sampleRate: format.rateHz },
      },
      extra_headers: extraHeaders,
    });
  }

  /** Section 2.2. `unixMs` becomes the timestamp: Unix time in ms, as a string. */
  media(payload: string, unixMs: number): string {
    this.#chunk += 1;
    return JSON.stringify({
      event: 'media',
      sequenceNumber: this.nextNumber(),
      streamId: this.#names.streamId,
      media: {
        track: 'inbound',
        timestamp: String(Math.round(unixMs)),
        chunk: this.#chunk,
        payload,
      },
      extra_headers: this.#names.extraHeaders,
    });
  }

  /** Section 2.3. */
  dtmf(digit: string, unixMs: number): string {
    return JSON.stringify({
      event: 'dtmf',
      sequenceNumber: this.nextNumber(),
      streamId: this.#names.streamId,
      dtmf: { track: 'inbound', digit, timestamp: String(Math.round(unixMs)) },
      extra_headers: this.#names.extraHeaders,
    });
  }

  /** Section 2.4: no `extra_headers`. */
  playedStream(name: string): string {
    const { streamId } = this.#names;
    const sequenceNumber = this.nextNumber();
    return JSON.stringify({ event: 'playedStream', sequenceNumber, streamId, name });
  }

  /** Section 2.5. */
  clearedAudio(): string {
    const { streamId } = this.#names;
    return JSON.stringify({ event: 'clearedAudio', sequenceNumber: this.nextNumber(), streamId });
  }

  /** Taken by each message; also for one that is built elsewhere. */
  nextNumber(): number {
    this.#sequenceNumber += 1;
    return this.#sequenceNumber;
  }
}
