import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { type CallAction, extraHeadersBytesMax } from '../plivo/xml.js';
import { documentUrl, type Surroundings, secret, textLike } from './kinds.js';

/** Kinds of values for what the gateway and Plivo say to each other before a stream. */

const spoken = textLike(/^[^\p{Cc}]{1,1000}$/u, 'a text of up to 1000 characters');
const dialled = textLike(
  /^(\+?\d{2,15}|sips?:[^\s;?]{1,128})$/,
  'a number such as "+15551234567", or a SIP address',
);

/** `hangup`, or one of `{ speak: text }`, `{ dial: number }`, `{ redirect: URL }`. */
export function callAction() {
  const expected = 'hangup, or one of { speak: "…" }, { dial: "+1…" }, { redirect: https://… }';
  const kinds = { speak: spoken, dial: dialled, redirect: documentUrl() };
  return z.unknown().transform((found, context): CallAction => {
    const refuse = (message: string, path: string[] = []): never => {
      context.addIssue({ code: 'custom', message, path });
      return z.NEVER;
    };
    if (found === 'hangup') return { kind: 'hangup' };
    if (typeof found !== 'object' || found === null) return refuse(expected);
    const [[name, value] = ['', undefined], ...others] = Object.entries(found);
    if (!Object.hasOwn(kinds, name) || others.length > 0) return refuse(expected);
    const read = kinds[name as keyof typeof kinds].safeParse(value);
    if (!read.success) return refuse(read.error.issues[0]?.message ?? expected, [name]);
    if (name === 'speak') return { kind: 'speak', text: read.data };
    return name === 'dial' ? { kind: 'dial', to: read.data } : { kind: 'redirect', url: read.data };
  });
}

/** Names and values as Plivo's `extraHeaders` has them: `name=value,name=value`, of a bounded length. */
export function extraHeaders() {
  const expected = 'names with a text each, without , ; or =, as in `tenant: "acme"`';
  return z.unknown().transform((found, context): string => {
    const refuse = (message: string): never => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    if (typeof found !== 'object' || found === null || Array.isArray(found))
      return refuse(expected);
    const entries = Object.entries(found as Record<string, unknown>);
    const isGood = ([name, value]: [string, unknown]) =>
      /^[A-Za-z0-9_-]+$/.test(name) && typeof value === 'string' && /^[^,;=\p{Cc}]*$/u.test(value);
    if (entries.length === 0 || !entries.every(isGood)) return refuse(expected);
    const text = entries.map(([name, value]) => `${name}=${value}`).join(',');
    if (Buffer.byteLength(text) <= extraHeadersBytesMax) return text;
    return refuse(
      `${extraHeadersBytesMax} bytes of names and values at most, which is Plivo's limit`,
    );
  });
}

/** Secrets, the newest first, parted by commas. */
export function tokenSecrets(surroundings: Surroundings) {
  const one = '[\\x21-\\x2b\\x2d-\\x7e]{16,}';
  const expected = 'a secret of at least 16 characters, or several parted by commas';
  return secret(surroundings, new RegExp(`^${one}(,${one})*$`), expected);
}

/** Whether a text is an IP address or a network such as 10.0.0.0/8. */
function isNetwork(text: string): boolean {
  const [address = '', bits, more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more !== undefined) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  );
}

/** Addresses or networks. */
export function networks() {
  const expected = 'an IP address, a network such as 10.0.0.0/8, or a list of them';
  return z.unknown().transform((found, context): readonly string[] => {
    const list: readonly unknown[] = Array.isArray(found) ? found : [found];
    for (const [index, item] of list.entries()) {
      if (typeof item === 'string' && isNetwork(item)) continue;
      const path = Array.isArray(found) ? [index] : [];
      context.addIssue({ code: 'custom', message: expected, path });
    }
    return list.filter((item) => typeof item === 'string');
  });
}

/** The set of them, to ask whether an address is in it. */
export function networkSet(networks: readonly string[]): BlockList {
  const set = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) set.addAddress(address, family);
    else set.addSubnet(address, Number(bits), family);
  }
  return set;
}
