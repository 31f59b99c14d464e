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

/** The URL to connect to, with the numbers in its query. */
export function streamUrl(options: CallerOptions): string {
  if (!URL.canParse(options.url)) return options.url;
  const url = new URL(options.url);
  if (options.from !== undefined) url.searchParams.set('from', options.from);
  if (options.to !== undefined) url.searchParams.set('to', options.to);
  return url.href;
}
