import { beforeAll, describe, expect, it } from 'vitest';
import type { ApiFault, PlivoApi } from '../../load/plivo-api.js';
import { StreamClient } from './stream-client.js';
import { authToken, knownAtPlivo, openApi, requestsFor, TestGateway } from './test-gateway.js';
import { sleep, until } from './wait.js';

const handler = `
  start(call) { if (call.extraHeaders.at === 'start') call.cancel(); },
  dtmf(call) { call.cancel(); },
  end(call, reason) { tell(call, 'end', reason); },
`;

/** The faults of a stand-in belong to whoever comes next, so each test has its own. */
async function opened(): Promise<{ api: PlivoApi; gateway: TestGateway }> {
  const api = await openApi();
  return { api, gateway: await TestGateway.open({ handler, api }) };
}

describe.concurrent('a hang-up', () => {
  const passing: [string, ApiFault[]][] = [
    ['a 500', [{ status: 500 }]],
    ['three times 503', [{ status: 503 }, { status: 503 }, { status: 503 }]],
    ['a 429 that says when', [{ status: 429, retryAfterSeconds: 1 }]],
    ['a 429 that says nothing', [{ status: 429 }]],
    ['a connection that breaks', [{ reset: true }]],
    ['all of it', [{ reset: true }, { status: 502 }, { status: 429, retryAfterSeconds: 1 }]],
    ['an answer that does not come within 5 s', [{ status: 500, delayMs: 5_600 }]],
  ];
  it.each(passing)('succeeds exactly once after %s', async (_name, faults) => {
    const { api, gateway } = await opened();
    const client = await gateway.liveCall();
    const plivo = knownAtPlivo(api, client);
    for (const fault of faults) api.failNext(1, fault);
    client.dtmf('1');
    expect((await client.waitForClose(15_000)).code).toBe(1000);
    await sleep(100);
    const byTime = requestsFor(api, client).toSorted((a, b) => a.atMs - b.atMs);
    // The one that took too long is cut on our side, and may never be noted there.
    const noted = byTime.filter(({ status }) => status !== 500 || faults[0]?.delayMs === undefined);
    const expected = faults.filter(({ delayMs }) => delayMs === undefined);
    expect(noted.map(({ status }) => status)).toEqual([
      ...expected.map(({ status = 0 }) => status),
      204,
    ]);
    expect(plivo.hungUp).toBe(1);
    const pauseMs = (faults.at(-1)?.retryAfterSeconds ?? 0) * 1_000;
    const [previous, last] = noted.slice(-2);
    expect((last ?? previous)?.atMs ?? 0).toBeGreaterThan((previous?.atMs ?? 0) + pauseMs - 20);
    const page = await gateway.untilMetric('hangups_total', { outcome: 'confirmed' }, 1);
    expect(page.value('hangups_pending')).toBe(0);
    expect(await gateway.untilTold(client, 'end')).toEqual(['app-cancel']);
  });

  it('of a call that is already gone (404) is a success', async () => {
    const { api, gateway } = await opened();
    const client = await gateway.liveCall();
    client.dtmf('1');
    await gateway.untilMetric('hangups_total', { outcome: 'already-ended' }, 1);
    expect(requestsFor(api, client).map(({ status }) => status)).toEqual([404]);
    await client.hangUp();
  });

  it.each([400, 405])('that is refused with %i is not tried again', async (status) => {
    const { api, gateway } = await opened();
    const client = await gateway.liveCall();
    knownAtPlivo(api, client);
    api.failNext(1, { status });
    client.dtmf('1');
    // Plivo will not close the socket, so the gateway does.
    expect(await client.waitForClose()).toEqual({ code: 1000, reason: 'app-cancel' });
    await gateway.untilMetric('hangups_total', { outcome: 'refused' }, 1);
    await sleep(700);
    expect(requestsFor(api, client)).toHaveLength(1);
  });

  it.each([401, 403])('that gets %i pauses the account, and is kept', async (status) => {
    const { api, gateway } = await opened();
    const [first, second] = [await gateway.liveCall(), await gateway.liveCall()];
    for (const client of [first, second]) knownAtPlivo(api, client);
    api.failNext(1, { status });
    first.dtmf('1');
    await gateway.untilMetric('hangup_account_paused', { account: 'default' }, 1);
    second.dtmf('1');
    await sleep(700);
    const page = await gateway.metrics();
    expect(page.value('hangups_pending')).toBe(2);
    expect(page.value('hangup_requests_total', { outcome: '401-403' })).toBe(1);
    expect(api.requests).toHaveLength(1);
  });

  it('of very many calls at once stays within 300 requests in 5 s, and reaches all', async () => {
    const { api, gateway } = await opened();
    const clients = await Promise.all(Array.from({ length: 320 }, () => gateway.call()));
    for (const client of clients) knownAtPlivo(api, client);
    for (const client of clients) client.dtmf('1');
    for (const client of clients) await client.waitForClose(12_000);
    const times = api.requests.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
    expect(times).toHaveLength(320);
    for (let i = 300; i < 320; i += 1) {
      // When they came; how late the stand-in noticed is in it.
      expect((times[i] ?? 0) - (times[i - 300] ?? 0)).toBeGreaterThan(4_800);
    }
  });

  it('carries the account and its token, and nothing of it reaches the handlers', async () => {
    const api = await openApi();
    const spy = await TestGateway.open({
      api,
      handler: `start(call) { tell(call, 'seen', JSON.stringify(process.env), process.argv.join()); }`,
    });
    const client = await spy.call();
    const [environment, args] = (await spy.untilTold(client, 'seen')) as [string, string];
    expect(environment + args).not.toContain(authToken);
    await client.hangUp();
  });
});

describe('a call id that is no token', () => {
  let api: PlivoApi;
  let gateway: TestGateway;
  beforeAll(async () => {
    ({ api, gateway } = await opened());
  });

  const unsafe = [
    '../x',
    'a/b',
    '..',
    '.',
    'a b',
    'a%2Fb',
    'é',
    'a?b',
    '#',
    '\u0000',
    'x'.repeat(129),
  ];
  it.each(unsafe)('never leads to a request: %j', async (callId) => {
    const before = api.requests.length;
    const client = await gateway.liveCall({ callId });
    client.dtmf('1');
    expect((await client.waitForClose()).code).toBe(1000);
    await gateway.untilTold(client, 'end');
    await sleep(30);
    expect(api.requests.slice(before)).toEqual([]);
  });

  it.each(['', null, undefined, {}, [], false])(
    'or none at all is no call, and never leads to a request: %j',
    async (callId) => {
      const before = api.requests.length;
      const client = await StreamClient.open(gateway.url());
      client.send({ event: 'start', start: { callId, streamId: 's' } });
      client.dtmf('1');
      await sleep(30);
      await gateway.admin('/api/calls/', { method: 'DELETE' });
      client.socket.terminate();
      await sleep(30);
      expect(api.requests.slice(before)).toEqual([]);
      expect(api.violations.list()).toEqual([]);
    },
  );
});

describe('a hang-up that a handler asked for', () => {
  it('is made although the socket closed in the same moment', async () => {
    const { api, gateway } = await opened();
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => StreamClient.open(gateway.url())),
    );
    for (const client of clients) {
      knownAtPlivo(api, client);
      client.start({ extraHeaders: { at: 'start' } });
      // Both in one piece: the handler is asked when the socket is already gone.
      client.socket.close(4000);
    }
    // `cancel()` was called in each of these calls: the handler was told of their ends.
    await Promise.all(clients.map((client) => gateway.untilTold(client, 'end')));
    const missing = () => clients.filter((client) => requestsFor(api, client).length === 0).length;
    await until(`all hang-ups`, () => missing() === 0, 3_000).catch(() => {});
    expect(missing()).toBe(0);
  });
});
