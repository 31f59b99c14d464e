import { GatewayError } from '../errors.js';

/** Facts of Plivo's REST API (protocol reference, section 5). Nothing here does I/O. */

export interface Credentials {
  readonly authId: string;
  readonly authToken: string;
}

const safeId = /^[A-Za-z0-9_-]{1,128}$/;

/**
 * The URL of one call. The only place that builds it, and the only place that looks at the id:
 * an empty id would turn a hang-up into "hang up every call of the account" (section 5.1).
 * @param apiUrl or the path of one: then the answer is a path too
 * @throws GatewayError BAD_CALL_ID
 */
export function callUrl(apiUrl: string, authId: string, callId: string): string {
  if (!safeId.test(callId)) {
    throw new GatewayError(
      'BAD_CALL_ID',
      `call id ${JSON.stringify(callId.slice(0, 40))} is not a token of letters, digits, "_" and "-"; no request was made`,
    );
  }
  return accountUrl(apiUrl, authId, `Call/${encodeURIComponent(callId)}/`);
}

/**
 * The URL of something in an account that is no call: those are built above.
 * @param path with a trailing slash; empty for the account itself
 */
export function accountUrl(apiUrl: string, authId: string, path: string): string {
  const base = apiUrl.endsWith('/') ? apiUrl.replace(/\/+$/, '') : apiUrl;
  return `${base}/v1/Account/${encodeURIComponent(authId)}/${path}`;
}

export function basicAuthorization({ authId, authToken }: Credentials): string {
  return `Basic ${Buffer.from(`${authId}:${authToken}`).toString('base64')}`;
}

/** Body of a transfer (section 5.1): the caller's leg goes on with the document at `url`. */
export function transferBody(url: string): string {
  return JSON.stringify({ legs: 'aleg', aleg_url: url, aleg_method: 'POST' });
}

/** What an answer to a hang-up means (sections 5.1, 5.3 and 10, row 18). */
export type HangupVerdict = 'confirmed' | 'already-ended' | 'retry' | 'unauthorized' | 'refused';

export function hangupVerdict(status: number): HangupVerdict {
  if (status === 200 || status === 202 || status === 204) return 'confirmed';
  if (status === 404) return 'already-ended';
  if (status === 429 || status >= 500) return 'retry';
  if (status === 401 || status === 403) return 'unauthorized';
  return 'refused';
}
