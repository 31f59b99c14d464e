import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import { MetricsPage } from './metrics.js';
import { StreamClient } from './stream-client.js';
import {
  knownAtPlivo,
  openApi,
  requestsFor,
  TestGateway,
  temporaryFolder,
} from './test-gateway.js';
import { sleep, until } from './wait.js';

const cli = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));

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
    }
    expect(page.torn()).toEqual([]);
    expect(page.value('audio_latency_seconds_count')).toBeGreaterThanOrEqual(20);
    expect(page.value('media_in_total')).toBe(20);
    expect(page.value('media_out_total')).toBeGreaterThanOrEqual(20);
    await client.hangUp();
  });

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
    const answer = await gateway.admin('/api/calls/x', { method: 'PUT' });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET, DELETE');
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

const token = 'token-of-the-admin';
const bearer = { headers: { authorization: `Bearer ${token}` } };

/** What there is to ask, how, and the status of the answer. */
const requests = [
  ['GET', '/metrics', 200],
  ['GET', '/api/calls', 200],
  ['GET', '/api/hangups', 200],
  ['GET', '/api/upstreams', 200],
  ['DELETE', '/api/calls/x', 404],
  ['DELETE', '/api/hangups/x', 404],
  ['POST', '/api/hangups/retry', 202],
  ['POST', '/api/reload', 200],
  ['GET', '/nothing', 404],
] as const;

async function expectRefusal(answer: Response, status: number, words: string): Promise<void> {
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/json');
  const body: unknown = await answer.json();
  expect(body).toEqual({ error: expect.stringContaining(words) });
}

describe('an admin listener with a token', () => {
  let guarded: TestGateway;
  beforeAll(async () => {
    // As an operator's own variable, under whatever name: a handler has no business with it.
    vi.stubEnv('OPERATORS_TOKEN', token);
    vi.stubEnv('OF_THE_HANDLER', 'stays');
    guarded = await TestGateway.open({
      settings: { admin: { token } },
      handler: `start(call) {
        const { OPERATORS_TOKEN, OF_THE_HANDLER } = process.env;
        tell(call, 'environment', OPERATORS_TOKEN, OF_THE_HANDLER);
      }`,
    });
    vi.unstubAllEnvs();
  });

  it.each(requests)('answers %s %s only to those who have it', async (method, path, status) => {
    const bare = await guarded.admin(path, { method });
    expect(bare.headers.get('www-authenticate')).toBe('Bearer');
    await expectRefusal(bare, 401, 'send the gateway');
    for (const authorization of [`Bearer ${token}x`, 'Bearer x']) {
      const wrong = await guarded.admin(path, { method, headers: { authorization } });
      expect(wrong.headers.get('www-authenticate')).toBe('Bearer');
      await expectRefusal(wrong, 401, 'this is not');
    }
    const right = await guarded.admin(path, { method, ...bearer });
    expect(right.status).toBe(status);
    expect(right.headers.get('www-authenticate')).toBeNull();
  });

  it('does what it is asked with the token, and nothing without it', async () => {
    const client = await StreamClient.call(guarded.url());
    const calls = async (): Promise<{ readonly state: string }[]> => {
      const answer = await guarded.admin('/api/calls', bearer);
      return ((await answer.json()) as { calls: { state: string }[] }).calls;
    };
    await until('the call in the list', async () => (await calls())[0]?.state === 'live');
    const path = `/api/calls/${client.callId}`;
    expect((await guarded.admin(path, { method: 'DELETE' })).status).toBe(401);
    await sleep(50);
    const [call, ...others] = await calls();
    expect(call).toMatchObject({ callId: client.callId, state: 'live' });
    expect(call).not.toHaveProperty('ending');
    expect(others).toEqual([]);
    expect((await guarded.admin(path, { method: 'DELETE', ...bearer })).status).toBe(202);
    expect((await client.waitForClose()).code).toBe(1000);
  });

  it('reloads for those who have it', async () => {
    const reload = { method: 'POST' };
    expect((await guarded.admin('/api/reload', reload)).status).toBe(401);
    const page = async () =>
      new MetricsPage(await (await guarded.admin('/metrics', bearer)).text()).value(
        'reloads_total',
        { outcome: 'ok' },
      );
    const before = await page();
    expect((await guarded.admin('/api/reload', { ...reload, ...bearer })).status).toBe(200);
    expect((await page()) - before).toBe(1);
  });

  it('says to anybody that it lives and is ready', async () => {
    expect(await (await guarded.admin('/livez')).json()).toEqual({ live: true });
    expect(await (await guarded.admin('/readyz')).json()).toMatchObject({ ready: true });
  });

  it('keeps it from the handlers', async () => {
    const client = await StreamClient.call(guarded.url());
    expect(await guarded.untilTold(client, 'environment')).toEqual([undefined, 'stays']);
    await client.hangUp();
  });
});

describe('an admin listener on all addresses', () => {
  it('without a token says that there has to be one', async () => {
    const exposed = await TestGateway.open({ settings: { admin: { host: '0.0.0.0' } } });
    for (const [method, path] of requests) {
      for (const init of [{ method }, { method, ...bearer }]) {
        const answer = await exposed.admin(path, init);
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
        await expectRefusal(answer, 401, 'set ADMIN_TOKEN');
      }
    }
    expect((await exposed.admin('/livez')).status).toBe(200);
    expect((await exposed.admin('/readyz')).status).toBe(200);
  });

  it('shows public metrics to anybody, and the rest to those who have the token', async () => {
    const settings = { admin: { host: '0.0.0.0', token }, metrics: { public: true } };
    const exposed = await TestGateway.open({ settings });
    expect((await exposed.metrics()).value('calls_active')).toBe(0);
    const { adminPort } = exposed.gateway;
    expect(await raw(adminPort, 'GET /metrics', 'Host: gateway.example.com')).toMatch(/^200 /);
    expect((await exposed.admin('/api/calls')).status).toBe(401);
    expect((await exposed.admin('/api/calls', bearer)).status).toBe(200);
  });
});

/** Sends the request with just these headers; answers status and body. */
function raw(port: number, request: string, ...headers: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('error', reject);
    socket.on('data', (piece: string) => {
      text += piece;
    });
    socket.on('end', () => {
      const [head = '', ...body] = text.split('\r\n\r\n');
      resolve(`${head.split(' ')[1]} ${body.join('').trim()}`);
    });
    const isOld = /HTTP\/1\.0$/.test(request);
    const line = isOld ? request : `${request} HTTP/1.1`;
    socket.write([line, 'Connection: close', ...headers, '', ''].join('\r\n'));
  });
}

describe('an admin listener on loopback', () => {
  const ask = (...args: [string, ...string[]]) => raw(gateway.gateway.adminPort, ...args);

  it.each(['localhost', '127.0.0.1:9464', '[::1]:9464'])('answers as %s', async (host) => {
    expect(await ask('GET /api/calls', `Host: ${host}`)).toMatch(/^200 .*"calls":/s);
  });

  it.each(['evil.example', '127.0.0.1.evil.example:9464', '10.0.0.5'])(
    'does not answer as %s, but says how it is called, and what its health is',
    async (host) => {
      for (const request of ['GET /metrics', 'GET /api/calls', 'POST /api/reload', 'GET /']) {
        expect(await ask(request, `Host: ${host}`)).toMatch(/^421 .*"error":"[^"]*127\.0\.0\.1/s);
      }
      expect(await ask('GET /livez', `Host: ${host}`)).toMatch(/^200 .*"live":true/s);
      expect(await ask('GET /readyz', `Host: ${host}`)).toMatch(/^200 .*"ready":true/s);
    },
  );

  it('does not answer without a name', async () => {
    expect(await ask('GET /api/calls HTTP/1.0')).toMatch(/^421 /);
    expect(await ask('GET /api/calls HTTP/1.0', 'Host: localhost')).toMatch(/^200 /);
    expect(await ask('GET /api/calls')).toMatch(/^400 /);
  });

  it('does nothing for a web page of elsewhere', async () => {
    const reloads = async () => (await gateway.metrics()).value('reloads_total', { outcome: 'ok' });
    const before = await reloads();
    const local = ['Host: localhost:9464', 'Content-Length: 0'] as const;
    for (const origin of ['https://evil.example', 'null']) {
      const answer = await ask('POST /api/reload', ...local, `Origin: ${origin}`);
      expect(answer).toMatch(/^403 .*"error":"[^"]*Origin/s);
    }
    expect((await reloads()) - before).toBe(0);
    const own = await ask('POST /api/reload', ...local, 'Origin: http://localhost:9464');
    expect(own).toMatch(/^200 .*"ok":true/s);
    expect((await reloads()) - before).toBe(1);
  });
});

describe('the start of a gateway', () => {
  /** The warnings about its admin listener, as `serve` logs them. */
  async function warnings(environment: Record<string, string>, yaml = ''): Promise<string[]> {
    const cwd = await temporaryFolder();
    await writeFile(join(cwd, 'gateway.yaml'), yaml);
    const ports = { HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0', SHARDS: '1' };
    const env = { ...ports, LOG_FORMAT: 'json', ...environment };
    const child = spawn(process.execPath, [cli, 'serve'], { cwd, env });
    try {
      let printed = '';
      child.stdout.on('data', (text: Buffer) => {
        printed += text.toString('utf8');
      });
      // The last line of a start without credentials.
      await until('it has started', () => /no Plivo credentials[^\n]*\n/.test(printed), 20_000);
      const lines = printed.trim().split('\n');
      const logged = lines.map((line) => JSON.parse(line) as { level: string; msg: string });
      const warned = logged.filter(({ level }) => level === 'warn').map(({ msg }) => msg);
      expect(warned.at(-1)).toContain('no Plivo credentials');
      expect(printed).not.toContain(token);
      return warned.slice(0, -1);
    } finally {
      child.kill('SIGKILL');
    }
  }

  it('warns once of an admin listener that is closed for want of a token', async () => {
    const exposed = { ADMIN_HOST: '0.0.0.0' };
    const text = 'admin is not on loopback and has no token: only';
    const remedy = 'answer; set ADMIN_TOKEN';
    expect(await warnings(exposed)).toEqual([`${text} /livez and /readyz ${remedy}`]);
    expect(await warnings(exposed, 'metrics: { public: true }')).toEqual([
      `${text} /livez, /readyz and /metrics ${remedy}`,
    ]);
    expect(await warnings({ ...exposed, ADMIN_TOKEN: token })).toEqual([]);
    expect(await warnings({})).toEqual([]);
  }, 90_000);
});
