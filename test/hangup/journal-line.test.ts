import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry, Intent } from '../../src/hangup/intent.js';
import { entryOf, JournalState, lineCharsMax, lineOf } from '../../src/hangup/journal-line.js';

const intent: Intent = {
  callId: 'call-1',
  accountId: 'MAXXXX',
  route: 'main',
  reason: 'app-end',
  speculative: false,
  requestedAt: 1_700_000_000_000,
  notBefore: 1_700_000_001_000,
};
const failedFacts = { failedAt: 1_700_000_002_000, attempts: 3, lastAnswer: 'status 500 "oh\n"' };
const call = { callId: 'call-1', accountId: 'MAXXXX', route: 'main', startedAt: 17 };

const callId = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
const text = fc.string({ unit: 'binary', maxLength: 60 });
const time = fc.integer({ min: 0, max: 9_007_199_254_740_991 });
const intentMembers = {
  callId,
  accountId: text,
  route: text,
  reason: text,
  speculative: fc.boolean(),
  requestedAt: time,
  notBefore: time,
};
const anyEntry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ type: fc.constant('hangup' as const), intent: fc.record(intentMembers) }),
  fc.record({
    type: fc.constant('failed' as const),
    failed: fc.record({ ...intentMembers, failedAt: time, attempts: fc.nat(), lastAnswer: text }),
  }),
  fc.record({
    type: fc.constantFrom('settled' as const, 'over' as const),
    callIds: fc.array(callId),
  }),
  fc.record({
    type: fc.constant('live' as const),
    call: fc.record({ callId, accountId: text, route: text, startedAt: time }),
  }),
  fc.record({ type: fc.constant('gone' as const), callId }),
);

/** A line with a right sum, whatever it holds. */
function signed(json: string): string {
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}`;
}
const withoutBreak = (line: string): string => line.slice(0, -1);

describe('a line', () => {
  it('gives back the entry it was made of', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        const line = lineOf(entry);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(entryOf(withoutBreak(line))).toEqual(entry);
      }),
      { seed: 1, numRuns: 2_000 },
    );
  });

  it('is eight hex digits, a space and JSON', () => {
    const line = lineOf({ type: 'gone', callId: 'a' });
    expect(line).toMatch(/^[0-9a-f]{8} \{"type":"gone","callId":"a"\}\n$/);
  });

  it('with any one byte changed is no entry', () => {
    const bytes = Buffer.from(
      withoutBreak(lineOf({ type: 'failed', failed: { ...intent, ...failedFacts } })),
    );
    for (let at = 0; at < bytes.length; at += 1) {
      for (const change of [0x01, 0x20, 0x80, 0xff]) {
        const damaged = Buffer.from(bytes);
        damaged[at]! ^= change;
        expect(entryOf(damaged.toString()), `byte ${at}`).toBeUndefined();
      }
    }
  });

  it('cut anywhere is no entry', () => {
    const line = withoutBreak(lineOf({ type: 'hangup', intent }));
    for (let at = 0; at < line.length; at += 1) expect(entryOf(line.slice(0, at))).toBeUndefined();
  });

  it('of anything at all never throws', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json().map(signed),
      fc.string().map(signed),
    );
    fc.assert(
      fc.property(anything, (line) => {
        expect(entryOf(line)).toBeUndefined();
      }),
      { seed: 2, numRuns: 5_000 },
    );
  });

  it('of another shape is no entry, although its sum is right', () => {
    const facts = { ...intent, ...failedFacts };
    const good = { type: 'failed', failed: facts };
    const withFacts = (other: Record<string, unknown>) => ({
      ...good,
      failed: { ...facts, ...other },
    });
    const wrong: Record<string, unknown>[] = [
      ...[undefined, null, []].flatMap((member) => [
        ...Object.keys(facts).map((name) => withFacts({ [name]: member })),
        { ...good, failed: member },
        { ...good, type: member },
      ]),
      { type: 'failed', ...facts },
      { ...good, type: 'toString' },
      { ...good, type: '__proto__' },
      { ...good, type: 'hangup' },
      withFacts({ callId: '' }),
      withFacts({ callId: 'x'.repeat(257) }),
      withFacts({ speculative: 0 }),
      withFacts({ requestedAt: '17' }),
    ];
    expect(entryOf(signed(JSON.stringify(good)))).toEqual(good);
    for (const one of wrong) expect(entryOf(signed(JSON.stringify(one)))).toBeUndefined();
    const endless = JSON.stringify(good).replace(/"attempts":3/, '"attempts":1e999');
    expect(entryOf(signed(endless))).toBeUndefined();
  });

  it('can be read however long the texts are that Plivo or a peer sent', () => {
    for (const long of ['x'.repeat(3_000), '"'.repeat(60_000), '\u0001'.repeat(60_000)]) {
      const line = withoutBreak(lineOf({ type: 'hangup', intent: { ...intent, accountId: long } }));
      expect(line.length).toBeLessThanOrEqual(lineCharsMax);
      expect(entryOf(line)).toMatchObject({
        intent: { callId: 'call-1', requestedAt: intent.requestedAt },
      });
    }
    const long = { ...intent, accountId: 'x'.repeat(3_000) };
    const whole: Entry = { type: 'hangup', intent: long };
    expect(entryOf(withoutBreak(lineOf(whole)))).toEqual(whole);
  });
});

describe('the state', () => {
  const stateOf = (...entries: readonly Entry[]): JournalState => {
    const state = new JournalState();
    for (const entry of entries) state.apply(entry);
    return state;
  };
  const hangup: Entry = { type: 'hangup', intent };
  const failed: Entry = { type: 'failed', failed: { ...intent, ...failedFacts } };

  it('keeps an intent, and nothing that an intent does not have', () => {
    expect([...stateOf(hangup).intents]).toEqual([['call-1', intent]]);
    expect([...stateOf({ type: 'live', call }).calls]).toEqual([['call-1', call]]);
    expect([...stateOf(failed).failed]).toEqual([['call-1', { ...intent, ...failedFacts }]]);
  });

  it('makes an intent a failed one, and a failed one an intent again', () => {
    const once = stateOf(hangup, failed);
    expect([once.intents.size, once.failed.size]).toEqual([0, 1]);
    const again = stateOf(hangup, failed, hangup);
    expect([again.intents.size, again.failed.size]).toEqual([1, 0]);
  });

  it('forgets both when it is settled, and not the call', () => {
    const live: Entry = { type: 'live', call };
    const settled: Entry = { type: 'settled', callIds: ['call-1'] };
    const state = stateOf(live, hangup, settled);
    expect([state.intents.size, state.failed.size, state.calls.size]).toEqual([0, 0, 1]);
    expect(stateOf(failed, settled).size).toBe(0);
    expect(stateOf(live, hangup, { type: 'gone', callId: 'call-1' }).size).toBe(1);
  });

  it('comes to the same from its own entries', () => {
    fc.assert(
      fc.property(fc.array(anyEntry), (entries) => {
        const state = stateOf(...entries);
        expect(stateOf(...state.entries())).toEqual(state);
      }),
      { seed: 3 },
    );
  });
});
