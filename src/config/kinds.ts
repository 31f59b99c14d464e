import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { extname, resolve } from 'node:path';
import { z } from 'zod';
import { audioRates, isAudioRate } from '../limits.js';
import { formatDuration, parseDuration, unitOf } from './duration.js';
import type { Environment } from './environment.js';
import { nearestName } from './nearest.js';
import { builtinHandlers, type HandlerSource } from './types.js';

/**
 * The kinds of values in the configuration. A refusal's message says what is allowed: it is printed
 * behind "expected", after what was found.
 */

type Context = z.core.$RefinementCtx;

/** What values that lead elsewhere are relative to. */
export interface Surroundings {
  /** Absolute, or `.`. */
  readonly directory: string;
  readonly environment: Environment;
}

function refuse(context: Context, expected: string): never {
  context.addIssue({ code: 'custom', message: expected });
  return z.NEVER;
}

export function wholeNumber(min: number, max: number) {
  const expected = `a whole number from ${min} to ${max}`;
  return z.int({ error: expected }).min(min, expected).max(max, expected);
}

export function choice<const T extends readonly string[]>(names: T) {
  return z.enum(names, { error: `one of ${names.join(', ')}` });
}

export function textLike(pattern: RegExp, expected: string) {
  const looksOtherwise = `${expected}; quote it, or YAML reads something else`;
  const error = ({ input }: { input?: unknown }) =>
    typeof input === 'number' || typeof input === 'boolean' ? looksOtherwise : expected;
  return z.string({ error }).regex(pattern, expected);
}

/** A duration with its unit, in milliseconds. `usual` is an allowed one, for the hints. */
export function duration(minMs: number, maxMs: number, usual: string, stepMs = 1) {
  const step = stepMs > 1 ? ` in steps of ${formatDuration(stepMs)}` : '';
  const range = `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}${step}`;
  return z.unknown().transform((found, context) => {
    if (typeof found === 'number') {
      const fix = Number.isSafeInteger(found) && found >= 0 ? `${found}${unitOf(usual)}` : usual;
      return refuse(context, `a duration with its unit (ms, s, m or h), as in "${fix}"`);
    }
    const ms = typeof found === 'string' ? parseDuration(found) : undefined;
    if (ms === undefined || ms < minMs || ms > maxMs || ms % stepMs !== 0) {
      return refuse(context, `a duration ${range}, as in "${usual}"`);
    }
    return ms;
  });
}

export function hostName() {
  const label = '[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?';
  const name = new RegExp(`^${label}(\\.${label})*$`);
  return z.unknown().transform((found, context) => {
    const good = typeof found === 'string' && (isIP(found) !== 0 || name.test(found));
    return good ? found : refuse(context, 'an IP address or a host name, without port');
  });
}

/** Without a trailing slash, so that paths can be appended. */
export function httpUrl() {
  const expected = 'an http:// or https:// address without user name, query or fragment';
  return z.unknown().transform((found, context) => {
    const url = typeof found === 'string' && URL.canParse(found) ? new URL(found) : undefined;
    if (!url || !/^https?:$/.test(url.protocol)) return refuse(context, expected);
    if (url.username || url.password || url.search || url.hash) return refuse(context, expected);
    return url.href.replace(/\/+$/, '');
  });
}

/** Of an answer document: it may have a query. */
export function documentUrl() {
  const expected = 'an http:// or https:// address without user name or fragment';
  return z.unknown().transform((found, context) => {
    const url = typeof found === 'string' && URL.canParse(found) ? new URL(found) : undefined;
    if (!url || !/^https?:$/.test(url.protocol)) return refuse(context, expected);
    if (url.username || url.password || url.hash) return refuse(context, expected);
    return url.href;
  });
}

const placeholders = ['call', 'stream', 'account', 'from', 'to', 'route', 'resumed', 'body'];

function isUpstreamUrl(url: string): boolean {
  let isKnown = true;
  const filled = url.replace(/\{([^}]*)\}/g, (_, name: string) => {
    isKnown &&= placeholders.includes(name);
    return 'x';
  });
  if (!isKnown || !URL.canParse(filled)) return false;
  const { protocol, hash } = new URL(filled);
  return /^wss?:$/.test(protocol) && hash === '';
}

/** One address of an upstream or a list of them, each a URL or a URL with its weight. */
export function upstreamAddresses() {
  const names = placeholders.map((name) => `{${name}}`).join(' ');
  const expected = `a ws:// or wss:// address, in which ${names} stand for facts of the call; or { url, weight }`;
  const address = z.union([
    z.string().transform((url) => ({ url, weight: 1 })),
    z.strictObject({ url: z.string(), weight: z.int().min(1).max(1_000) }),
  ]);
  return z.unknown().transform((found, context) => {
    const list: readonly unknown[] = Array.isArray(found) ? found : [found];
    const read = list.map((item) => address.safeParse(item).data);
    const wrong = read.findIndex((one) => one === undefined || !isUpstreamUrl(one.url));
    if (list.length > 0 && wrong < 0) return read.flatMap((one) => one ?? []);
    const path = Array.isArray(found) && list.length > 0 ? [wrong] : [];
    context.addIssue({ code: 'custom', message: expected, path });
    return z.NEVER;
  });
}

/** Names and values of HTTP headers; a value may be a reference to a secret. */
export function headerValues(surroundings: Surroundings) {
  const expected = 'header names with a text each, as in `Authorization: "Bearer …"`';
  const value = secret(surroundings, /^[\x20-\x7e]*$/, 'plain text');
  return z.unknown().transform((found, context): Readonly<Record<string, string>> => {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) {
      return refuse(context, expected);
    }
    const headers: Record<string, string> = {};
    for (const [name, text] of Object.entries(found)) {
      const read = value.safeParse(text);
      const isName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name);
      if (read.success && isName) headers[name] = read.data;
      else {
        const message = read.error?.issues[0]?.message ?? expected;
        context.addIssue({ code: 'custom', message, path: [name] });
      }
    }
    return headers;
  });
}

/** Names and values of a query. */
export function queryValues() {
  const expected = 'names with a text each, as in `tenant: "acme"`';
  return z.unknown().transform((found, context): Readonly<Record<string, string>> => {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) {
      return refuse(context, expected);
    }
    const entries = Object.entries(found);
    const isGood = entries.length > 0 && entries.every(([, value]) => typeof value === 'string');
    return isGood ? Object.fromEntries(entries) : refuse(context, expected);
  });
}

const shardsMax = 64;

/** One core is left to the front. */
export function autoShards(cores = availableParallelism()): number {
  return Math.min(shardsMax, Math.max(1, cores - 1));
}

export function shards() {
  return z.unknown().transform((found, context) => {
    if (found === 'auto') return autoShards();
    const good = typeof found === 'number' && Number.isInteger(found);
    if (good && found >= 1 && found <= shardsMax) return found;
    return refuse(context, `auto or a whole number from 1 to ${shardsMax}`);
  });
}

export function audioRate() {
  return z.unknown().transform((found, context) => {
    if (typeof found === 'number' && isAudioRate(found)) return found;
    return refuse(context, `one of ${audioRates.join(', ')} (Hz)`);
  });
}

const numberPattern = /^(\+?(\d{2,15}|\d{1,14}\*)|sips?:[^\s@;?*]{1,64}\*?|anonymous)$/;

/** One phone-number pattern or a list of them. A problem with `quote` asks for quotes around a number. */
export function phoneNumbers() {
  const expected =
    'a phone number such as "+15551234567", a SIP user such as "sip:alice", either with a * behind its beginning, or anonymous';
  return z.unknown().transform((found, context): readonly string[] => {
    const list: readonly unknown[] = Array.isArray(found) ? found : [found];
    if (list.length === 0) return refuse(context, `${expected}; for any number leave the line out`);
    const numbers: string[] = [];
    for (const [index, item] of list.entries()) {
      if (typeof item === 'string' && numberPattern.test(item)) {
        numbers.push(item);
        continue;
      }
      const path = Array.isArray(found) ? [index] : [];
      const params = { quote: typeof item === 'number' || typeof item === 'bigint' };
      context.addIssue({ code: 'custom', message: expected, path, params });
    }
    return numbers;
  });
}

/** Why a file cannot be read; undefined if it can. */
export function unreadable(file: string): string | undefined {
  try {
    if (statSync(file).isDirectory()) return `${file} is a folder`;
    accessSync(file, constants.R_OK);
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return `there is no file ${file}`;
    return `${file} cannot be read (${code ?? 'unknown error'})`;
  }
}

/** A file that can be read, as an absolute path. */
export function readableFile(directory: string, what: string) {
  return z.unknown().transform((found, context) => {
    if (typeof found !== 'string' || found === '') return refuse(context, `the path of ${what}`);
    const file = resolve(directory, found);
    const trouble = unreadable(file);
    return trouble ? refuse(context, `the path of ${what}: ${trouble}`) : file;
  });
}

/** A folder that need not exist yet, as an absolute path. */
export function folder({ directory }: Surroundings, what: string) {
  return z.unknown().transform((found, context) => {
    const good = typeof found === 'string' && found !== '' && !found.includes('\0');
    return good ? resolve(directory, found) : refuse(context, `the path of ${what}`);
  });
}

/** A file that is written and need not exist yet, as an absolute path. */
export function writtenFile(directory: string, what: string) {
  return z.unknown().transform((found, context) => {
    const good = typeof found === 'string' && found !== '' && !found.includes('\0');
    if (!good) return refuse(context, `the path of ${what}`);
    const file = resolve(directory, found);
    const isFolder = statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
    return isFolder ? refuse(context, `the path of ${what}: ${file} is a folder`) : file;
  });
}

const secretBytesMax = 4_096;

/** A text, or where it is: `${env:NAME}` or `${file:PATH}`, a file of one line. */
export function secret(surroundings: Surroundings, pattern: RegExp, expected: string) {
  return z.unknown().transform((found, context) => {
    if (typeof found !== 'string') return refuse(context, `${expected}, quoted`);
    const [, kind, where = ''] = /^\$\{(env|file):([^}]+)\}$/.exec(found) ?? [];
    if (kind === undefined) {
      const isReference = found.startsWith('${');
      if (pattern.test(found) && !isReference) return found;
      const form = `; a reference is \${env:NAME} or \${file:PATH}`;
      return refuse(context, isReference ? expected + form : expected);
    }
    const read = kind === 'env' ? variable(where, surroundings) : line(where, surroundings);
    if (read.text === undefined) return refuse(context, `${expected}; ${read.trouble}`);
    if (pattern.test(read.text)) return read.text;
    const place = kind === 'env' ? `environment variable ${where}` : where;
    return refuse(context, `${expected}; ${place} holds something else`);
  });
}

type Read = { readonly text: string } | { readonly text: undefined; readonly trouble: string };

function variable(name: string, { environment }: Surroundings): Read {
  const text = environment[name];
  return text ? { text } : { text: undefined, trouble: `environment variable ${name} is not set` };
}

function line(path: string, { directory }: Surroundings): Read {
  const file = resolve(directory, path);
  const trouble = unreadable(file);
  if (trouble) return { text: undefined, trouble };
  if (statSync(file).size > secretBytesMax)
    return { text: undefined, trouble: `${file} is too long` };
  return { text: readFileSync(file, 'utf8').trimEnd() };
}

export function handler(directory: string) {
  const names = builtinHandlers.join(', ');
  const expected = `${names}, or the path of a .js or .mjs file beginning with ./, ../ or /`;
  return z.unknown().transform((found, context): HandlerSource => {
    const builtin = builtinHandlers.find((name) => name === found);
    if (builtin) return { kind: 'builtin', name: builtin };
    if (typeof found !== 'string') return refuse(context, expected);
    if (/\.[cm]?tsx?$/.test(found)) {
      return refuse(context, 'JavaScript: compile it first, and name the .js file that comes out');
    }
    const script = ['.js', '.mjs'].includes(extname(found));
    if (script && !/^(\.{0,2})\//.test(found)) {
      return refuse(context, `a path beginning with ./, ../ or /, as in "./${found}"`);
    }
    if (!script) {
      const meant = nearestName(found, builtinHandlers);
      return refuse(context, meant ? `${expected}; did you mean ${meant}?` : expected);
    }
    const file = resolve(directory, found);
    const trouble = unreadable(file);
    return trouble
      ? refuse(context, `a handler that can be read: ${trouble}`)
      : { kind: 'module', file };
  });
}
