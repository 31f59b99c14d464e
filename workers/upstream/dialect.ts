import type { Call } from '../../src/handler.js';
import type { SessionCall } from '../session/call.js';

/** What goes to an application: text or bytes, one WebSocket message each. */
export type Outgoing = string | Buffer;

/** The application's voice. */
export interface Voice {
  /** What it says, to the caller. */
  play(samples: Int16Array, rate: number): void;
  /** It has said all: the call ends when that was heard. */
  end(): void;
}

/** How an application is spoken to, one for each call. */
export interface Dialect {
  /** What it hears first, also after a reconnect. */
  greeting(call: Call, isResumed: boolean): readonly Outgoing[];
  /** A message with these samples, good until the next one. */
  audio(samples: Int16Array): Buffer;
  dtmf(digit: string): Outgoing | undefined;
  played(checkpoint: string, interrupted: boolean): Outgoing | undefined;
  goodbye(reason: string): Outgoing | undefined;
  /** Does what a message asks for; answers what is wrong with it, if anything. */
  take(call: Call, data: Buffer, isBinary: boolean): string | undefined;
}

/** The facts of a call, as every dialect tells them. */
export function factsOf(call: Call, isResumed: boolean) {
  const { id, streamId, accountId, from, to, query, extraHeaders, route } = call;
  const { params } = call as SessionCall;
  return {
    callId: id,
    streamId,
    accountId,
    from,
    to,
    query,
    extraHeaders,
    route,
    resumed: isResumed,
    ...(Object.keys(params).length > 0 && { params }),
  };
}

/** PCM16 little-endian as samples; a copy, as messages begin at any byte. */
export function samplesOf(bytes: Uint8Array): Int16Array {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return new Int16Array(copy.buffer);
}
