import { beforeAll, describe, expect, it } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import { MetricsPage } from './metrics.js';
import { StreamClient } from './stream-client.js';
import { knownAtPlivo, openApi, requestsFor, TestGateway } from './test-gateway.js';
import { sleep, until } from './wait.js';

let api: PlivoApi;
let gateway: TestGateway;
beforeAll(async () => {
  api = await openApi();
  const upstreams = [{ name: 'app', protocol: 'pcm', urls: 'ws://127.0.0.1:9' }];
  gateway = await TestGateway.open({
    api,
    settings: { upstreams },
    handler: `
      audio(call, samples) { call.play(samples); },
      end(call, reason) { tell(call, 'end', reason); },
    `,
  });
});

describe('the metrics', () => {
  it('can be read by Prometheus: every type has samples, every histogram adds up', async () => {
    const client = await gateway.liveCall();
    client.say(new Uint8Array(160 * 20).fill(0xff));
    await client.waitForAudio(160 * 20);
    const answer = await gateway.admin('/metrics');
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const page = new MetricsPage(await answer.text());
    for (const [name, type] of page.types) {
      if (!name.startsWith('plivo_gateway_')) continue;
      const samples = page.samples.filter(
        (sample) => sample.name === name || sample.name.startsWith(`${name}_`),
      );
      expect(samples.length, name).toBeGreaterThan(0);
      for (const { value } of samples) expect(Number.isFinite(value), name).toBe(true);
      if (type === 'counter') expect(name).toMatch(/_total$/);
      if (type === 'histogram') expectHistogram(page, name);
    }
    expect(page.value('audio_latency_seconds_count')).toBeGreaterThanOrEqual(20);
    expect(page.value('media_in_total')).toBe(20);
    expect(page.value('media_out_total')).toBeGreaterThanOrEqual(20);
    await client.hangUp();
  });

  function expectHistogram(page: MetricsPage, name: string): void {
    const buckets = page.samples.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number(labels.le?.replace('+Inf', 'Infinity')));
    expect(bounds, name).toEqual(bounds.toSorted((a, b) => a - b));
    expect(bounds.at(-1)).toBe(Number.POSITIVE_INFINITY);
    const counts = buckets.map(({ value }) => value);
    expect(counts, name).toEqual(counts.toSorted((a, b) => a - b));
    const short = name.replace('plivo_gateway_', '');
    expect(page.value(`${short}_count`), name).toBe(counts.at(-1));
    expect(page.value(`${short}_sum`), name).toBeGreaterThanOrEqual(0);
  }

  it('agree with each other: started = ended + live, and nothing is left when all is over', async () => {
    const before = await gateway.untilMetric('calls_active', {}, 0);
    const clients = await Promise.all(Array.from({ length: 30 }, () => gateway.call()));
    await gateway.untilMetric('calls_active', {}, 30);
    const codes = [1000, 1001, 4001];
    await Promise.all(clients.map((client, i) => client.hangUp(codes[i % 3])));
    const after = await gateway.untilMetric('connections_active', {}, 0);
    expect(after.value('calls_active')).toBe(0);
    expect(after.value('shard_calls')).toBe(0);
    const grown = (name: string): number => after.value(name) - before.value(name);
    expect(grown('calls_started_total')).toBe(30);
    expect(grown('calls_ended_total')).toBe(30);
    const dropped = { reason: 'stream-dropped' };
    expect(
      after.value('calls_ended_total', dropped) - before.value('calls_ended_total', dropped),
    ).toBe(10);
  });

  it('agree also about calls whose socket closes right after start', async () => {
    await gateway.untilMetric('connections_active', {}, 0);
    const before = await gateway.metrics();
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => StreamClient.open(gateway.url())),
    );
    for (const client of clients) {
      // Both in one piece: the shard hears of the call when its socket is already gone.
      client.start();
      client.socket.close(1000);
    }
    await Promise.all(clients.map((client) => gateway.untilTold(client, 'end')));
    await gateway.untilMetric('connections_active', {}, 0);
    await sleep(50);
    const after = await gateway.metrics();
    const grown = (name: string): number => after.value(name) - before.value(name);
    expect([grown('calls_started_total'), grown('calls_ended_total')]).toEqual([20, 20]);
  });

  it('count no call for a socket that never sent start', async () => {
    await gateway.untilMetric('connections_active', {}, 0);
    const before = await gateway.metrics();
    const client = await StreamClient.open(gateway.url());
    await gateway.untilMetric('connections_active', {}, 1);
    expect((await gateway.metrics()).value('calls_active')).toBe(0);
    await client.hangUp();
    const after = await gateway.untilMetric('connections_active', {}, 0);
    for (const name of ['calls_started_total', 'calls_ended_total']) {
      expect(after.value(name) - before.value(name), name).toBe(0);
    }
  });
});

describe('the API of the admin listener', () => {
  it('says that it lives and is ready', async () => {
    expect((await gateway.admin('/livez')).status).toBe(200);
    const ready = await gateway.admin('/readyz');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ ready: true, draining: false });
  });

  it('lists a call with its numbers masked', async () => {
    const query = '?from=15550001111&to=%2B15550002222';
    const client = await gateway.liveCall({}, `/ws${query}`);
    const call = (await gateway.calls()).find(({ callId }) => callId === client.callId);
    expect(call).toMatchObject({ streamId: client.streamId, route: 'calls', shard: 0 });
    expect(call).toMatchObject({ answeredBy: 'calls', upstream: '', address: '' });
    client.say(new Uint8Array(160 * 30).fill(0xff));
    await until('its numbers', async () => {
      const now = (await gateway.calls()).find(({ callId }) => callId === client.callId);
      return now?.mediaIn === 30 && Number(now.mediaOut) >= 29 && now.state === 'live';
    });
    const text = JSON.stringify(call);
    expect(text).not.toContain('5550001111');
    expect(text).not.toContain('5550002222');
    expect(call?.from).toMatch(/^155\*+11$/);
    expect(Number.isNaN(Date.parse(String(call?.startedAt)))).toBe(false);
    await client.hangUp();
    await until('an empty list', async () => (await gateway.calls()).length === 0);
  });

  it('ends a call for an operator, once', async () => {
    const client = await gateway.liveCall();
    const plivo = knownAtPlivo(api, client);
    const path = `/api/calls/${client.callId}`;
    expect((await gateway.admin(path, { method: 'DELETE' })).status).toBe(202);
    expect((await client.waitForClose()).code).toBe(1000);
    expect(await gateway.untilTold(client, 'end')).toEqual(['operator']);
    expect(plivo.hungUp).toBe(1);
    expect(requestsFor(api, client)).toHaveLength(1);
    expect((await gateway.admin(path, { method: 'DELETE' })).status).toBe(404);
    const page = await gateway.metrics();
    expect(page.value('calls_ended_total', { reason: 'operator', fault: 'operator' })).toBe(1);
  });

  it('ends a call whose stream is lost, without waiting for it', async () => {
    const client = await gateway.liveCall();
    const plivo = knownAtPlivo(api, client);
    client.socket.terminate();
    expect(await gateway.untilTold(client, 'end')).toEqual(['stream-dropped']);
    const path = `/api/calls/${client.callId}`;
    await until('the call is lost', async () => {
      return (await gateway.admin(path, { method: 'DELETE' })).status === 202;
    });
    await until('it is hung up', () => plivo.hungUp === 1);
    expect((await gateway.admin(path, { method: 'DELETE' })).status).toBe(404);
    expect(requestsFor(api, client)).toHaveLength(1);
  });

  it.each(['unknown', 'a%2Fb', '%2e%2e%2fx', 'x'.repeat(5_000)])(
    'answers 404 for a call that is not here: %s',
    async (id) => {
      const before = api.requests.length;
      expect((await gateway.admin(`/api/calls/${id}`, { method: 'DELETE' })).status).toBe(404);
      expect(api.requests.length).toBe(before);
    },
  );

  it('answers 400 for what is no percent-encoding, and 405 for another method', async () => {
    expect((await gateway.admin('/api/calls/%zz', { method: 'DELETE' })).status).toBe(400);
    const answer = await gateway.admin('/api/calls/x');
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('DELETE');
    expect((await gateway.admin('/metrics', { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await gateway.admin('/metrics', { method: 'HEAD' })).status).toBe(200);
    expect((await gateway.admin('/nothing')).status).toBe(404);
  });

  it('answers a path that is no path as the mistake of whoever asks', async () => {
    expect((await gateway.admin('//')).status).toBe(404);
    expect((await gateway.admin('//metrics//')).status).toBe(404);
  });

  it('has no page at names that every object has', async () => {
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      expect((await gateway.admin(`/${name}`)).status, name).toBe(404);
      expect((await gateway.admin(`/api/calls/${name}`, { method: 'DELETE' })).status).toBe(404);
    }
  });

  it('takes no stream', async () => {
    const client = await StreamClient.open(
      `ws://127.0.0.1:${gateway.gateway.adminPort}/stream`,
    ).catch((thrown: unknown) => thrown);
    expect(client).toBeInstanceOf(Error);
  });
});
