import { afterEach, describe, expect, it, vi } from 'vitest';
import { LostStreams } from '../../src/hangup/lost-streams.js';
import { FakeStore, quiet } from './fake-plivo.js';

afterEach(() => {
  vi.useRealTimers();
});

const call = (callId: string, route = 'calls') => ({ callId, accountId: '', route, startedAt: 0 });

/** A watch of 30 s over `live` calls. */
function open(live: number) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance', 'Date'] });
  const store = new FakeStore();
  const unclaimed: string[] = [];
  const calls = { live };
  const streams = new LostStreams({
    store,
    graceMs: 30_000,
    log: quiet,
    liveCalls: () => calls.live,
    hangsUp: (route) => route !== 'left-alone',
    unclaimed: ({ callId }) => unclaimed.push(callId),
  });
  const lose = (callId: string, route?: string): void => {
    calls.live -= 1;
    streams.lost(call(callId, route));
  };
  const claim = (callId: string): void => {
    calls.live += 1;
    streams.started(call(callId));
  };
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  return { store, streams, unclaimed, lose, claim, pass };
}

describe('a lost stream', () => {
  it('is hung up when nobody claimed it within the grace period, and only once', async () => {
    const { streams, store, unclaimed, lose, pass } = open(100);
    lose('a');
    await pass(29_500);
    expect([unclaimed, streams.count]).toEqual([[], 1]);
    await pass(1_000);
    expect([unclaimed, streams.count]).toEqual([['a'], 0]);
    await pass(120_000);
    expect(unclaimed).toEqual(['a']);
    expect(store.lines).toEqual(['gone a']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('of an earlier process has its grace from when streams can come back', async () => {
    const { streams, unclaimed, pass } = open(100);
    streams.recover([call('a')]);
    await pass(20_000);
    streams.listening();
    await pass(29_500);
    expect(unclaimed).toEqual([]);
    await pass(1_000);
    expect(unclaimed).toEqual(['a']);
  });

  it('is left alone when it comes back, or when Plivo says that the call is over', async () => {
    const { streams, unclaimed, lose, claim, pass } = open(100);
    lose('back');
    lose('over');
    await pass(10_000);
    claim('back');
    streams.over('over');
    await pass(120_000);
    expect(unclaimed).toEqual([]);
  });

  it('gets a grace period of its own each time it is lost', async () => {
    const { unclaimed, lose, claim, pass } = open(100);
    lose('a');
    await pass(20_000);
    claim('a');
    lose('a');
    await pass(20_000);
    expect(unclaimed).toEqual([]);
    await pass(11_000);
    expect(unclaimed).toEqual(['a']);
  });

  it('of a route that wants it so is left, and forgotten', async () => {
    const { store, streams, unclaimed, lose, pass } = open(100);
    lose('a', 'left-alone');
    await pass(120_000);
    expect([unclaimed, streams.count, store.lines]).toEqual([[], 0, ['gone a']]);
  });
});

describe('the brake', () => {
  it('holds them all for twice the time when more than a fifth of the calls are lost', async () => {
    const { streams, unclaimed, lose, claim, pass } = open(500);
    for (let i = 0; i < 500; i += 1) lose(`c${i}`);
    await pass(8_000);
    for (let i = 0; i < 490; i += 1) claim(`c${i}`);
    expect(streams.held).toBe(10);
    await pass(50_000);
    expect(unclaimed).toEqual([]);
    await pass(3_000);
    expect(unclaimed).toHaveLength(10);
  });

  it('is off for nine of nine, and for twenty of a hundred; on for ten of ten', async () => {
    const nine = open(9);
    for (let i = 0; i < 9; i += 1) nine.lose(`c${i}`);
    expect(nine.streams.held).toBe(0);
    const twenty = open(100);
    for (let i = 0; i < 20; i += 1) twenty.lose(`c${i}`);
    expect(twenty.streams.held).toBe(0);
    twenty.lose('one-more');
    expect(twenty.streams.held).toBe(21);
    const ten = open(10);
    for (let i = 0; i < 10; i += 1) ten.lose(`c${i}`);
    expect(ten.streams.held).toBe(10);
  });

  it('is off again for a call that is lost when the others are long back', async () => {
    const { streams, unclaimed, lose, claim, pass } = open(100);
    for (let i = 0; i < 100; i += 1) lose(`c${i}`);
    for (let i = 0; i < 100; i += 1) claim(`c${i}`);
    await pass(31_000);
    lose('late');
    expect(streams.held).toBe(0);
    await pass(31_000);
    expect(unclaimed).toEqual(['late']);
  });
});

describe('calls of a process that died', () => {
  it('are lost from the start of the next one', async () => {
    const { streams, unclaimed, claim, pass } = open(0);
    streams.recover([call('a'), call('b')]);
    await pass(10_000);
    claim('b');
    await pass(21_000);
    expect(unclaimed).toEqual(['a']);
  });
});
