import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { upgradeForms, upgradeUrl } from '../../src/plivo/signature.js';
import { mintToken, type StreamToken, tokenKey } from '../../src/plivo/stream-token.js';
import { ask, publicUrl, signed } from './edge-client.js';
import { StreamClient } from './stream-client.js';
import {
  authToken,
  type GatewayOptions,
  knownAtPlivo,
  openApi,
  refusedUpgrade,
  requestsFor,
  TestGateway,
} from './test-gateway.js';
import { sleep, until } from './wait.js';

const host = 'voice.example.com';
const previousAuthToken = 'token-before-the-last-rotation';
const logged: Record<string, unknown>[] = [];

async function open(options: GatewayOptions = {}): Promise<TestGateway> {
  return TestGateway.open({
    ...options,
    settings: { publicUrl, ...options.settings },
    environment: {
      SIGNATURES_UPGRADE: 'enforce',
      PLIVO_AUTH_TOKEN_PREVIOUS: previousAuthToken,
      ...options.environment,
    },
  });
}

let api: Awaited<ReturnType<typeof openApi>>;
let gateway: TestGateway;
beforeAll(async () => {
  api = await openApi();
  gateway = await open({
    api,
    logged,
    handler: `
      start(call) { tell(call, 'start', { from: call.from, to: call.to, query: { ...call.query }, route: call.route }); },
      dtmf(call, digit) { if (digit === '#') call.cancel(); },`,
  });
});

function minted(changed: Partial<StreamToken> = {}, secret = authToken): string {
  const issuedMs = Date.now();
  const token: StreamToken = {
    ...{ callId: randomUUID(), from: '1555', to: '1666', query: {}, account: '', route: '' },
    ...{ issuedMs, expiresMs: issuedMs + 60_000, ...changed },
  };
  return mintToken(token, tokenKey(secret));
}

const refused = async (path: string, headers = {}) =>
  (await refusedUpgrade(gateway.url(path), headers)).status;
const refusals = async (reason: string) =>
  (await gateway.metrics()).value('upgrades_refused_total', { reason });

describe('a stream with a token', () => {
  it('comes in, with the facts that its answer webhook knew, and with no other', async () => {
    const asked = await ask(gateway, {
      callId: 'call-of-the-token',
      query: 'tenant=a%26b&tenant=c',
    });
    const client = await StreamClient.open(gateway.url(`${asked.streamPath}?tenant=x&from=666`));
    client.start({ callId: 'call-of-the-token' });
    const [facts] = await gateway.untilTold(client, 'start');
    expect(facts).toEqual({
      from: '15550001111',
      to: '15550002222',
      route: 'calls',
      query: { from: '15550001111', to: '15550002222', tenant: 'a&b', direction: 'inbound' },
    });
    await client.hangUp();
  });

  it('of the Auth Token before its rotation comes in too', async () => {
    const client = await StreamClient.open(gateway.url(`/ws/${minted({}, previousAuthToken)}`));
    expect(client.isOpen).toBe(true);
    await client.hangUp();
  });

  it.each([
    ['that is none', () => 'x'.repeat(200), 'token-malformed'],
    [
      'that is changed',
      () => minted().replace(/^(.{60})(.)/, (_, a, b) => a + (b === 'A' ? 'B' : 'A')),
      'token-forged',
    ],
    ['of another secret', () => minted({}, 'another-secret'), 'token-forged'],
    ['that nobody used for a minute', () => minted({ expiresMs: Date.now() - 1 }), 'token-expired'],
  ])('%s is refused with 403, and counted', async (_what, token, reason) => {
    const before = await refusals(reason);
    expect(await refused(`/stream/${token()}`)).toBe(403);
    expect(await refusals(reason)).toBe(before + 1);
  });

  it('that names another call in start is closed with 1008, and neither call is hung up', async () => {
    const callId = randomUUID();
    const client = await StreamClient.open(gateway.url(`/stream/${minted({ callId })}`));
    client.start();
    expect(await client.waitForClose()).toEqual({ code: 1008, reason: 'wrong-call' });
    await gateway.untilMetric('connections_unstarted_total', { reason: 'wrong-call' }, 1);
    expect(gateway.toldOf(client, 'start')).toEqual([]);
    expect(requestsFor(api, client)).toEqual([]);
    expect(requestsFor(api, { callId })).toEqual([]);
  });

  it('may come again for its live call, however old, and replaces the first', async () => {
    const callId = randomUUID();
    const issuedMs = Date.now();
    const token = minted({ callId, issuedMs, expiresMs: issuedMs + 1_500 });
    const first = await StreamClient.open(gateway.url(`/stream/${token}`));
    first.start({ callId });
    await gateway.untilTold({ callId }, 'start');
    await sleep(issuedMs + 1_600 - Date.now());
    const second = await StreamClient.open(gateway.url(`/stream/${token}`));
    second.start({ callId });
    expect(await first.waitForClose()).toMatchObject({ reason: 'replaced' });
    await gateway.untilTold({ callId }, 'start', 2);
    // A break is no end: Plivo may reconnect.
    second.socket.terminate();
    await gateway.untilMetric('lost_streams', {}, 1);
    const third = await StreamClient.open(gateway.url(`/stream/${token}`));
    third.start({ callId });
    await gateway.untilTold({ callId }, 'start', 3);
    await third.hangUp();
  });

  it('is worth nothing once its call has ended; another answer of the call has a token of its own', async () => {
    const callId = randomUUID();
    const token = minted({ callId });
    const client = await StreamClient.open(gateway.url(`/stream/${token}`));
    client.start({ callId });
    await gateway.untilTold({ callId }, 'start');
    await client.hangUp();
    await until('the call over', async () =>
      (await gateway.calls()).every((call) => call.callId !== callId),
    );
    const before = await refusals('token-ended');
    expect(await refused(`/stream/${token}`)).toBe(403);
    expect(await refusals('token-ended')).toBe(before + 1);
    const again = await StreamClient.open(gateway.url((await ask(gateway, { callId })).streamPath));
    await again.hangUp();
  });

  it('of another answer is good although the stream before it ended later', async () => {
    const callId = randomUUID();
    const first = (await ask(gateway, { callId })).streamPath;
    const client = await StreamClient.open(gateway.url(first));
    client.start({ callId });
    await gateway.untilTold({ callId }, 'start');
    await sleep(5);
    // A transfer: Plivo asks for the next document while the stream is still there.
    const next = (await ask(gateway, { callId })).streamPath;
    await sleep(5);
    await client.hangUp();
    await until('the stream over', async () =>
      (await gateway.calls()).every((call) => call.callId !== callId),
    );
    expect(await refused(first)).toBe(403);
    const again = await StreamClient.open(gateway.url(next));
    again.start({ callId });
    await gateway.untilTold({ callId }, 'start', 2);
    await again.hangUp();
  });

  it('is hung up as its own call, whatever the application does', async () => {
    const callId = randomUUID();
    const client = await StreamClient.open(gateway.url(`/stream/${minted({ callId })}`));
    client.callId = callId;
    const state = knownAtPlivo(api, client);
    client.start({ callId });
    await gateway.untilTold({ callId }, 'start');
    client.dtmf('#');
    await client.waitForClose();
    expect(state.hungUp).toBe(1);
  });
});

describe('a stream without a token', () => {
  it.each(upgradeForms)('comes in when Plivo signed its URL in the form %s', async (form) => {
    const query = 'tenant=a%20b&from=1555';
    const headers = signed('GET', upgradeUrl(form, `${host}/stream`, query));
    const client = await StreamClient.open(gateway.url(`/stream?${query}`), [], headers);
    client.start();
    expect((await gateway.untilTold(client, 'start'))[0]).toMatchObject({ from: '1555' });
    const page = await gateway.metrics();
    expect(page.value('upgrades_admitted_total', { by: form })).toBe(1);
    await client.hangUp();
  });

  it('comes in with the signature of the main account, one of several, or of the token before', async () => {
    const url = `http://${host}/stream`;
    const { 'X-Plivo-Signature-V3': good = '', ...nonce } = signed('GET', url);
    const old = signed('GET', url, [], previousAuthToken);
    for (const headers of [
      { ...nonce, 'X-Plivo-Signature-Ma-V3': good },
      { ...nonce, 'X-Plivo-Signature-V3': `AAAA, ${good} ,BBBB` },
      old,
    ]) {
      const client = await StreamClient.open(gateway.url(), [], headers);
      await client.hangUp();
    }
  });

  it('is refused with 403 without a signature, and with one of another URL, token or nonce', async () => {
    const url = `http://${host}/stream`;
    const good = signed('GET', url);
    expect(await refused('/stream')).toBe(403);
    expect(await refused('/stream', { ...good, 'X-Plivo-Signature-V3-Nonce': '1' })).toBe(403);
    expect(await refused('/stream?more=1', good)).toBe(403);
    expect(await refused('/stream', signed('GET', url, [], 'another-token'))).toBe(403);
    expect(await refused('/stream', signed('GET', url, [], ''))).toBe(403);
    expect(await refused('/stream', signed('GET', 'http://evil.example.com/stream'))).toBe(403);
    expect(await refusals('unsigned')).toBe(1);
    expect(await refusals('bad-signature')).toBe(5);
  });

  it('is explained in the log: what was presented, what was tried, what to do', () => {
    const lines = logged.filter(({ fault }) => fault === 'unsigned' || fault === 'token-malformed');
    expect(lines.length).toBeGreaterThan(0);
    expect(lines[0]).toMatchObject({ level: 'warn', address: '127.0.0.1' });
    expect(String(lines[0]!.msg)).toMatch(/refused a stream: /);
  });
});

describe('signatures.upgrade', () => {
  it('observe: lets everybody in who has no bad token, and says who would be refused', async () => {
    const seen: Record<string, unknown>[] = [];
    const watching = await open({
      api,
      logged: seen,
      environment: { SIGNATURES_UPGRADE: 'observe' },
    });
    const client = await StreamClient.open(watching.url());
    await client.hangUp();
    const page = await watching.metrics();
    expect(page.value('upgrades_admitted_total', { by: 'observed' })).toBe(1);
    expect(seen.map(({ msg }) => msg)).toContainEqual(
      expect.stringMatching(/^would refuse a stream: it has no token/),
    );
    expect((await refusedUpgrade(watching.url('/stream/x'))).status).toBe(403);
  });

  it('means nothing without an account: there is nothing to check with', async () => {
    const alone = await TestGateway.open({ environment: { SIGNATURES_UPGRADE: 'enforce' } });
    const client = await StreamClient.open(alone.url());
    await client.hangUp();
    const page = await alone.metrics();
    expect(page.value('upgrades_admitted_total', { by: 'unchecked' })).toBe(1);
  });
});

describe('one address that fails again and again', () => {
  it('gets 429 after twenty failures, and still comes in with what is good', async () => {
    const flooded = await open({ api });
    const url = flooded.url();
    const good = signed('GET', `http://${host}/stream`);
    const first = await StreamClient.open(url, [], good);
    await first.hangUp();
    const statuses = [];
    for (let i = 0; i < 25; i += 1) statuses.push((await refusedUpgrade(url)).status);
    expect(statuses.slice(0, 20)).toEqual(Array(20).fill(403));
    expect(statuses.slice(20)).toEqual(Array(5).fill(429));
    for (const client of [
      await StreamClient.open(url, [], good),
      await StreamClient.open(flooded.url(`/stream/${minted()}`)),
    ]) {
      await client.hangUp();
    }
  });

  it('is the one behind a proxy that is trusted, and the proxy itself where it is not', async () => {
    const settings = { trustProxy: ['127.0.0.0/8', '10.0.0.0/8'] };
    const behind = await open({ api, settings });
    const forwarded = (chain: string) => ({ 'X-Forwarded-For': chain });
    for (let i = 0; i < 20; i += 1) {
      await refusedUpgrade(behind.url(), forwarded('1.1.1.1, 192.0.2.1, 10.1.1.1'));
    }
    const from = async (chain: string) =>
      (await refusedUpgrade(behind.url(), forwarded(chain))).status;
    expect(await from('192.0.2.1')).toBe(429);
    expect(await from('192.0.2.2')).toBe(403);
    // What a client writes itself stands before what the proxy adds.
    expect(await from('192.0.2.2, 192.0.2.1')).toBe(429);
    expect(await from('192.0.2.1, 192.0.2.3')).toBe(403);

    const direct = await open({ api });
    for (let i = 0; i < 20; i += 1) {
      await refusedUpgrade(direct.url(), forwarded(`192.0.2.${i}`));
    }
    expect((await refusedUpgrade(direct.url(), forwarded('192.0.2.99'))).status).toBe(429);
  });

  it('may be told by PROXY protocol, by a proxy that is trusted and by nobody else', async () => {
    const trusting = await open({ api, settings: { trustProxy: '127.0.0.1' } });
    const other = await open({ api });
    const from = (target: TestGateway, last: number) => proxiedUpgrade(target.gateway.port, last);
    for (let i = 0; i < 20; i += 1) {
      await from(trusting, 7);
      await from(other, i);
    }
    expect(await from(trusting, 7)).toBe(429);
    expect(await from(trusting, 8)).toBe(403);
    expect(await from(other, 99)).toBe(429);
  });
});

/** The status of an upgrade behind a PROXY header, version 2, that speaks for 192.0.2.x. */
function proxiedUpgrade(port: number, last: number): Promise<number> {
  const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
  const addresses = [0x21, 0x11, 0, 12, 192, 0, 2, last, 127, 0, 0, 1, 0x1f, 0x90, 0x1f, 0x90];
  const request = [
    ...['GET /stream HTTP/1.1', 'Host: a', 'Upgrade: websocket', 'Connection: Upgrade'],
    ...['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', '', ''],
  ];
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        Buffer.concat([signature, Buffer.from(addresses), Buffer.from(request.join('\r\n'))]),
      );
    });
    socket.once('data', (data) => {
      resolve(Number(String(data).split(' ')[1]));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
