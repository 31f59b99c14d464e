import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/**
 * Stream tokens (design D8): what the answer webhook knew of a call, encrypted and authenticated, as one segment of the
 * path of its stream URL. Plivo sends no numbers and no Authorization header on a stream (protocol reference, sections
 * 2.1 and 6.4), so the token carries the one and stands for the other. Nothing here does I/O.
 *
 *   byte 0       version, 1
 *   bytes 1-2    which key: the last two of the 34 bytes that HKDF makes of the secret
 *   bytes 3-14   IV of AES-256-GCM
 *   then         the content, JSON, encrypted; bytes 0-2 are its additional data
 *   last 16      the tag of GCM
 *
 * and all of it in base64url without padding. docs/plivo.md has it as a recipe, for services that mint their own.
 */
export interface StreamToken {
  readonly callId: string;
  readonly from: string;
  readonly to: string;
  /** What else is known of the call: `direction`, values of the answer URL's query, `SIP-H-` fields. */
  readonly query: Readonly<Record<string, string>>;
  /** Name of the account whose signature the webhook had; empty if that is not known. */
  readonly account: string;
  /** Name of the route that the call was answered for; empty: any that matches. */
  readonly route: string;
  /** Unix time, milliseconds. */
  readonly issuedMs: number;
  readonly expiresMs: number;
}

/** Made of a secret once, used for every token. */
export interface TokenKey {
  readonly key: Uint8Array;
  readonly hint: Uint8Array;
}

const version = 1;
const keyBytes = 32;
const hintBytes = 2;
const headBytes = 1 + hintBytes;
const ivBytes = 12;
const tagBytes = 16;
/** Of a stream URL (section 4.1); a token is shorter still. */
const tokenCharsMax = 2_048;
const hkdfInfo = 'plivo-stream-gateway stream token v1';

export function tokenKey(secret: string): TokenKey {
  const made = new Uint8Array(hkdfSync('sha256', secret, '', hkdfInfo, keyBytes + hintBytes));
  return { key: made.subarray(0, keyBytes), hint: made.subarray(keyBytes) };
}

export function mintToken(token: StreamToken, { key, hint }: TokenKey): string {
  const head = Buffer.from([version, ...hint]);
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(head);
  const content = Buffer.concat([cipher.update(contentOf(token), 'utf8'), cipher.final()]);
  return Buffer.concat([head, iv, content, cipher.getAuthTag()]).toString('base64url');
}

export type OpenedToken =
  | { readonly ok: true; readonly token: StreamToken }
  /** `malformed`: no token at all. `forged`: made with another key, or changed on the way. */
  | { readonly ok: false; readonly why: 'malformed' | 'forged' };

/** Whether one of the keys made it. Says nothing of its age. Never throws. */
export function openToken(text: string, keys: readonly TokenKey[]): OpenedToken {
  if (text.length > tokenCharsMax || !/^[A-Za-z0-9_-]+$/.test(text)) return malformed;
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length <= headBytes + ivBytes + tagBytes || bytes[0] !== version) return malformed;
  // Bits behind the last byte would let one token be written in several ways.
  if (bytes.toString('base64url') !== text) return malformed;
  for (const { key, hint } of keys) {
    if (bytes[1] !== hint[0] || bytes[2] !== hint[1]) continue;
    const content = decrypt(bytes, key);
    if (content === undefined) continue;
    const token = tokenOf(content);
    return token === undefined ? malformed : { ok: true, token };
  }
  return { ok: false, why: 'forged' };
}

const malformed: OpenedToken = { ok: false, why: 'malformed' };

function decrypt(bytes: Buffer, key: Uint8Array): string | undefined {
  const iv = bytes.subarray(headBytes, headBytes + ivBytes);
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  decipher.setAAD(bytes.subarray(0, headBytes));
  decipher.setAuthTag(bytes.subarray(-tagBytes));
  const sealed = bytes.subarray(headBytes + ivBytes, -tagBytes);
  try {
    return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

/** What is empty is left out: the URL has to stay short. */
function contentOf(token: StreamToken): string {
  const { callId, from, to, query, account, route, issuedMs, expiresMs } = token;
  return JSON.stringify({
    callId,
    ...(from && { from }),
    ...(to && { to }),
    ...(account && { account }),
    ...(route && { route }),
    ...(Object.keys(query).length > 0 && { query }),
    iat: issuedMs,
    exp: expiresMs,
  });
}

/** The content of another minter may be anything. */
function tokenOf(content: string): StreamToken | undefined {
  let read: unknown;
  try {
    read = JSON.parse(content);
  } catch {
    return undefined;
  }
  if (typeof read !== 'object' || read === null) return undefined;
  const {
    callId,
    from = '',
    to = '',
    account = '',
    route = '',
    query = {},
    iat,
    exp,
  } = read as Record<string, unknown>;
  const texts = [callId, from, to, account, route];
  if (!texts.every((text) => typeof text === 'string') || callId === '') return undefined;
  if (typeof query !== 'object' || query === null || Array.isArray(query)) return undefined;
  const entries = Object.entries(query).filter(([name]) => name !== '__proto__');
  if (!entries.every(([, value]) => typeof value === 'string')) return undefined;
  if (!isTime(iat) || !isTime(exp)) return undefined;
  return {
    callId: callId as string,
    from: from as string,
    to: to as string,
    account: account as string,
    route: route as string,
    query: Object.assign(Object.create(null), Object.fromEntries(entries)),
    issuedMs: iat,
    expiresMs: exp,
  };
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
