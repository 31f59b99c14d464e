import { createHmac, timingSafeEqual } from 'node:crypto';

/** Plivo's request signatures, version 3 (protocol reference, section 6). Nothing here does I/O. */

export type SignedMethod = 'GET' | 'POST';

/** Decoded fields in any order; a name may come more than once. */
export type Fields = readonly (readonly [name: string, value: string])[];

export const nonceHeader = 'x-plivo-signature-v3-nonce';
/** The first is keyed with the token of the number's account, the second always with the main account's. */
export const signatureHeaders = ['x-plivo-signature-v3', 'x-plivo-signature-ma-v3'] as const;

const signaturesMax = 8;

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
  return hmac(signedText(method, url, params), nonce, token);
}

function hmac(text: string, nonce: string, token: string): string {
  return createHmac('sha256', token).update(`${text}.${nonce}`).digest('base64');
}

/** Whether one of the tokens signed this request. Without a signature or its nonce: no. */
export function verifyV3(request: SignedRequest): boolean {
  return signerOf(request) >= 0;
}

/**
 * Index of the token that signed this request, or -1. One that made the plain header comes before one that made that of
 * the main account: it is the token of the account that the number belongs to (section 6.1).
 */
export function signerOf({ method, url, params, headers, tokens }: SignedRequest): number {
  const nonce = headers[nonceHeader]?.trim() ?? '';
  const [own, main] = signatureHeaders.map((name) => signaturesIn(headers[name])) as [
    string[],
    string[],
  ];
  if (nonce === '' || own.length + main.length === 0) return -1;
  const signed = signedText(method, url, params);
  let ofOwn = -1;
  let ofMain = -1;
  // All are looked at, whichever matches.
  for (const [index, token] of tokens.entries()) {
    // Anybody can sign with an empty key.
    if (token === '') continue;
    const expected = Buffer.from(hmac(signed, nonce, token));
    if (oneIs(own, expected) && ofOwn < 0) ofOwn = index;
    if (oneIs(main, expected) && ofMain < 0) ofMain = index;
  }
  return ofOwn >= 0 ? ofOwn : ofMain;
}

function oneIs(offered: readonly string[], expected: Buffer): boolean {
  let found = false;
  for (const one of offered) found = sameBytes(Buffer.from(one), expected) || found;
  return found;
}

/** Whether there is something to verify at all. */
export function isSigned(headers: Headers): boolean {
  const offered = signatureHeaders.flatMap((name) => signaturesIn(headers[name]));
  return (headers[nonceHeader]?.trim() ?? '') !== '' && offered.length > 0;
}

/** With several active tokens a header is a list (section 6.1); no account has more than a few. */
function signaturesIn(header = ''): string[] {
  return header
    .split(',', signaturesMax)
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

/** What Plivo signs of a WebSocket upgrade is told in several ways (section 6.4), the one seen on live calls first. */
export const upgradeForms = [
  ...(['http', 'https', 'wss', 'ws'] as const),
  ...(['http/websocket', 'https/websocket', 'wss/websocket', 'ws/websocket'] as const),
] as const;
export type UpgradeForm = (typeof upgradeForms)[number];

/**
 * The URL that is signed in this form.
 * @param place host and path of the stream URL, as in `voice.example.com/stream`
 * @param query without the question mark
 */
export function upgradeUrl(form: UpgradeForm, place: string, query: string): string {
  const [scheme, suffix] = form.split('/');
  const path = suffix === undefined ? place : `${place}/${suffix}`;
  return `${scheme}://${path}${query === '' ? '' : `?${query}`}`;
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
