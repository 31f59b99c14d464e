import type { Speech } from './stream-format.js';

/** How a simulated call can end. A call has exactly one; a hang-up through REST goes before all. */
export const callEndReasons = [
  /** The caller put the telephone down: everything was said and heard. */
  'caller-hangup',
  /** The gateway hung up through Plivo's REST API. */
  'gateway-hangup',
  /** The gateway closed the socket; the call would go on in Plivo's XML. */
  'gateway-closed',
  'connect-failed',
  /** The socket broke without a close frame. */
  'dropped',
  'time-limit',
  /** The `streamTimeout` of the answer; Plivo goes on with its XML. */
  'stream-timeout',
  /** The call was answered with something other than a stream, or not at all. */
  'no-stream',
] as const;
export type CallEndReason = (typeof callEndReasons)[number];

/** A key pressed this long after `start`. */
export interface TimedDigit {
  readonly digit: string;
  readonly atMs: number;
}

export interface CallerOptions {
  readonly url: string;
  readonly speech: Speech;
  readonly digits?: readonly TimedDigit[];
  readonly callId?: string;
  readonly streamId?: string;
  readonly accountId?: string;
  readonly extraHeaders?: string;
  /** The account's auth token: the upgrade is signed with it (protocol section 6.4). */
  readonly authToken?: string;
  /** How often a failed connect is tried again (section 7.2). Default: never. */
  readonly retries?: number;
  /** When Plivo ends the stream, counted from `start`. */
  readonly streamTimeoutMs?: number;
  /** The stream is not bidirectional: what the gateway sends is heard by nobody. */
  readonly isOneWay?: boolean;
  readonly onStart?: () => void;
  /** Telephone numbers; they travel in the stream URL's query (protocol section 2.1). */
  readonly from?: string;
  readonly to?: string;
  /** Longest call, counted from `start`. Default: the speech and a minute. */
  readonly timeLimitMs?: number;
}

export interface CallOutcome {
  readonly endReason: CallEndReason;
  /** One sentence where the reason needs one. */
  readonly endDetail: string | null;
  readonly closeCode: number | null;
  readonly hungUpByGateway: boolean;
  readonly transferredTo: string | null;
  /** On the clock of `performance.now()`; equal if the call never started. */
  readonly startMs: number;
  readonly endMs: number;
}

/** The URL to connect to, with the numbers in its query if there are any; otherwise as it was given. */
export function streamUrl({ url: text, from, to }: CallerOptions): string {
  if ((from === undefined && to === undefined) || !URL.canParse(text)) return text;
  const url = new URL(text);
  if (from !== undefined) url.searchParams.set('from', from);
  if (to !== undefined) url.searchParams.set('to', to);
  return url.href;
}
