/** How an intent was settled; a metric label. */
export const hangupOutcomes = [
  /** Plivo ended the call. */
  'confirmed',
  /** It was over: Plivo does not know it any more, or said so by webhook. */
  'already-ended',
  /** Plivo wants no such request (400, 405), or none could be made. */
  'refused',
  /** No usable answer until `hangup.giveUpAfter`. */
  'gave-up',
  /** An operator's doing. */
  'dropped',
  /** The call goes on: it was transferred, or its lost stream came back. */
  'withdrawn',
  'no-credentials',
  /** Several accounts, and none of them is the call's. */
  'no-account',
  'queue-full',
] as const;
export type HangupOutcome = (typeof hangupOutcomes)[number];

/** How a request ended; a metric label. */
export const requestOutcomes = ['2xx', '404', '429', '401-403', '4xx', '5xx', 'no-answer'] as const;
export type RequestOutcome = (typeof requestOutcomes)[number];

export function requestOutcome(status: number): RequestOutcome {
  if (status === 404 || status === 429) return `${status}`;
  if (status === 401 || status === 403) return '401-403';
  if (status >= 200 && status < 300) return '2xx';
  return status >= 500 ? '5xx' : '4xx';
}

/** The call is over at Plivo. */
export function isOver(outcome: HangupOutcome): boolean {
  return outcome === 'confirmed' || outcome === 'already-ended';
}
