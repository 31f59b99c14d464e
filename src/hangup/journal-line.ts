import { crc32 } from 'node:zlib';
import type { Entry, FailedIntent, Intent, LiveCall } from './intent.js';

/** A line of the journal: 8 hex digits of the CRC-32 of the JSON behind them, a space, the JSON of one entry. */

/** Longest line that is read: every text at its longest, every character of it escaped. */
export const lineCharsMax = 128 * 1_024;
const crcChars = 8;
export const callIdCharsMax = 256;
const textCharsMax = 4_096;

/** Texts come from Plivo and from peers: overlong ones are cut, so that the line can be read again. */
export function lineOf(entry: Entry): string {
  const json = JSON.stringify(entry, (_name, value: unknown) =>
    typeof value === 'string' ? value.slice(0, textCharsMax) : value,
  );
  return `${crc32(json).toString(16).padStart(crcChars, '0')} ${json}\n`;
}

/** The entry of a line without its line break; undefined for a line that is damaged, cut or foreign. */
export function entryOf(line: string): Entry | undefined {
  if (line.length > lineCharsMax || line[crcChars] !== ' ') return undefined;
  const json = line.slice(crcChars + 1);
  if (crc32(json).toString(16).padStart(crcChars, '0') !== line.slice(0, crcChars))
    return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return isEntry(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const intentShape = {
  callId: 'string',
  accountId: 'string',
  route: 'string',
  reason: 'string',
  speculative: 'boolean',
  requestedAt: 'number',
  notBefore: 'number',
} as const;
const shapes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  hangup: intentShape,
  failed: { ...intentShape, failedAt: 'number', attempts: 'number', lastAnswer: 'string' },
  settled: { callId: 'string' },
  live: { callId: 'string', accountId: 'string', route: 'string', startedAt: 'number' },
  gone: { callId: 'string' },
};

/** A line with a right sum may still be of another program, or of a later version. */
function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  const members = value as Readonly<Record<string, unknown>>;
  const { type, callId } = members;
  const shape = typeof type === 'string' && Object.hasOwn(shapes, type) ? shapes[type] : undefined;
  if (shape === undefined || typeof callId !== 'string') return false;
  if (callId === '' || callId.length > callIdCharsMax) return false;
  return Object.entries(shape).every(([name, kind]) => {
    const member = members[name];
    if (typeof member !== kind) return false;
    if (typeof member === 'string') return member.length <= textCharsMax;
    return typeof member !== 'number' || Number.isFinite(member);
  });
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
    const { callId } = entry;
    switch (entry.type) {
      case 'hangup': {
        const { type: _, ...intent } = entry;
        this.failed.delete(callId);
        this.intents.set(callId, intent);
        return;
      }
      case 'failed': {
        const { type: _, ...failed } = entry;
        this.intents.delete(callId);
        this.failed.set(callId, failed);
        return;
      }
      case 'settled':
        this.intents.delete(callId);
        this.failed.delete(callId);
        return;
      case 'live': {
        const { type: _, ...call } = entry;
        this.calls.set(callId, call);
        return;
      }
      case 'gone':
        this.calls.delete(callId);
    }
  }

  /** Entries that come to the same. Taken one by one, each is as it is at that moment. */
  *entries(): Generator<Entry> {
    for (const call of this.calls.values()) yield { ...call, type: 'live' };
    for (const intent of this.intents.values()) yield { ...intent, type: 'hangup' };
    for (const failed of this.failed.values()) yield { ...failed, type: 'failed' };
  }
}
