import type { EndReason } from './errors.js';
import type { Track } from './plivo/messages.js';

export type { EndReason } from './errors.js';
export type { Track } from './plivo/messages.js';

/**
 * One telephone call as a handler sees it. All methods may be called at any time, also later from a timer or a
 * promise; after the call has ended they do nothing and answer false.
 */
export interface Call {
  /** Plivo's call id. */
  readonly id: string;
  readonly streamId: string;
  readonly accountId: string;
  /** Calling and called number as the stream URL's query said (`from`, `to`); empty if it did not. */
  readonly from: string;
  readonly to: string;
  /** Query of the stream URL. */
  readonly query: Readonly<Record<string, string>>;
  /** `extraHeaders` of the `<Stream>` element. */
  readonly extraHeaders: Readonly<Record<string, string>>;
  /** Name of the route that led here. */
  readonly route: string;
  /** Rate of the samples that `audio` gets, Hz. */
  readonly sampleRate: number;
  readonly tracks: readonly Track[];
  /** The stream's own encoding and rate on the wire. */
  readonly encoding: 'mulaw' | 'l16';
  readonly streamRate: number;
  /** Milliseconds of audio that `play` has taken and Plivo has not yet played, by our clock. */
  readonly queuedMs: number;
  /** A place for the handler's own state. Starts as an empty object. */
  readonly data: Record<string, unknown>;

  /**
   * Queues mono PCM16 behind what is already queued; it leaves at once, paced to real time. The samples are copied.
   * @param rate Hz, one of 8000, 16000, 22050, 24000, 32000, 44100, 48000; the route's rate if left out
   * @returns false if it was refused: the call is ending, the queue is full, the stream is one-way, or the
   *   arguments are wrong (each counted in `plivo_gateway_drops_total`)
   */
  play(samples: Int16Array, rate?: number): boolean;
  /** Barge-in: forgets everything queued here and at Plivo. Waiting checkpoints are answered as interrupted. */
  clear(): void;
  /** Marks the end of what is queued now; `played` is called with the name once the caller has heard it. */
  checkpoint(name: string): boolean;
  /** Plays digits (`0-9 * # A-D`, 64 at most) to the other party. */
  sendDtmf(digits: string): boolean;

  /**
   * Ends the call gracefully: plays out what is queued, waits until it was heard, then hangs up. From here on only the
   * handler's `end` is called.
   */
  end(): void;
  /** Ends the call at once: clears what is queued and hangs up. */
  cancel(): void;
  /**
   * Hands the call to another answer document through Plivo's REST API, then closes the stream.
   * @param url http(s) URL of the document
   * @returns false if Plivo refused or was not reached in time: the call goes on here. Also false if the stream closed
   *   before Plivo answered. Never rejects.
   */
  transfer(url: string): Promise<boolean>;
  /** Closes the stream; the call goes on with Plivo's XML behind the `<Stream>` element. */
  leave(): void;
}

/**
 * A voice application. Every callback is optional and may be async; a throw or a rejection ends that call, with
 * reason `handler-error`, and no other.
 */
export interface Handler {
  /**
   * The stream has started: ids, format and headers are known. Called again, with `resumed` and empty `call.data`, for a
   * call whose worker died: another goes on with it.
   */
  start?(call: Call, how: { readonly resumed: boolean }): unknown;
  /**
   * Caller audio, about every 20 ms.
   * @param samples mono PCM16 at `call.sampleRate`; valid until the callback returns, so copy what you keep
   */
  audio?(call: Call, samples: Int16Array, track: Track): unknown;
  /** A digit: `0-9 * # A-D`. */
  dtmf?(call: Call, digit: string): unknown;
  /** A checkpoint was heard, or `interrupted` by a clear. */
  played?(call: Call, checkpoint: string, interrupted: boolean): unknown;
  /** The call is over; the last callback. */
  end?(call: Call, reason: EndReason): unknown;
}

/** Gives a handler its type. A plain object of the same shape will do. */
export function defineHandler(handler: Handler): Handler {
  return handler;
}
