import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiFault, PlivoApi } from '../../load/plivo-api.js';
import { hangUp } from '../../src/serializer/hang-up.js';
import { PlivoFrameSerializer } from '../../src/serializer.js';
import { credentials, streamId } from './library.js';

const authorized = { authId: credentials.authId, authToken: credentials.authToken };

const opened: PlivoApi[] = [];
afterAll(async () => {
  for (const api of opened) await api.close();
});

async function openApi(...faults: ApiFault[]): Promise<PlivoApi> {
  const api = new PlivoApi(authorized);
  await api.listen(0);
  opened.push(api);
  api.add(credentials.callId, { hangUp: () => true, transfer: () => false });
  for (const fault of faults) api.failNext(1, fault);
  return api;
}

const order = (api: PlivoApi, callId = credentials.callId) => ({
  ...authorized,
  apiUrl: api.url,
  callId,
});

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.concurrent('the automatic hang-up', () => {
  it('goes on after a broken connection, 429 and 5xx', async () => {
    const api = await openApi({ reset: true }, { status: 429 }, { status: 503 });
    expect(await hangUp(order(api))).toMatchObject({ outcome: 'confirmed', attempts: 4 });
    expect(api.requests.map(({ status }) => status)).toEqual([0, 429, 503, 204]);
    expect(api.violations.list()).toEqual([]);
  });

  it('waits as long as Plivo asks for', async () => {
    const api = await openApi({ status: 429, retryAfterSeconds: 2 });
    expect(await hangUp(order(api))).toMatchObject({ outcome: 'confirmed', attempts: 2 });
    const [first, second] = api.requests;
    expect(second!.atMs - first!.atMs).toBeGreaterThan(1_990);
  });

  it('takes no for an answer', async () => {
    const api = await openApi();
    const wrong = { ...order(api), authToken: 'wrong' };
    expect(await hangUp(wrong)).toEqual({
      outcome: 'refused',
      attempts: 1,
      status: 401,
      detail: expect.stringContaining('status 401'),
    });
  });

  it('gives up in time when nobody answers', async () => {
    const silent = createServer(() => {});
    const apiUrl = await listening(silent);
    const before = performance.now();
    const result = await hangUp({ ...authorized, apiUrl, callId: 'call-1' }, 6_000);
    expect(performance.now() - before).toBeLessThan(6_000);
    expect(result).toMatchObject({ outcome: 'gave-up', attempts: 1, status: undefined });
    silent.closeAllConnections();
    silent.close();
  });

  it('gives up in time when every answer is an error', async () => {
    const faults = Array.from({ length: 20 }, () => ({ status: 500 }));
    const api = await openApi(...faults);
    const result = await hangUp(order(api), 6_500);
    expect(result).toMatchObject({ outcome: 'gave-up', status: 500 });
    expect(result.attempts).toBeGreaterThan(1);
  });

  it('makes no request for an id that would hang up every call of the account', async () => {
    const api = await openApi();
    for (const callId of ['', '../', 'a/b', '%2e']) {
      const result = await hangUp(order(api, callId));
      expect(result).toMatchObject({ outcome: 'refused', attempts: 0 });
    }
    expect(api.requests).toEqual([]);
  });

  it('keeps to the rate of the account, however many calls end at once', async () => {
    const api = await openApi();
    const calls = Array.from({ length: 320 }, (_, i) => `call-${i}`);
    for (const callId of calls) api.add(callId, { hangUp: () => true, transfer: () => false });
    const results = await Promise.all(calls.map((callId) => hangUp(order(api, callId))));
    expect(results.every(({ outcome }) => outcome === 'confirmed')).toBe(true);
    const times = api.requests.map(({ atMs }) => atMs);
    expect(times).toHaveLength(320);
    // Sent 5.1 s apart; the first ones have to wait for their connections.
    expect(times[300]! - times[0]!).toBeGreaterThan(4_000);
  });
});

describe('a serializer that is told to hang up', () => {
  let api: PlivoApi;
  beforeAll(async () => {
    api = await openApi();
  });

  it('answers at once and never rejects, whatever the peer called itself', async () => {
    const serializer = new PlivoFrameSerializer({
      streamId,
      ...credentials,
      callId: '../..',
      params: { apiUrl: api.url },
    });
    expect(serializer.serialize({ type: 'EndFrame' })).toBeNull();
    expect(await serializer.hangup).toMatchObject({ outcome: 'refused', attempts: 0 });
    expect(api.requests).toEqual([]);
  });

  it('keeps its connections for the calls that end later', async () => {
    let connections = 0;
    const plivo = createServer((_, response) => response.writeHead(204).end());
    plivo.on('connection', () => {
      connections += 1;
    });
    const apiUrl = await listening(plivo);
    for (let i = 0; i < 5; i += 1) {
      const result = await hangUp({ ...authorized, apiUrl, callId: `call-${i}` });
      expect(result).toMatchObject({ outcome: 'confirmed', attempts: 1 });
    }
    expect(connections).toBeLessThan(4);
    plivo.closeAllConnections();
    plivo.close();
  });
});
