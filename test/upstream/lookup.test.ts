import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import { knownAtPlivo, openApi, TestGateway } from '../calls/test-gateway.js';
import { until } from '../calls/wait.js';
import { Application, deadPort } from './application.js';

let api: PlivoApi;
beforeAll(async () => {
  api = await openApi();
});

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** What the service was asked, as it came. */
const asked: Record<string, unknown>[] = [];

async function service(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>);
      answer(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/route?key=k`;
}

const says = (body: unknown) => service((response) => response.end(JSON.stringify(body)));

function gatewayAsking(url: string, app: string, route: object = {}): Promise<TestGateway> {
  return TestGateway.open({
    api,
    handler: `start(call) { tell(call, 'start', call.route); }`,
    settings: { upstreams: [{ name: 'app', protocol: 'pcm', sampleRate: 24_000, urls: app }] },
    routes: [
      { name: 'main', lookup: url, sampleRate: 8_000, ...route },
      { name: 'sorry', handler: 'HANDLER' },
    ],
  });
}

describe('a service that is asked where a call goes', () => {
  it('names an upstream, which hears at its own rate, and what else was said', async () => {
    const app = await Application.open();
    const url = await says({ upstream: 'app', params: { tenant: 'acme' } });
    const gateway = await gatewayAsking(url, app.url);
    asked.length = 0;
    const client = await gateway.call({}, '/stream?from=15550001111&to=15552220000&a=b');
    const call = await app.untilCall();
    expect(asked).toEqual([
      {
        callId: client.callId,
        streamId: client.streamId,
        accountId: 'MAEXAMPLE0000000000A',
        from: '15550001111',
        to: '15552220000',
        query: { from: '15550001111', to: '15552220000', a: 'b' },
        extraHeaders: {},
        route: 'main',
      },
    ]);
    expect(await call.untilEvent('start')).toMatchObject({
      sampleRate: 24_000,
      params: { tenant: 'acme' },
    });
    client.say(new Uint8Array(160 * 10).fill(0xff));
    // 200 ms at 24 kHz, less what the filter holds back.
    await until('the caller', () => call.pcmBytes > 200 * 24 * 2 * 0.95);
    expect(call.pcmBytes).toBeLessThanOrEqual(200 * 24 * 2);
    await gateway.untilMetric('lookups_total', { outcome: 'answered' }, 1);
    await client.hangUp();
  });

  it('names an address of its own, with headers', async () => {
    const app = await Application.open();
    const headers = { authorization: 'Bearer x' };
    const target = `${app.url}/x?c={call}`;
    const url = await says({ url: target, protocol: 'plivo', headers, sampleRate: 16_000 });
    const gateway = await gatewayAsking(url, await deadPort());
    const client = await gateway.call();
    const call = await app.untilCall();
    expect(call.request.url).toBe(`/x?c=${client.callId}`);
    expect(call.request.headers.authorization).toBe('Bearer x');
    await call.untilEvent('start');
    client.dtmf('7');
    await call.untilEvent('dtmf');
    await client.hangUp();
  });

  it('rejects a call', async () => {
    const url = await says({ reject: 'blocked number' });
    const gateway = await gatewayAsking(url, await deadPort(), { fallback: 'sorry' });
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    await until('the hang-up', () => plivo.hungUp === 1);
    await gateway.untilMetric('calls_ended_total', { reason: 'route-reject' }, 1);
    expect(gateway.toldOf(client, 'start')).toEqual([]);
  });

  const useless: [string, string, () => Promise<string>][] = [
    ['is down', 'error', async () => (await deadPort()).replace('ws:', 'http:')],
    ['is slow', 'timeout', () => service(() => {})],
    [
      'begins an answer and goes on for ever',
      'timeout',
      () =>
        service((response) => {
          const timer = setInterval(() => response.write(' '), 50);
          response.on('close', () => clearInterval(timer));
        }),
    ],
    ['fails', 'error', () => service((response) => response.writeHead(500).end('{}'))],
    [
      'redirects',
      'error',
      () => service((response) => response.writeHead(302, { location: '/' }).end()),
    ],
    ['answers too much', 'error', () => service((response) => response.end(' '.repeat(100_000)))],
    ['answers no JSON', 'nonsense', () => service((response) => response.end('<html>'))],
    ['answers nothing of use', 'nonsense', () => says([])],
    ['answers two things', 'nonsense', () => says({ upstream: 'app', url: 'ws://x' })],
    ['names no address', 'nonsense', () => says({ url: 'http://x' })],
    ['names no rate', 'nonsense', () => says({ url: 'ws://x', sampleRate: 11_025 })],
    ['names no protocol', 'nonsense', () => says({ url: 'ws://x', protocol: 'sip' })],
    ['sends no headers', 'nonsense', () => says({ url: 'ws://x', headers: { 'a b': 'c' } })],
    ['names an upstream that is not there', 'answered', () => says({ upstream: 'other' })],
  ];
  it.each(useless)('that %s leaves the call to the fallback', async (_how, outcome, open) => {
    const gateway = await gatewayAsking(await open(), await deadPort(), { fallback: 'sorry' });
    const beganMs = performance.now();
    const client = await gateway.call();
    expect(await gateway.untilTold(client, 'start')).toEqual(['sorry']);
    expect(performance.now() - beganMs).toBeLessThan(2_000);
    await gateway.untilMetric('lookups_total', { outcome }, 1);
    await client.hangUp();
  });

  it('that fails ends the call when there is no fallback', async () => {
    const gateway = await gatewayAsking(await says({}), await deadPort());
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    await until('the hang-up', () => plivo.hungUp === 1);
    await gateway.untilMetric('calls_ended_total', { reason: 'upstream-failed' }, 1);
  });

  it('finds the call gone, and nothing happens', async () => {
    const app = await Application.open();
    const url = await service((response) => {
      setTimeout(() => response.end(JSON.stringify({ upstream: 'app' })), 300);
    });
    const gateway = await gatewayAsking(url, app.url);
    const client = await gateway.call();
    await client.hangUp();
    await gateway.untilMetric('lookups_total', { outcome: 'answered' }, 1);
    expect(app.calls).toEqual([]);
  });
});
