import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallHistory } from '../../src/calls/call-history.js';
import type { CallRecord } from '../../src/calls/call-record.js';
import { entriesKept } from '../../src/calls/timeline.js';
import {
  callHistoryMax,
  recordCauseWaitMs,
  recordHangupWaitMs,
  recordLookMs,
} from '../../src/limits.js';
import type { EndedBody, VoiceSummary } from '../../src/shard/record.js';
import { aStart } from './a-record.js';

const voice: VoiceSummary = {
  ...{ setupMs: 120, responses: 2, responseMsMean: 500, responseMsMax: 700 },
  ...{ bargeIns: 1, bargeInMsMax: 30, underruns: 1, underrunMs: 40, lateFrames: 0 },
  ...{ longestGapMs: 80, jitterMs: 3, packetsLost: 1, packetsReordered: 0 },
  ...{ levelInDb: -20, levelOutDb: -18, oneWay: [] },
};
const body: EndedBody = { mediaIn: 100, mediaOut: 90, drops: { 'queue-full': 2 }, voice };

let history: CallHistory;
let over: CallRecord[];
const lost = new Set<string>();

beforeEach(() => {
  vi.useFakeTimers();
  over = [];
  lost.clear();
  history = new CallHistory({
    isLost: (callId) => lost.has(callId),
    over: (record) => over.push(record),
  });
});
afterEach(() => {
  history.flush();
  vi.useRealTimers();
});

const end = (callId: string, changes: Partial<Parameters<CallHistory['ended']>[1]> = {}) =>
  history.ended(callId, { reason: 'stream-closed', closeCode: 1000, body, ...changes });

/** A call of which Plivo told by webhook why it ended. */
function causesCome(): void {
  history.started(aStart('told'));
  end('told');
  history.callEnded('told', 'Normal Hangup');
  over.length = 0;
}

describe('the record of a call', () => {
  it('is finished with its stream where nothing is waited for', () => {
    history.started(aStart('a'));
    vi.advanceTimersByTime(12_345);
    expect(over).toEqual([]);
    end('a');
    expect(over).toHaveLength(1);
    expect(over[0]).toMatchObject({
      ...{ callId: 'a', streamId: 'stream of a', from: '+15*******67', admittedBy: 'token' },
      ...{ endReason: 'stream-closed', fault: 'peer', closeCode: 1000, seconds: 12.345 },
      ...{ streams: 1, hangup: null, hangupCause: '', mediaIn: 100, mediaOut: 90 },
      ...{ drops: { 'queue-full': 2 }, voice },
    });
  });

  it('comes without what a dead worker could not tell', () => {
    history.started(aStart('a'));
    end('a', { reason: 'shard-lost', closeCode: 0, body: undefined });
    expect(over[0]).toMatchObject({ endReason: 'shard-lost', fault: 'gateway', voice: null });
  });

  it('waits for the hang-up, and says how it went', () => {
    history.started(aStart('a'));
    history.hangupAsked('a', 'app-end');
    end('a', { reason: 'app-end' });
    expect(over).toEqual([]);
    const settled = { outcome: 'confirmed', attempts: 2, lastAnswer: '204' };
    history.hangupSettled('a', { reason: 'app-end', ...settled });
    expect(over[0]?.hangup).toEqual({ reason: 'app-end', ...settled });
  });

  it('does not wait for a hang-up for ever, and the story goes on after it', () => {
    history.started(aStart('a'));
    history.hangupAsked('a', 'app-end');
    end('a', { reason: 'app-end' });
    vi.advanceTimersByTime(recordHangupWaitMs - recordLookMs);
    expect(over).toEqual([]);
    vi.advanceTimersByTime(2 * recordLookMs);
    expect(over[0]?.hangup?.outcome).toBe('pending');
    const settled = { outcome: 'gave-up', attempts: 40, lastAnswer: '500' };
    history.hangupSettled('a', { reason: 'app-end', ...settled });
    expect(history.view('a')?.record.hangup?.outcome).toBe('gave-up');
    expect(over).toHaveLength(1);
  });

  it('waits for the cause once causes are known to come, and no longer than a moment', () => {
    causesCome();
    for (const callId of ['a', 'b']) {
      history.started(aStart(callId));
      end(callId);
    }
    expect(over).toEqual([]);
    history.callEnded('a', 'Busy Line');
    expect(over[0]).toMatchObject({ callId: 'a', hangupCause: 'Busy Line' });
    vi.advanceTimersByTime(recordCauseWaitMs + recordLookMs);
    expect(over[1]).toMatchObject({ callId: 'b', hangupCause: '' });
  });

  it('is one for a call whose stream broke and came back', () => {
    history.started(aStart('a'));
    lost.add('a');
    end('a', { reason: 'stream-dropped', closeCode: 1006 });
    vi.advanceTimersByTime(25_000);
    expect(over).toEqual([]);
    lost.delete('a');
    history.started(aStart('a', { streamId: 'second', admittedBy: 'unchecked' }));
    end('a', { body: { ...body, voice: { ...voice, responses: 0, responseMsMean: null } } });
    expect(over).toHaveLength(1);
    expect(over[0]).toMatchObject({
      ...{ streams: 2, streamId: 'second', admittedBy: 'token', endReason: 'stream-closed' },
      ...{ mediaIn: 200, mediaOut: 180, drops: { 'queue-full': 4 } },
    });
    expect(over[0]?.voice).toMatchObject({
      ...{ setupMs: 120, responses: 2, responseMsMean: 500, underruns: 2, longestGapMs: 80 },
    });
  });

  it('of a lost call tells of the hang-up that it ended with', () => {
    history.started(aStart('a'));
    lost.add('a');
    end('a', { reason: 'stream-dropped' });
    vi.advanceTimersByTime(30_000);
    history.hangupAsked('a', 'stream-dropped');
    lost.delete('a');
    vi.advanceTimersByTime(recordHangupWaitMs / 2);
    expect(over).toEqual([]);
    const settled = { outcome: 'confirmed', attempts: 1, lastAnswer: '204' };
    history.hangupSettled('a', { reason: 'stream-dropped', ...settled });
    expect(over[0]).toMatchObject({ endReason: 'stream-dropped', hangup: settled });
  });

  it('of a stream that replaced another is written when the new one ends', () => {
    history.started(aStart('a'));
    history.started(aStart('a', { streamId: 'second' }));
    end('a', { reason: 'replaced', closeCode: 1001 });
    expect(over).toEqual([]);
    end('a');
    expect(over[0]).toMatchObject({ streams: 2, endReason: 'stream-closed' });
  });

  it('forgets a hang-up that was withdrawn, as the call went on', () => {
    history.started(aStart('a'));
    history.hangupAsked('a', 'stream-dropped');
    history.hangupSettled('a', {
      ...{ reason: 'stream-dropped', outcome: 'withdrawn', attempts: 0, lastAnswer: '' },
    });
    end('a');
    expect(over[0]?.hangup).toBe(null);
  });

  it('is finished by a flush, but not while there is a stream', () => {
    causesCome();
    history.started(aStart('live'));
    history.started(aStart('ended'));
    end('ended');
    history.flush();
    expect(over.map(({ callId }) => callId)).toEqual(['ended']);
  });

  it('counts failovers and fallbacks, and names who answered last', () => {
    history.started(aStart('a'));
    const url = 'ws://bots:8765';
    history.note('a', { what: 'upstream-failed-over' });
    history.answerer('a', { what: 'reached', upstream: 'bots', url, ms: 12 });
    history.answerer('a', { what: 'spoke', upstream: 'bots', ms: 300 });
    expect(history.view('a')?.record).toMatchObject({ upstream: 'bots', address: url });
    history.answerer('a', { what: 'moved', route: 'sorry' });
    end('a');
    expect(over[0]).toMatchObject({
      ...{ failovers: 1, fallbacks: 1, route: 'main', answeredBy: 'sorry', upstream: '' },
    });
  });
});

describe('the history', () => {
  it('shows a call while it lives, while it ends, and when it is over', () => {
    causesCome();
    history.started(aStart('a'));
    expect(history.view('a')?.state).toBe('live');
    end('a');
    expect(history.view('a')?.state).toBe('ending');
    history.callEnded('a', '');
    expect(history.view('a')?.state).toBe('ended');
    expect(history.view('nobody')).toBe(undefined);
  });

  it('tells what happened when, in order', () => {
    history.started(aStart('a', { openedAt: Date.now() - 20 }));
    vi.advanceTimersByTime(1_000);
    history.note('a', { what: 'first-audio', ms: 1_020.4 });
    history.note('a', { what: 'digit' });
    history.happened('a', 'stream-degraded', 'too slow');
    end('a');
    expect(history.view('a')?.timeline).toEqual([
      { atSeconds: 0, what: 'upgrade', detail: 'token' },
      { atSeconds: 0.02, what: 'start', detail: 'stream of a' },
      { atSeconds: 1.02, what: 'first-audio', detail: 1_020 },
      { atSeconds: 1.02, what: 'digit' },
      { atSeconds: 1.02, what: 'stream-degraded', detail: 'too slow' },
      { atSeconds: 1.02, what: 'stream-ended', detail: 'stream-closed (1000)' },
    ]);
  });

  it('keeps the beginning and the end of a long story', () => {
    history.started(aStart('a'));
    for (let count = 0; count < 200; count += 1) history.note('a', { what: `event-${count}` });
    end('a');
    const view = history.view('a')!;
    expect(view.timeline).toHaveLength(2 * entriesKept);
    expect(view.timelineOmitted).toBe(203 - 2 * entriesKept);
    expect(view.timeline[entriesKept - 1]?.what).toBe(`event-${entriesKept - 3}`);
    expect(view.timeline.at(-2)?.what).toBe('event-199');
  });

  it('knows the last calls that ended, and forgets older ones', () => {
    for (let count = 0; count <= callHistoryMax; count += 1) {
      history.started(aStart(`call-${count}`));
      end(`call-${count}`);
    }
    expect(history.view('call-0')).toBe(undefined);
    expect(history.view('call-1')?.state).toBe('ended');
    expect(history.view(`call-${callHistoryMax}`)?.state).toBe('ended');
  });
});
