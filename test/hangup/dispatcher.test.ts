import { afterEach, describe, expect, it, vi } from 'vitest';
import { GatewayError } from '../../src/errors.js';
import {
  hangupGiveUpMs,
  hangupPendingMax,
  hangupTickMs,
  restConnections,
  restRequestsMax,
  restWindowMs,
  retryDelayMsMax,
  retryDelayMsMin,
} from '../../src/limits.js';
import { openDispatcher } from './fake-plivo.js';

afterEach(() => {
  vi.useRealTimers();
});

describe('a hang-up', () => {
  it('leaves at once when it is due now, and is settled by the answer', async () => {
    const { client, dispatcher, settled, startMs, attempts, pass } = openDispatcher();
    dispatcher.submit('a', 'app-cancel', 0);
    expect(client.timesMs(startMs)).toEqual([0]);
    expect([dispatcher.pending, settled]).toEqual([1, []]);
    await pass(0);
    expect([dispatcher.pending, settled, attempts()]).toEqual([0, [['a', 'confirmed']], 1]);
  });

  it('is one request for one call, however often it is asked for', async () => {
    const { client, dispatcher, settled, pass } = openDispatcher();
    client.latencyMs = 300;
    for (let i = 0; i < 5; i += 1) dispatcher.submit('a', 'app-end', 0);
    await pass(200);
    dispatcher.submit('a', 'operator', 0);
    expect(dispatcher.pending).toBe(1);
    await pass(1_000);
    expect(client.requests).toHaveLength(1);
    expect(settled).toEqual([['a', 'confirmed']]);
  });

  it('waits for its time, and leaves earlier when asked for earlier, but never later', async () => {
    const { client, dispatcher, startMs, pass } = openDispatcher();
    dispatcher.submit('slow', 'app-end', 3_000);
    dispatcher.submit('heard', 'app-end', 3_000);
    dispatcher.submit('heard', 'app-end', 9_000);
    await pass(1_000);
    expect(client.requests).toEqual([]);
    dispatcher.submit('heard', 'app-end', 0);
    expect(client.timesMs(startMs)).toEqual([1_000]);
    await pass(3_000);
    const [, slow] = client.timesMs(startMs);
    expect(client.requests.map(({ callId }) => callId)).toEqual(['heard', 'slow']);
    expect(slow).toBeGreaterThanOrEqual(3_000);
    expect(slow).toBeLessThanOrEqual(3_000 + hangupTickMs);
  });

  it('counts a call that Plivo no longer knows as ended', async () => {
    const { client, dispatcher, settled, pass } = openDispatcher();
    client.replies.push(404);
    dispatcher.submit('a', 'app-end', 0);
    await pass(0);
    expect(settled).toEqual([['a', 'already-ended']]);
  });

  it.each([400, 401, 403, 405])('is not tried again after status %d', async (status) => {
    const { client, dispatcher, settled, pass } = openDispatcher();
    client.replies.push(status);
    dispatcher.submit('a', 'app-end', 0);
    await pass(60_000);
    expect(client.requests).toHaveLength(1);
    expect(settled).toEqual([['a', 'refused']]);
  });

  it('is refused and not tried again when no URL can be built for its call', async () => {
    const { client, dispatcher, settled, pass } = openDispatcher();
    client.replies.push(new GatewayError('BAD_CALL_ID', 'no'));
    dispatcher.submit('', 'app-end', 0);
    await pass(60_000);
    expect([client.requests.length, settled]).toEqual([1, [['', 'refused']]]);
  });

  it('is tried again with growing pauses until Plivo takes it', async () => {
    const { client, dispatcher, settled, startMs, attempts, pass } = openDispatcher();
    const failures = 8;
    for (let i = 0; i < failures; i += 1) {
      client.replies.push(i % 2 === 0 ? 503 : new Error('ECONNRESET'));
    }
    dispatcher.submit('a', 'app-end', 0);
    await pass(120_000);
    expect(settled).toEqual([['a', 'confirmed']]);
    expect(attempts()).toBe(failures + 1);
    const times = client.timesMs(startMs);
    for (const [i, time] of times.slice(1).entries()) {
      const pause = time - times[i]!;
      const full = Math.min(retryDelayMsMax, retryDelayMsMin * 2 ** i);
      expect(pause).toBeGreaterThanOrEqual(full / 2);
      expect(pause).toBeLessThanOrEqual(full + hangupTickMs);
    }
  });

  it('waits as long as Retry-After says, within bounds, and holds all others back after a 429', async () => {
    const { client, dispatcher, startMs, pass } = openDispatcher();
    client.replies.push({ status: 429, retryAfterMs: 4_000 });
    dispatcher.submit('a', 'app-end', 0);
    await pass(0);
    dispatcher.submit('b', 'app-end', 0);
    await pass(3_900);
    expect(client.requests).toHaveLength(1);
    await pass(300);
    expect(client.requests.map(({ callId }) => callId).toSorted()).toEqual(['a', 'a', 'b']);
    client.replies.push({ status: 429, retryAfterMs: 86_400_000 });
    dispatcher.submit('c', 'app-end', 0);
    await pass(retryDelayMsMax + 2 * hangupTickMs);
    expect(client.timesMs(startMs)).toHaveLength(5);
  });

  it('is given up after its time, and not before', async () => {
    const { client, dispatcher, settled, startMs, pass } = openDispatcher();
    client.replies.push(...new Array<number>(1_000).fill(500));
    dispatcher.submit('a', 'app-end', 0);
    await pass(hangupGiveUpMs - 1_000);
    expect(settled).toEqual([]);
    await pass(2 * retryDelayMsMax);
    expect(settled).toEqual([['a', 'gave-up']]);
    expect(client.timesMs(startMs).at(-1)).toBeGreaterThan(hangupGiveUpMs);
  });

  // `end()` behind a long queue is due minutes later: the time to give up runs from there.
  it('is tried again also when it was due only long after it was asked for', async () => {
    const { client, dispatcher, settled, pass } = openDispatcher();
    client.replies.push(503);
    dispatcher.submit('a', 'app-end', hangupGiveUpMs + 2_000);
    await pass(hangupGiveUpMs + 2_000 + retryDelayMsMax);
    expect(settled).toEqual([['a', 'confirmed']]);
    expect(client.requests).toHaveLength(2);
  });
});

describe('many hang-ups', () => {
  it('leave over a few connections, in order, and within Plivo’s limit per account', async () => {
    const { client, dispatcher, settled, startMs, pass } = openDispatcher();
    client.latencyMs = 30;
    const count = 2 * restRequestsMax + 50;
    for (let i = 0; i < count; i += 1) dispatcher.submit(`call-${i}`, 'drain-deadline', 0);
    await pass(3 * restWindowMs);
    expect(settled).toHaveLength(count);
    expect(client.inFlightMax).toBe(restConnections);
    expect(client.requests.map(({ callId }) => callId)).toEqual(
      Array.from({ length: count }, (_, i) => `call-${i}`),
    );
    const times = client.timesMs(startMs);
    for (const [i, time] of times.entries()) {
      const before = times[i - restRequestsMax];
      if (before !== undefined) expect(time - before).toBeGreaterThanOrEqual(restWindowMs);
    }
    expect(times.at(-1)).toBeLessThan(2 * restWindowMs + 4_000);
  });

  it('do not wait behind one that is due later or tried again later', async () => {
    const { client, dispatcher, settled, pass } = openDispatcher();
    client.replies.push(500);
    dispatcher.submit('failing', 'app-end', 0);
    dispatcher.submit('later', 'app-end', 60_000);
    dispatcher.submit('now', 'app-end', 0);
    await pass(hangupTickMs);
    expect(settled).toEqual([['now', 'confirmed']]);
  });

  it('are refused, and counted, above the bound of the queue', () => {
    const { client, dispatcher, settled } = openDispatcher();
    for (let i = 0; i < hangupPendingMax; i += 1) dispatcher.submit(`c${i}`, 'app-end', 60_000);
    dispatcher.submit('one-more', 'app-end', 0);
    dispatcher.submit('c5', 'app-end', 60_000);
    expect(settled).toEqual([['one-more', 'queue-full']]);
    expect([dispatcher.pending, client.requests.length]).toEqual([hangupPendingMax, 0]);
  });
});

describe('a dispatcher', () => {
  it('settles all it is given when there are no credentials, without a request', async () => {
    const { client, dispatcher, settled, pass } = openDispatcher();
    client.hasCredentials = false;
    dispatcher.submit('a', 'app-cancel', 0);
    dispatcher.submit('b', 'app-end', 500);
    await pass(1_000);
    expect(settled).toEqual([
      ['a', 'no-credentials'],
      ['b', 'no-credentials'],
    ]);
    expect([client.requests.length, dispatcher.pending]).toEqual([0, 0]);
  });

  it('drains until nothing is pending, and answers what is left at the deadline', async () => {
    const { client, dispatcher, pass } = openDispatcher();
    client.latencyMs = 400;
    dispatcher.submit('a', 'app-end', 0);
    const drained = dispatcher.drain(5_000);
    await pass(500);
    await expect(drained).resolves.toBe(0);
    client.replies.push(...new Array<number>(100).fill(500));
    dispatcher.submit('b', 'app-end', 0);
    const cut = dispatcher.drain(2_000);
    await pass(2_100);
    await expect(cut).resolves.toBe(1);
  });

  // At that point of a drain all sockets are closed, and the process is about to end: nobody can
  // hear the rest of the audio, and an intent that waits for it would be lost.
  it('sends while it drains what would be due only after its end', async () => {
    const { client, dispatcher, settled, pass } = openDispatcher();
    dispatcher.submit('a', 'app-end', 60_000);
    const drained = dispatcher.drain(5_000);
    await pass(5_100);
    await expect(drained).resolves.toBe(0);
    expect([client.requests.length, settled]).toEqual([1, [['a', 'confirmed']]]);
  });

  it('stops its clock when nothing is pending, and when it is closed', async () => {
    const { client, dispatcher, pass } = openDispatcher();
    dispatcher.submit('a', 'app-end', 0);
    await pass(2 * hangupTickMs);
    expect(vi.getTimerCount()).toBe(0);
    dispatcher.submit('b', 'app-end', 60_000);
    expect(vi.getTimerCount()).toBe(1);
    await dispatcher.close();
    expect([vi.getTimerCount(), client.closed]).toEqual([0, true]);
    await dispatcher.close();
  });
});
