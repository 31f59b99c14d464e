import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  hangupPendingMax,
  restWindowMs,
  retryDelayMsMax,
  retryDelayMsMin,
} from '../../src/limits.js';
import { FakeStore, openDispatcher, settings } from './fake-plivo.js';

const { connections, giveUpMs, requestsMax, tickMs } = settings;
const noAnswer = new Error('connect ECONNREFUSED');

afterEach(() => {
  vi.useRealTimers();
});

describe('a hang-up', () => {
  it('leaves as soon as it is written, and is settled by the answer', async () => {
    const { client, dispatcher, settled, store, startMs, pass, submit } = openDispatcher();
    submit('a');
    expect(client.callIds).toEqual([]);
    expect(store.lines).toEqual(['hangup a']);
    await pass(0);
    expect(client.timesMs(startMs)).toEqual([0]);
    expect([dispatcher.pending, settled]).toEqual([0, [['a', 'confirmed']]]);
    expect(store.lines).toEqual(['hangup a', 'over a']);
  });

  it('is no promise before it is written, and then all of one turn are', async () => {
    const { client, store, pass, submit } = openDispatcher();
    let write = () => {};
    store.gate = new Promise((resolve) => {
      write = resolve;
    });
    submit('a');
    submit('b');
    await pass(1_000);
    expect(client.callIds).toEqual([]);
    write();
    await pass(0);
    expect(client.callIds).toEqual(['a', 'b']);
  });

  it('is one request for one call, however often it is asked for', async () => {
    const { client, dispatcher, settled, pass, submit } = openDispatcher();
    client.latencyMs = 300;
    for (let i = 0; i < 5; i += 1) submit('a');
    await pass(200);
    submit('a', 0, { reason: 'operator' });
    expect(dispatcher.pending).toBe(1);
    await pass(1_000);
    expect(client.requests).toHaveLength(1);
    expect(settled).toEqual([['a', 'confirmed']]);
  });

  it('waits for its time, and leaves earlier when asked for earlier, but never later', async () => {
    const { client, startMs, pass, submit } = openDispatcher();
    submit('slow', 3_000);
    submit('heard', 3_000);
    submit('heard', 9_000);
    await pass(1_000);
    expect(client.callIds).toEqual([]);
    submit('heard', 0);
    expect(client.timesMs(startMs)).toEqual([1_000]);
    await pass(3_000);
    const [, slow] = client.timesMs(startMs);
    expect(client.callIds).toEqual(['heard', 'slow']);
    expect(slow).toBeGreaterThanOrEqual(3_000);
    expect(slow).toBeLessThanOrEqual(3_000 + tickMs);
  });

  it('counts a call that Plivo no longer knows as ended', async () => {
    const { client, settled, pass, submit } = openDispatcher();
    client.replies.push(404);
    submit('a');
    await pass(0);
    expect(settled).toEqual([['a', 'already-ended']]);
  });

  it.each([400, 405, 409])('has failed at once after status %d, and is kept', async (status) => {
    const { client, dispatcher, settled, store, pass, submit } = openDispatcher();
    client.replies.push({ status, text: 'no' });
    submit('a');
    await pass(60_000);
    expect(client.requests).toHaveLength(1);
    expect(settled).toEqual([['a', 'refused']]);
    expect(store.lines).toEqual(['hangup a', 'failed a']);
    expect(dispatcher.list(10)).toMatchObject([
      { callId: 'a', state: 'failed', attempts: 1, lastAnswer: `status ${status} no` },
    ]);
  });

  it.each(['', '/', '../Call', 'a b', 'a?b', 'é', 'x'.repeat(129)])(
    'of %j is refused without a request, and takes no place in the rate',
    async (callId) => {
      const { client, dispatcher, settled, pass, submit } = openDispatcher();
      submit(callId);
      await pass(1_000);
      expect([client.requests.length, settled]).toEqual([0, [[callId, 'refused']]]);
      expect(dispatcher.accounts[0]!.window.left(performance.now())).toBe(requestsMax);
    },
  );

  it('is tried again, each time after a pause within a growing bound', async () => {
    const { client, settled, requested, startMs, pass, submit } = openDispatcher();
    const failures = 3;
    client.replies.push(503, noAnswer, 500);
    submit('a');
    await pass(120_000);
    expect(settled).toEqual([['a', 'confirmed']]);
    expect(requested).toEqual(['5xx', 'no-answer', '5xx', '2xx']);
    const times = client.timesMs(startMs);
    expect(times).toHaveLength(failures + 1);
    for (const [i, time] of times.slice(1).entries()) {
      const bound = Math.min(retryDelayMsMax, retryDelayMsMin * 2 ** i);
      expect(time - times[i]!).toBeLessThanOrEqual(bound + 2 * tickMs);
    }
  });

  it('is given up after its time and not before, and can be tried again by an operator', async () => {
    const { client, dispatcher, settled, store, pass, submit } = openDispatcher();
    client.always = 500;
    submit('a');
    await pass(giveUpMs - 1_000);
    expect(settled).toEqual([]);
    await pass(2 * retryDelayMsMax);
    expect(settled).toEqual([['a', 'gave-up']]);
    expect([dispatcher.pending, dispatcher.failed]).toEqual([0, 1]);
    client.always = undefined;
    expect(dispatcher.retry('b')).toBe(0);
    expect(dispatcher.retry('a')).toBe(1);
    await pass(10_000);
    expect(settled.at(-1)).toEqual(['a', 'confirmed']);
    expect([dispatcher.pending, dispatcher.failed]).toEqual([0, 0]);
    expect(store.lines).toEqual(['hangup a', 'failed a', 'hangup a', 'over a']);
  });

  // `end()` behind a long queue is due minutes later: the time to give up runs from there.
  it('is tried again also when it was due only long after it was asked for', async () => {
    const { client, settled, pass, submit } = openDispatcher();
    client.replies.push(503);
    submit('a', giveUpMs + 2_000);
    await pass(giveUpMs + 2_000 + retryDelayMsMax);
    expect(settled).toEqual([['a', 'confirmed']]);
    expect(client.requests).toHaveLength(2);
  });

  it('is not needed when Plivo says by webhook that the call is over', async () => {
    const { client, dispatcher, settled, pass, submit } = openDispatcher();
    submit('a', 5_000);
    await pass(1_000);
    dispatcher.callEnded('a');
    await pass(10_000);
    expect([client.requests.length, settled]).toEqual([0, [['a', 'already-ended']]]);
  });

  it('is dropped by an operator, but not while its request is under way', async () => {
    const { client, dispatcher, settled, pass, submit } = openDispatcher();
    client.latencyMs = 1_000;
    submit('a', 5_000);
    submit('b');
    await pass(10);
    expect(dispatcher.drop('a')).toBe(true);
    expect(dispatcher.drop('b')).toBe(false);
    expect(dispatcher.drop('c')).toBe(false);
    await pass(10_000);
    expect(client.callIds).toEqual(['b']);
    expect(settled).toEqual([
      ['a', 'dropped'],
      ['b', 'confirmed'],
    ]);
  });
});

describe('many hang-ups', () => {
  it('leave over a few connections, in order, and within Plivo’s limit per account', async () => {
    const { client, settled, startMs, pass, submit } = openDispatcher();
    client.latencyMs = 30;
    const count = 2 * requestsMax + 50;
    for (let i = 0; i < count; i += 1) submit(`call-${i}`);
    await pass(3 * restWindowMs);
    expect(settled).toHaveLength(count);
    expect(client.inFlightMax).toBe(connections);
    const times = client.timesMs(startMs);
    for (const [i, time] of times.entries()) {
      const before = times[i - requestsMax];
      if (before !== undefined) expect(time - before).toBeGreaterThanOrEqual(restWindowMs);
    }
    expect(times.at(-1)).toBeLessThan(2 * restWindowMs + 4_000);
  });

  it('go on at once when one is answered, and do not wait for a tick', async () => {
    const { client, settled, pass, submit } = openDispatcher({ settings: { requestsMax: 0 } });
    client.latencyMs = 1;
    for (let i = 0; i < 1_000; i += 1) submit(`call-${i}`);
    await pass(200);
    expect(settled).toHaveLength(1_000);
  });

  it('of lost streams come behind all others', async () => {
    const { client, pass, submit } = openDispatcher({ settings: { connections: 1 } });
    client.latencyMs = 10;
    submit('first');
    await pass(0);
    submit('lost', 0, { speculative: true });
    submit('lost-and-ended', 0, { speculative: true });
    await pass(1);
    submit('real');
    submit('lost-and-ended', 0, { speculative: false });
    await pass(100);
    expect(client.callIds.slice(0, 1)).toEqual(['first']);
    expect(client.callIds.slice(1, 3).toSorted()).toEqual(['lost-and-ended', 'real']);
    expect(client.callIds[3]).toBe('lost');
  });

  it('do not wait behind one that is due later or tried again later', async () => {
    const { client, settled, pass, submit } = openDispatcher();
    vi.spyOn(Math, 'random').mockReturnValue(0.9);
    client.replies.push(500);
    submit('failing');
    submit('later', 60_000);
    submit('now');
    await pass(tickMs);
    expect(settled).toEqual([['now', 'confirmed']]);
    vi.restoreAllMocks();
  });

  it('are refused, and counted, above the bound of the queue', () => {
    const { client, dispatcher, settled, submit } = openDispatcher();
    for (let i = 0; i < hangupPendingMax; i += 1) submit(`c${i}`, 60_000);
    submit('one-more');
    submit('c5', 60_000);
    expect(settled).toEqual([['one-more', 'queue-full']]);
    expect([dispatcher.pending, client.requests.length]).toEqual([hangupPendingMax, 0]);
  });
});

describe('an account in trouble', () => {
  it('counts its rate as used up after a 429, and waits as long as Retry-After says', async () => {
    const { client, settled, startMs, pass, submit } = openDispatcher();
    client.replies.push({ status: 429, retryAfterMs: 9_000 });
    submit('a');
    await pass(0);
    submit('b');
    await pass(8_900);
    expect(client.requests).toHaveLength(1);
    await pass(10_000);
    expect(settled.map(([callId]) => callId).toSorted()).toEqual(['a', 'b']);
    client.replies.push({ status: 429 });
    submit('c');
    await pass(0);
    const refusedMs = client.timesMs(startMs).at(-1)!;
    await pass(10_000);
    expect(client.timesMs(startMs).at(-1)! - refusedMs).toBeGreaterThanOrEqual(restWindowMs);
    expect(settled).toHaveLength(3);
  });

  it('is asked with one request at a time while its API is gone, and is served in order afterwards', async () => {
    const { client, settled, startMs, pass, submit } = openDispatcher();
    client.always = noAnswer;
    for (let i = 0; i < 200; i += 1) {
      submit(`call-${i}`);
      await pass(1);
    }
    await pass(30_000);
    expect(settled).toEqual([]);
    // The first ones, and then a probe every few seconds.
    expect(client.requests.length).toBeLessThan(60);
    client.always = undefined;
    const backMs = performance.now() - startMs;
    client.requests.length = 0;
    await pass(12_000);
    expect(settled).toHaveLength(200);
    // The probe that found it may have been any; behind it the oldest come first.
    const order = client.callIds.slice(1).map((callId) => Number(callId.slice(5)));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(client.timesMs(startMs)[0]! - backMs).toBeLessThan(5_100);
  });

  it.each([401, 403])(
    'is paused by status %d, and asked with one intent per interval',
    async (status) => {
      const { client, dispatcher, settled, pass, submit } = openDispatcher();
      client.always = status;
      for (let i = 0; i < 50; i += 1) submit(`call-${i}`);
      await pass(1_000);
      const atOnce = client.requests.length;
      expect(atOnce).toBeLessThanOrEqual(connections);
      expect([dispatcher.pending, dispatcher.accounts[0]!.paused]).toEqual([50, true]);
      await pass(90_000);
      expect(client.requests.length - atOnce).toBeLessThanOrEqual(4);
      expect(settled).toEqual([]);
      client.always = undefined;
      await pass(31_000);
      expect(settled).toHaveLength(50);
      expect(dispatcher.accounts[0]!.paused).toBe(false);
    },
  );

  it('is not held up by one call that always fails', async () => {
    const { client, settled, pass, submit } = openDispatcher();
    const answer = client.hangup.bind(client);
    client.hangup = async (callId) =>
      callId === 'poison' ? { ...(await answer(callId)), status: 500 } : answer(callId);
    submit('poison');
    for (let i = 0; i < 200; i += 1) submit(`call-${i}`);
    await pass(5_000);
    expect(settled).toHaveLength(200);
  });
});

describe('several accounts', () => {
  const accounts = [
    { name: 'default', authId: 'MA1' },
    { name: 'second', authId: 'SA2' },
  ];

  it('get the calls that start with their Auth ID, or that their routes take', async () => {
    const routes = [{ name: 'calls' }, { name: 'tenant', account: 'second' }];
    const { clients, pass, submit } = openDispatcher({ accounts, routes });
    submit('a', 0, { accountId: 'MA1' });
    submit('b', 0, { accountId: 'SA2' });
    submit('c', 0, { accountId: 'MA1', route: 'tenant' });
    await pass(0);
    expect(clients.map(({ callIds }) => callIds)).toEqual([['a'], ['b', 'c']]);
  });

  it('do not answer for a call that is none of theirs: 404 would look like an end', async () => {
    const { clients, dispatcher, settled, pass, submit } = openDispatcher({ accounts });
    submit('a', 0, { accountId: 'MA9' });
    await pass(1_000);
    expect(clients.flatMap(({ callIds }) => callIds)).toEqual([]);
    expect(settled).toEqual([['a', 'no-account']]);
    expect(dispatcher.list(1)[0]!.lastAnswer).toContain('MA9');
  });

  it('have each their own rate and their own pauses', async () => {
    const { clients, settled, pass, submit } = openDispatcher({ accounts });
    clients[0]!.always = 401;
    for (let i = 0; i < 400; i += 1) submit(`a${i}`, 0, { accountId: 'MA1' });
    for (let i = 0; i < 300; i += 1) submit(`b${i}`, 0, { accountId: 'SA2' });
    await pass(1_000);
    expect(settled).toHaveLength(300);
    expect(settled.every(([callId]) => callId.startsWith('b'))).toBe(true);
  });
});

describe('a dispatcher', () => {
  it('settles all it is given when there are no credentials, without a promise', async () => {
    const { dispatcher, store, settled, pass, submit } = openDispatcher({ accounts: [] });
    submit('a');
    // Before it is due, nothing is said: the last word is still being spoken.
    submit('b', 500);
    await pass(1_000);
    expect(settled).toEqual([['a', 'no-credentials']]);
    submit('b');
    await pass(1_000);
    expect(settled).toEqual([
      ['a', 'no-credentials'],
      ['b', 'no-credentials'],
    ]);
    expect([store.lines, dispatcher.pending]).toEqual([[], 0]);
  });

  it('takes up what an earlier process left, as if that had used up the rate', async () => {
    const store = new FakeStore();
    const base = { accountId: '', route: 'calls', reason: 'app-end', speculative: false };
    const requestedAt = Date.now() - 60_000;
    const times = { requestedAt, notBefore: requestedAt };
    store.recovered = {
      intents: new Map([['a', { callId: 'a', ...base, ...times }]]),
      failed: new Map([
        ['f', { callId: 'f', ...base, ...times, failedAt: 1, attempts: 3, lastAnswer: 'no' }],
      ]),
      calls: new Map(),
    };
    const { client, dispatcher, settled, startMs, pass } = openDispatcher({ store });
    dispatcher.recover();
    expect([dispatcher.pending, dispatcher.failed]).toEqual([1, 1]);
    await pass(10_000);
    expect(settled).toEqual([['a', 'confirmed']]);
    expect(client.timesMs(startMs)[0]).toBeGreaterThanOrEqual(restWindowMs);
    expect(store.lines).toEqual(['over a']);
  });

  it('drains until nothing is pending, and answers what is left at the deadline', async () => {
    const { client, dispatcher, pass, submit } = openDispatcher();
    client.latencyMs = 400;
    submit('a');
    const drained = dispatcher.drain(5_000);
    await pass(500);
    await expect(drained).resolves.toBe(0);
    client.always = 500;
    submit('b');
    const cut = dispatcher.drain(2_000);
    await pass(2_100);
    await expect(cut).resolves.toBe(1);
  });

  // At that point of a drain all sockets are closed: nobody can hear the rest of the audio.
  it('sends while it drains what would be due only after its end', async () => {
    const { client, dispatcher, settled, pass, submit } = openDispatcher();
    submit('a', 60_000);
    await pass(0);
    const drained = dispatcher.drain(5_000);
    await pass(5_100);
    await expect(drained).resolves.toBe(0);
    expect([client.requests.length, settled]).toEqual([1, [['a', 'confirmed']]]);
  });

  it('stops its clock when nothing is pending, and when it is closed', async () => {
    const { client, dispatcher, pass, submit } = openDispatcher();
    submit('a');
    await pass(2 * tickMs);
    expect(vi.getTimerCount()).toBe(0);
    submit('b', 60_000);
    expect(vi.getTimerCount()).toBe(1);
    await dispatcher.close();
    expect([vi.getTimerCount(), client.closed]).toEqual([0, true]);
    await dispatcher.close();
  });
});
