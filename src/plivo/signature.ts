import { createHmac, timingSafeEqual } from 'node:crypto';

/** Plivo's request signatures, version 3 (protocol reference, section 6). Nothing here does I/O. */

export type SignedMethod = 'GET' | 'POST';

/** Decoded fields in any order; a name may come more than once. */
export type Fields = readonly (readonly [name: string, value: string])[];

export const nonceHeader = 'x-plivo-signature-v3-nonce';
/** The first is keyed with the token of the number's account, the second always with the main account's. */
export const signatureHeaders = ['x-plivo-signature-v3', 'x-plivo-signature-ma-v3'] as const;

/** Names in lower case. */
export type Headers = Readonly<Record<string, string | undefined>>;

export interface SignedRequest {
  readonly method: SignedMethod;
  /** As Plivo was given it: the scheme, host, port and path are part of what is signed. */
  readonly url: string;
  /** The form of a POST. A GET has all its fields in the URL. */
  readonly params: Fields;
  readonly headers: Headers;
  /** Any of them may have signed. */
  readonly tokens: readonly string[];
}

export function signatureV3(
  method: SignedMethod,
  url: string,
  params: Fields,
  nonce: string,
  token: string,
): string {
  return createHmac('sha256', token)
    .update(`${signedText(method, url, params)}.${nonce}`)
    .digest('base64');
}

/** Whether one of the tokens signed this request. Without a signature or its nonce: no. */
export function verifyV3({ method, url, params, headers, tokens }: SignedRequest): boolean {
  const nonce = headers[nonceHeader]?.trim() ?? '';
  const offered = offeredSignatures(headers);
  if (nonce === '' || offered.length === 0) return false;
  let matches = false;
  for (const token of tokens) {
    // Anybody can sign with an empty key.
    if (token === '') continue;
    const expected = Buffer.from(signatureV3(method, url, params, nonce, token));
    for (const one of offered) matches = sameBytes(Buffer.from(one), expected) || matches;
  }
  return matches;
}

/** Whether there is something to verify at all. */
export function isSigned(headers: Headers): boolean {
  return (headers[nonceHeader]?.trim() ?? '') !== '' && offeredSignatures(headers).length > 0;
}

/** With several active tokens a header is a list (section 6.1). */
function offeredSignatures(headers: Headers): string[] {
  return signatureHeaders
    .flatMap((name) => (headers[name] ?? '').split(','))
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

function sameBytes(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

/**
 * The text that is signed, without the nonce, as Plivo's SDKs build it (section 6.2). The URL is cut by hand: a URL
 * parser would change the case of the host, drop a port, or add a slash.
 */
function signedText(method: SignedMethod, url: string, params: Fields): string {
  const [whole = ''] = url.split('#', 1);
  const mark = whole.indexOf('?');
  const place = mark < 0 ? whole : whole.slice(0, mark);
  const inUrl = mark < 0 ? [] : [...new URLSearchParams(whole.slice(mark + 1))];
  const query = (fields: Fields) =>
    sorted(fields)
      .map(([name, value]) => `${name}=${value}`)
      .join('&');
  if (method === 'GET' || params.length === 0) {
    const text = query(method === 'GET' ? [...inUrl, ...params] : inUrl);
    return text === '' ? place : `${place}?${text}`;
  }
  const form = sorted(params).flat().join('');
  return inUrl.length === 0 ? `${place}?${form}` : `${place}?${query(inUrl)}.${form}`;
}

/** By name, then by value, both by character code. */
function sorted(fields: Fields): Fields {
  return fields.toSorted(([a, x], [b, y]) => compare(a, b) || compare(x, y));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
