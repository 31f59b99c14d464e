import { beforeAll, describe, expect, it } from 'vitest';
import { StreamClient } from './stream-client.js';
import { refusedUpgrade, TestGateway } from './test-gateway.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.open({
    handler: `start(call) {
      tell(call, 'start', {
        id: call.id, streamId: call.streamId, accountId: call.accountId, from: call.from, to: call.to,
        query: { ...call.query }, extraHeaders: { ...call.extraHeaders }, route: call.route,
        sampleRate: call.sampleRate, tracks: [...call.tracks], encoding: call.encoding,
        streamRate: call.streamRate, queuedMs: call.queuedMs, data: call.data,
      });
    }`,
  });
});

type Facts = { readonly [name: string]: unknown };

async function factsOf(client: StreamClient): Promise<Facts> {
  const [facts] = await gateway.untilTold(client, 'start');
  await client.hangUp();
  return facts as Facts;
}

function http(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${gateway.gateway.port}${path}`, init);
}

describe.concurrent('an upgrade', () => {
  it.each(['/stream', '/ws'])('is taken at %s', async (path) => {
    const facts = await factsOf(await gateway.call({}, path));
    expect(facts).toMatchObject({ route: 'calls', sampleRate: 16_000 });
  });

  it.each(['/', '/streams', '/stream/', '/metrics', '/api/calls'])(
    'is refused with 404 at %s',
    async (path) => {
      expect((await refusedUpgrade(gateway.url(path))).status).toBe(404);
    },
  );

  it('echoes the first sub-protocol that is offered', async () => {
    const url = gateway.url();
    const client = await StreamClient.open(url, ['audio.plivo.com', 'other']);
    expect(client.socket.protocol).toBe('audio.plivo.com');
    await client.hangUp();
  });

  it('invents no sub-protocol, and negotiates no compression', async () => {
    const client = await StreamClient.open(gateway.url());
    expect(client.socket.protocol).toBe('');
    expect(client.socket.extensions).toBe('');
    await client.hangUp();
  });

  it('is what a plain request to a stream path is told to make', async () => {
    for (const method of ['GET', 'POST']) {
      const answer = await http('/stream', { method });
      expect(answer.status).toBe(426);
      expect(answer.headers.get('upgrade')).toBe('websocket');
    }
    expect((await http('/ws')).status).toBe(426);
  });

  it('leads to nothing of the admin listener', async () => {
    for (const path of ['/metrics', '/livez', '/readyz', '/api/calls', '/api/calls/x', '/']) {
      expect((await http(path)).status, path).toBe(404);
    }
    expect((await http('/api/calls/x', { method: 'DELETE' })).status).toBe(404);
  });
});

describe.concurrent('a handler learns of its call', () => {
  it('the numbers and everything else in the query of the stream URL', async () => {
    const query = '?from=15550001111&to=%2B15550002222&tenant=a%20b&tenant=c&x=&__proto__=y';
    const facts = await factsOf(await gateway.call({}, `/stream${query}`));
    expect(facts).toMatchObject({ from: '15550001111', to: '+15550002222' });
    expect(facts.query).toEqual({
      from: '15550001111',
      to: '+15550002222',
      tenant: 'a b',
      x: '',
    });
  });

  it('no number when the query has none', async () => {
    expect(await factsOf(await gateway.call())).toMatchObject({ from: '', to: '', query: {} });
  });

  it('the ids, the tracks and the format of start', async () => {
    const client = await gateway.call({
      format: { encoding: 'audio/x-l16', sampleRate: 24_000 },
      tracks: ['inbound', 'outbound'],
    });
    expect(await factsOf(client)).toMatchObject({
      id: client.callId,
      streamId: client.streamId,
      accountId: 'MAEXAMPLE0000000000A',
      tracks: ['inbound', 'outbound'],
      encoding: 'l16',
      streamRate: 24_000,
      queuedMs: 0,
      data: {},
    });
  });

  const headers = { tenant: 'acme', plan: 'gold' };
  it.each([
    ['with semicolons', 'tenant=acme;plan=gold', headers],
    ['with commas', 'tenant=acme,plan=gold', headers],
    ['with spaces', ' tenant = acme ; plan = gold; ', headers],
    ['as a JSON text', '{"tenant":"acme","plan":"gold"}', headers],
    ['as an object', { tenant: 'acme', plan: 'gold' }, headers],
    ['with X-PH-', '{X-PH-tenant: acme, X-PH-plan: gold}', headers],
    ['with percent escapes', 'tenant=ac%6de;plan=g%C3%B6ld', { tenant: 'acme', plan: 'göld' }],
    ['with broken escapes', 'tenant=100%;plan=%zz', { tenant: '100%', plan: '%zz' }],
    ['with = in a value', 'tenant=a=b;plan=', { tenant: 'a=b', plan: '' }],
    ['as numbers', { tenant: 7, plan: true, none: null, deep: {} }, { tenant: '7', plan: 'true' }],
    ['that are empty', '', {}],
    ['that are null', null, {}],
    ['that are nonsense', '{{{;;==,', {}],
    ['that are a list', ['tenant=acme'], {}],
    ['with dangerous names', '{"__proto__":"x","constructor":"y"}', { constructor: 'y' }],
  ])('extra headers %s', async (_name, extraHeaders, expected) => {
    const client = await StreamClient.open(gateway.url());
    client.send({ ...client.startMessage(), extra_headers: extraHeaders });
    expect((await factsOf(client)).extraHeaders).toEqual(expected);
  });

  it('the streamId also when it stands beside start, and ids that are numbers', async () => {
    const client = await StreamClient.open(gateway.url());
    client.callId = '1234567';
    client.send({ event: 'start', streamId: 42, start: { callId: 1_234_567, tracks: null } });
    expect(await factsOf(client)).toMatchObject({
      id: '1234567',
      streamId: '42',
      tracks: ['inbound'],
      encoding: 'mulaw',
      streamRate: 8_000,
    });
  });

  it.each([
    [{ type: 'audio/x-l16', rate: '16000' }, 'l16', 16_000],
    [{ encoding: 'audio/x-l16;rate=8000' }, 'l16', 8_000],
    [{ encoding: 'AUDIO/X-MULAW', sampleRate: '8000' }, 'mulaw', 8_000],
    [null, 'mulaw', 8_000],
  ])('the format %j in every form that Plivo uses', async (mediaFormat, encoding, streamRate) => {
    const client = await StreamClient.open(gateway.url());
    const { callId, streamId } = client;
    client.send({ event: 'start', start: { callId, streamId, mediaFormat } });
    expect(await factsOf(client)).toMatchObject({ encoding, streamRate });
  });
});
