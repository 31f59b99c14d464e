import { crc32 } from 'node:zlib';
import type { Entry, FailedIntent, Intent, LiveCall } from './intent.js';

/** A line of the journal: 8 hex digits of the CRC-32 of the JSON behind them, a space, the JSON of one entry. */

/** Longest line that is read: every text at its longest, every character of it escaped. */
export const lineCharsMax = 128 * 1_024;
const crcChars = 8;
export const callIdCharsMax = 256;
const textCharsMax = 4_096;

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function sumOf(json: string): string {
  const sum = crc32(json);
  const [high, low] = [sum >>> 16, sum & 0xffff];
  return (
    hexOfByte[high >>> 8]! +
    hexOfByte[high & 0xff]! +
    hexOfByte[low >>> 8]! +
    hexOfByte[low & 0xff]!
  );
}

const cut = (_name: string, value: unknown): unknown =>
  typeof value === 'string' ? value.slice(0, textCharsMax) : value;

/** Texts come from Plivo and from peers: overlong ones are cut, so that the line can be read again. */
export function lineOf(entry: Entry): string {
  const whole = JSON.stringify(entry);
  const json = whole.length > textCharsMax ? JSON.stringify(entry, cut) : whole;
  return `${sumOf(json)} ${json}\n`;
}

/** The entry of a line without its line break; undefined for a line that is damaged, cut or foreign. */
export function entryOf(line: string): Entry | undefined {
  if (line.length > lineCharsMax || line[crcChars] !== ' ') return undefined;
  const json = line.slice(crcChars + 1);
  if (sumOf(json) !== line.slice(0, crcChars)) return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return isEntry(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const call = { callId: 'string', accountId: 'string', route: 'string' } as const;
const intent = {
  ...call,
  reason: 'string',
  speculative: 'boolean',
  requestedAt: 'number',
  notBefore: 'number',
} as const;
type Shape = Readonly<Record<string, string>>;
/** By type: the member that holds the rest, if not the entry itself, and what is in it. */
const shapes: Readonly<
  Record<Exclude<Entry['type'], 'settled' | 'over'>, { readonly in?: string; readonly has: Shape }>
> = {
  hangup: { in: 'intent', has: intent },
  failed: {
    in: 'failed',
    has: { ...intent, failedAt: 'number', attempts: 'number', lastAnswer: 'string' },
  },
  live: { in: 'call', has: { ...call, startedAt: 'number' } },
  gone: { has: { callId: 'string' } },
};

/** A line with a right sum may still be of another program, or of a later version. */
function isEntry(value: unknown): value is Entry {
  if (!isObject(value) || typeof value.type !== 'string') return false;
  if (value.type === 'settled' || value.type === 'over') {
    return Array.isArray(value.callIds) && value.callIds.every(isCallId);
  }
  if (!Object.hasOwn(shapes, value.type)) return false;
  const shape = shapes[value.type as keyof typeof shapes];
  const members = shape.in === undefined ? value : value[shape.in];
  return isObject(members) && hasShape(members, shape.has);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isCallId(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= callIdCharsMax;
}

function hasShape(members: Readonly<Record<string, unknown>>, shape: Shape): boolean {
  if (!isCallId(members.callId)) return false;
  return Object.entries(shape).every(([name, kind]) => {
    const member = members[name];
    if (typeof member !== kind) return false;
    if (typeof member === 'string') return member.length <= textCharsMax;
    return typeof member !== 'number' || Number.isFinite(member);
  });
}

/** Of an entry of several calls, the first. */
export function callIdOf(entry: Entry): string {
  switch (entry.type) {
    case 'hangup':
      return entry.intent.callId;
    case 'failed':
      return entry.failed.callId;
    case 'live':
      return entry.call.callId;
    case 'settled':
    case 'over':
      return entry.callIds[0] ?? '';
    default:
      return entry.callId;
  }
}

/** What the entries so far come to. */
export class JournalState {
  readonly intents = new Map<string, Intent>();
  readonly failed = new Map<string, FailedIntent>();
  readonly calls = new Map<string, LiveCall>();

  get size(): number {
    return this.intents.size + this.failed.size + this.calls.size;
  }

  apply(entry: Entry): void {
    switch (entry.type) {
      case 'hangup':
        this.failed.delete(entry.intent.callId);
        this.intents.set(entry.intent.callId, entry.intent);
        return;
      case 'failed':
        this.intents.delete(entry.failed.callId);
        this.failed.set(entry.failed.callId, entry.failed);
        return;
      case 'settled':
      case 'over':
        for (const callId of entry.callIds) {
          this.intents.delete(callId);
          this.failed.delete(callId);
          if (entry.type === 'over') this.calls.delete(callId);
        }
        return;
      case 'live':
        this.calls.set(entry.call.callId, entry.call);
        return;
      case 'gone':
        this.calls.delete(entry.callId);
    }
  }

  /** Entries that come to the same. Taken one by one, each is as it is at that moment. */
  *entries(): Generator<Entry> {
    for (const call of this.calls.values()) yield { type: 'live', call };
    for (const intent of this.intents.values()) yield { type: 'hangup', intent };
    for (const failed of this.failed.values()) yield { type: 'failed', failed };
  }
}
