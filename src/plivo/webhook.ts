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

/** A metric label. */
export const streamEventNames = ['started', 'stopped', 'dropped', 'degraded', 'other'] as const;
export type StreamEvent = (typeof streamEventNames)[number];

export interface StreamStatus {
  readonly callId: string;
  /** Empty if Plivo told none. */
  readonly streamId: string;
  readonly event: StreamEvent;
  /** What Plivo says of it, if it went wrong; for people. */
  readonly detail: string;
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

/** A call that asks what is to be done with it. */
export interface AnswerRequest {
  readonly callId: string;
  readonly from: string;
  readonly to: string;
  /** As Plivo says it, in lower case: `inbound` or `outbound`; empty if it told none. */
  readonly direction: string;
  /** The call is over: Plivo sends that here when the application has no hang-up URL (section 5.1). */
  readonly isOver: boolean;
  /** Names as Plivo sends them: `SIP-H-X-PH-Tenant`. */
  readonly sipHeaders: Fields;
}

/** Statuses of a call that is over. */
const overStatuses = ['completed', 'busy', 'failed', 'no-answer', 'cancel', 'canceled', 'timeout'];

/** Undefined if the webhook does not say of which call. */
export function answerRequestOf(fields: Fields): AnswerRequest | undefined {
  const callId = idIn(fields, 'CallUUID');
  if (!callId) return undefined;
  const event = textOf(fields, 'Event').toLowerCase();
  return {
    callId,
    from: textOf(fields, 'From'),
    to: textOf(fields, 'To'),
    direction: textOf(fields, 'Direction').toLowerCase(),
    isOver: event === 'hangup' || overStatuses.includes(textOf(fields, 'CallStatus').toLowerCase()),
    sipHeaders: fields.filter(([name]) => /^SIP-H-./i.test(name)),
  };
}

/**
 * What stands in the query of an answer URL of the user's own: of a GET Plivo's fields stand there too. They begin with
 * a capital (section 7.5).
 */
export function ownQuery(query: Fields): Fields {
  return query.filter(([name]) => !/^[A-Z]/.test(name));
}

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
  const detail = textOf(fields, 'Error') || textOf(fields, 'StatusReason');
  return { callId, streamId, event, detail: detail.slice(0, causeCharsMax) };
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
