import type { Fields } from './signature.js';

/**
 * What Plivo tells by webhook of calls and streams (protocol reference, sections 4.4 and 7.5). Nothing here throws on
 * a peer's input.
 */

export const webhookBodyBytesMax = 64 * 1024;
export const webhookFieldsMax = 256;

/** Ids are UUIDs, causes a few words. */
const idCharsMax = 256;
const causeCharsMax = 100;

export interface Hangup {
  readonly callId: string;
  /** Plivo's word for it; empty if it told none. */
  readonly cause: string;
}

export type StreamEvent = 'started' | 'stopped' | 'dropped' | 'degraded' | 'other';

export interface StreamStatus {
  readonly callId: string;
  /** Empty if Plivo told none. */
  readonly streamId: string;
  readonly event: StreamEvent;
}

/** Both families of names, in lower case. */
const streamEvents: ReadonlyMap<string, StreamEvent> = new Map([
  ['startstream', 'started'],
  ['started', 'started'],
  ['stopstream', 'stopped'],
  ['stopped', 'stopped'],
  ['droppedstream', 'dropped'],
  ['failed', 'dropped'],
  ['degradedstream', 'degraded'],
]);

/** Fields of a form or a query; undefined if there is more of it than Plivo would send. */
export function readForm(body: Uint8Array | string): Fields | undefined {
  const text = typeof body === 'string' ? body : Buffer.from(body).toString('utf8');
  if (Buffer.byteLength(text) > webhookBodyBytesMax) return undefined;
  const fields = [...new URLSearchParams(text)];
  return fields.length > webhookFieldsMax ? undefined : fields;
}

/** That a call is over. Undefined if the webhook does not say which. */
export function hangupOf(fields: Fields): Hangup | undefined {
  const callId = idIn(fields, 'CallUUID');
  if (!callId) return undefined;
  const cause = textOf(fields, 'HangupCause') || textOf(fields, 'CallStatus');
  return { callId, cause: cause.slice(0, causeCharsMax) };
}

/** What became of a stream. Undefined if the webhook does not say of which call. */
export function streamStatusOf(fields: Fields): StreamStatus | undefined {
  const callId = idIn(fields, 'CallUUID');
  const streamId = idIn(fields, 'StreamID');
  if (!callId || streamId === undefined) return undefined;
  const event = streamEvents.get(textOf(fields, 'Event').toLowerCase()) ?? 'other';
  return { callId, streamId, event };
}

/** Empty if there is none, undefined if it cannot be one. */
function idIn(fields: Fields, name: string): string | undefined {
  const id = textOf(fields, name);
  return id.length > idCharsMax ? undefined : id;
}

/** The first field of that name, in whatever case. */
function textOf(fields: Fields, name: string): string {
  const wanted = name.toLowerCase();
  return fields.find(([known]) => known.toLowerCase() === wanted)?.[1].trim() ?? '';
}
