import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SignedMethod, verifyV3 } from '../../src/plivo/signature.js';
import { ask, publicUrl } from './edge-client.js';
import { StreamClient } from './stream-client.js';
import { type GatewayOptions, openApi, refusedUpgrade, TestGateway } from './test-gateway.js';
import { until } from './wait.js';

let api: Awaited<ReturnType<typeof openApi>>;
beforeAll(async () => {
  api = await openApi();
});

async function open(options: GatewayOptions = {}): Promise<TestGateway> {
  return TestGateway.open({
    handler: `start(call) { tell(call, 'start', call.from, call.to, { ...call.query }, call.route); },`,
    ...{ api, ...options },
    settings: { publicUrl, ...options.settings },
    environment: { SIGNATURES_UPGRADE: 'enforce', ...options.environment },
  });
}

/** What the handler of a call is told, that was answered like this. */
async function factsOf(gateway: TestGateway, callId: string, streamPath: string) {
  const client = await StreamClient.open(gateway.url(streamPath));
  client.start({ callId });
  const [from, to, query, route] = await gateway.untilTold({ callId }, 'start');
  await client.hangUp();
  return { from, to, query, route };
}

describe('an answer', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await open();
  });

  it('is a stream in both directions to this gateway, with its status told to it', async () => {
    const { status, type, elements, stream, streamPath } = await ask(gateway);
    expect({ status, type, elements }).toEqual({
      status: 200,
      type: 'application/xml',
      elements: ['Stream', 'Hangup'],
    });
    expect(streamPath).toMatch(/^\/stream\/[A-Za-z0-9_-]+$/);
    expect(stream?.getAttribute('bidirectional')).toBe('true');
    expect(stream?.getAttribute('keepCallAlive')).toBe('true');
    expect(stream?.getAttribute('contentType')).toBe('audio/x-mulaw;rate=8000');
    expect(stream?.getAttribute('statusCallbackUrl')).toBe(`${publicUrl}/stream-status`);
  });

  it.each<SignedMethod>(['GET', 'POST'])(
    'to a %s carries what is known of the call to its handler',
    async (method) => {
      const callId = randomUUID();
      const hostile = `a&b<c>"d'e\u00e4\u{1f600}`;
      const { streamPath } = await ask(gateway, {
        ...{ method, callId },
        query: `tenant=${encodeURIComponent(hostile)}`,
        more: { 'SIP-H-X-PH-Plan': hostile, From: 'sip:a"<&>@x', Direction: 'outbound' },
      });
      expect(await factsOf(gateway, callId, streamPath)).toEqual({
        from: 'sip:a"<&>@x',
        to: '15550002222',
        route: 'calls',
        query: {
          ...{ tenant: hostile, 'SIP-H-X-PH-Plan': hostile, direction: 'outbound' },
          ...{ from: 'sip:a"<&>@x', to: '15550002222' },
        },
      });
    },
  );

  it('of a call with more facts than fit keeps the URL in 2048 characters, and the shortest facts', async () => {
    const callId = randomUUID();
    const { streamPath, xml } = await ask(gateway, {
      callId,
      query: `a=${'x'.repeat(3_000)}&b=kept&c=${'y'.repeat(1_500)}`,
    });
    expect(/>(wss:[^<]*)</.exec(xml)![1]!.length).toBeLessThanOrEqual(2_048);
    const { query } = await factsOf(gateway, callId, streamPath);
    expect(query).toMatchObject({ b: 'kept' });
    expect(query).not.toHaveProperty('a');
  });

  it.each([
    { Event: 'Hangup' },
    { CallStatus: 'completed' },
    { CallStatus: 'No-Answer', Event: '' },
  ])(
    'to %j is empty: a call that is over gets no second stream, and is over here too',
    async (more) => {
      const callId = randomUUID();
      const { streamPath } = await ask(gateway, { callId });
      const { status, elements, xml } = await ask(gateway, { callId, more });
      expect({ status, elements }).toEqual({ status: 200, elements: [] });
      expect(xml).toContain('<Response></Response>');
      expect((await refusedUpgrade(gateway.url(streamPath))).status).toBe(403);
    },
  );

  it('is refused to others, with XML that hangs up', async () => {
    for (const webhook of [{ signature: false }, { token: 'another-token' }]) {
      const { status, type, elements } = await ask(gateway, webhook);
      expect({ status, type, elements }).toEqual({
        status: 403,
        type: 'application/xml',
        elements: ['Hangup'],
      });
    }
    const page = await gateway.metrics();
    expect(page.value('webhooks_total', { kind: 'answer', outcome: 'unsigned' })).toBe(2);
  });

  it.each([
    ['too large', { more: { Note: 'x'.repeat(70_000) } }, 413],
    [
      'of too many fields',
      { more: Object.fromEntries([...Array(300)].map((_, i) => [`f${i}`, ''])) },
      413,
    ],
    ['without a call', { callId: '' }, 400],
  ])('to a request %s is XML that hangs up', async (_what, webhook, expected) => {
    const { status, type, elements } = await ask(gateway, webhook);
    expect({ status, type, elements }).toEqual({
      status: expected,
      type: 'application/xml',
      elements: ['Hangup'],
    });
  });

  it('to a body of another kind than a form is refused as unsigned', async () => {
    const answer = await fetch(`http://127.0.0.1:${gateway.gateway.port}/answer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"CallUUID":"c"}',
    });
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('<Hangup/>');
  });
});

describe('an answer by route', () => {
  it('asks for what the route says', async () => {
    const gateway = await open({
      routes: [
        {
          ...{ name: 'l16', handler: 'HANDLER', to: '15550002222', path: '/ws' },
          contentType: 'audio/x-l16;rate=16000',
          streamTimeout: '2h',
          extraHeaders: { tenant: 'acme', plan: 'gold' },
          noiseCancellation: 90,
          afterStream: { dial: '+15559990000' },
        },
        { name: 'gone', to: '15550003333', reject: 'moved away' },
        { name: 'next', to: '15550004444', redirect: 'https://other.example/?a=1&b=2' },
      ],
    });
    const { stream, elements, xml, streamPath } = await ask(gateway);
    expect(streamPath).toMatch(/^\/ws\//);
    expect(stream?.getAttribute('contentType')).toBe('audio/x-l16;rate=16000');
    expect(stream?.getAttribute('streamTimeout')).toBe('7200');
    expect(stream?.getAttribute('extraHeaders')).toBe('tenant=acme,plan=gold');
    expect(stream?.getAttribute('noiseCancellationLevel')).toBe('90');
    expect(elements).toEqual(['Stream', 'Dial']);
    expect(xml).toContain('<Number>+15559990000</Number>');
    expect((await ask(gateway, { more: { To: '15550003333' } })).elements).toEqual(['Hangup']);
    const redirected = await ask(gateway, { more: { To: '15550004444' } });
    expect(redirected.elements).toEqual(['Redirect']);
    expect(redirected.xml).toContain('https://other.example/?a=1&#38;b=2');
    const nobody = await ask(gateway, { more: { To: '15550005555' } });
    expect(nobody).toMatchObject({ status: 200, elements: ['Hangup'] });
    const page = await gateway.metrics();
    const counts = ['stream', 'rejected', 'redirected', 'no-route'].map((outcome) =>
      page.value('answers_total', { outcome }),
    );
    expect(counts).toEqual([1, 1, 1, 1]);
  });

  it('draws a share of the calls once: the stream goes where its answer said', async () => {
    const gateway = await open({
      routes: [
        { name: 'half', handler: 'HANDLER', share: 50 },
        { name: 'rest', handler: 'HANDLER', extraHeaders: { rest: 'yes' } },
      ],
    });
    const routes = new Set();
    for (let i = 0; i < 24; i += 1) {
      const callId = randomUUID();
      const { stream, streamPath } = await ask(gateway, { callId });
      const { route } = await factsOf(gateway, callId, streamPath);
      expect(route).toBe(stream?.hasAttribute('extraHeaders') ? 'rest' : 'half');
      routes.add(route);
    }
    expect(routes.size).toBe(2);
  });

  it('knows a call’s account by its signature', async () => {
    const sales = { name: 'sales', authId: 'SASALES', authToken: 'token-of-sales' };
    const gateway = await open({
      settings: { accounts: [sales] },
      routes: [
        { name: 'sales', handler: 'HANDLER', account: 'sales' },
        { name: 'others', handler: 'HANDLER' },
      ],
    });
    for (const [token, expected] of [
      ['token-of-sales', 'sales'],
      [undefined, 'others'],
    ] as const) {
      const callId = randomUUID();
      const { streamPath } = await ask(gateway, { callId, ...(token && { token }) });
      expect((await factsOf(gateway, callId, streamPath)).route).toBe(expected);
    }
  });
});

describe('a full gateway', () => {
  it('says so before there is a stream, and keeps its word to calls that it has answered', async () => {
    const gateway = await open({
      settings: { limits: { calls: 2 }, answer: { whenBusy: { speak: 'All <lines> are busy' } } },
    });
    const callId = randomUUID();
    const first = await ask(gateway, { callId });
    const second = await ask(gateway);
    const third = await ask(gateway);
    expect(third).toMatchObject({ status: 200, elements: ['Speak', 'Hangup'] });
    expect(third.xml).toContain('All &#60;lines&#62; are busy');
    // Plivo asks again for the same call: it has its place.
    expect((await ask(gateway, { callId })).elements[0]).toBe('Stream');
    const clients = [];
    for (const { streamPath } of [first, second]) {
      clients.push(await StreamClient.open(gateway.url(streamPath)));
    }
    const page = await gateway.metrics();
    expect(page.value('answers_total', { outcome: 'busy' })).toBe(1);
    for (const client of clients) await client.hangUp();
    await until('a place again', async () => (await ask(gateway)).elements[0] === 'Stream');
  });

  it('does not let others take the places of calls that it has answered', async () => {
    const gateway = await open({
      settings: { limits: { calls: 1 } },
      environment: { SIGNATURES_UPGRADE: 'off' },
    });
    const { streamPath } = await ask(gateway);
    expect((await refusedUpgrade(gateway.url())).status).toBe(503);
    const client = await StreamClient.open(gateway.url(streamPath));
    await client.hangUp();
  });
});

describe('answer.forward', () => {
  interface Asked {
    readonly method: string;
    readonly url: string;
    readonly body: string;
    readonly headers: IncomingMessage['headers'];
  }
  const asked: Asked[] = [];
  let reply: (response: ServerResponse) => void = (response) => response.end();
  const service = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = request;
    asked.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    reply(response);
  });
  let gateway: TestGateway;
  let forward: string;
  beforeAll(async () => {
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
    forward = `http://127.0.0.1:${(service.address() as AddressInfo).port}/voice?app=1`;
    gateway = await open({ settings: { answer: { forward } } });
  });
  afterAll(() => {
    service.close();
    service.closeAllConnections();
  });

  const stream =
    '<Stream bidirectional="true" keepCallAlive="true" contentType="audio/x-l16;rate=8000"';

  it('has the service’s XML come back with our stream in it, and all else as it was', async () => {
    reply = (response) =>
      response.end(
        `<?xml version="1.0"?><Response><!-- mine --><Speak voice="Polly">Hi &amp; bye</Speak>${stream} extraHeaders="a=b">
        wss://mine.example/ws?tenant=acme&amp;leg=2</Stream><Dial><Number>1555</Number></Dial></Response>`,
      );
    const callId = randomUUID();
    const answer = await ask(gateway, { callId, query: 'x=1' });
    expect(answer).toMatchObject({ status: 200, elements: ['Speak', 'Stream', 'Dial'] });
    expect(answer.xml).toContain('<!-- mine --><Speak voice="Polly">Hi &amp; bye</Speak>');
    expect(answer.stream?.getAttribute('contentType')).toBe('audio/x-l16;rate=8000');
    expect(answer.stream?.getAttribute('extraHeaders')).toBe('a=b');
    expect(answer.stream?.getAttribute('statusCallbackUrl')).toBe(`${publicUrl}/stream-status`);
    expect((await factsOf(gateway, callId, answer.streamPath)).query).toMatchObject({
      ...{ tenant: 'acme', leg: '2', x: '1', direction: 'inbound' },
    });
  });

  it('hands the webhook on as it came, so that its signature can be checked there as well', async () => {
    await ask(gateway, { query: 'x=a%20b', callId: 'c-1' });
    const { method, url, body, headers } = asked.at(-1)!;
    expect(method).toBe('POST');
    expect(new URL(url, 'http://x').search).toBe('?app=1&x=a+b');
    const signedUrl = String(headers['x-forwarded-url']);
    expect(signedUrl).toBe(`${publicUrl}/answer?x=a%20b`);
    const params = [...new URLSearchParams(body)];
    expect(params[0]).toEqual(['CallUUID', 'c-1']);
    const check = (tokens: string[]) =>
      verifyV3({
        ...{ method: 'POST', url: signedUrl, params, tokens },
        headers: headers as Record<string, string>,
      });
    expect(check(['token-of-the-tests'])).toBe(true);
    expect(check(['another'])).toBe(false);
  });

  it('keeps the service’s own status callback', async () => {
    reply = (response) =>
      response.end(
        `<Response>${stream} statusCallbackUrl="https://mine/s">wss://x</Stream></Response>`,
      );
    const answer = await ask(gateway);
    expect(answer.stream?.getAttribute('statusCallbackUrl')).toBe('https://mine/s');
  });

  it('lets XML without a stream pass: the call goes elsewhere', async () => {
    reply = (response) => response.end('<Response><Speak>closed</Speak></Response>');
    expect(await ask(gateway)).toMatchObject({ status: 200, elements: ['Speak'] });
  });

  it('takes the first of two streams', async () => {
    reply = (response) =>
      response.end(`<Response>${stream}>wss://a</Stream>${stream}>wss://b</Stream></Response>`);
    const { elements, xml, streamPath } = await ask(gateway);
    expect(elements).toEqual(['Stream', 'Stream']);
    expect(streamPath).toMatch(/^\/stream\//);
    expect(xml).toContain('>wss://b<');
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['says 500', (response) => response.writeHead(500).end('<Response/>')],
    ['answers no XML', (response) => response.end('all is well')],
    ['answers half of its XML', (response) => response.end('<Response><Stream>wss://x')],
    ['answers another document', (response) => response.end('<html><body/></html>')],
    ['answers nothing', (response) => response.end()],
    ['answers too much', (response) => response.end(`<Response>${' '.repeat(200_000)}</Response>`)],
    ['breaks off', (response) => response.writeHead(200, { 'content-length': 9 }).destroy()],
    [
      'answers with entities of its own',
      (response) => response.end('<!DOCTYPE r [<!ENTITY a "b">]><Response>&a;</Response>'),
    ],
  ])('that %s is told to Plivo with 502, and XML that hangs up', async (_what, replyWith) => {
    reply = replyWith;
    const { status, type, elements } = await ask(gateway);
    expect({ status, type, elements }).toEqual({
      status: 502,
      type: 'application/xml',
      elements: ['Hangup'],
    });
  });

  it('that is down is told to Plivo with 502; that is slow too, within the time that Plivo waits', async () => {
    const down = await open({ settings: { answer: { forward: 'http://127.0.0.1:9/x' } } });
    expect((await ask(down)).status).toBe(502);
    reply = () => {};
    const startMs = performance.now();
    expect((await ask(gateway)).status).toBe(502);
    expect(performance.now() - startMs).toBeLessThan(15_000);
  }, 20_000);
});

describe('POST /api/stream-url', () => {
  const post = (gateway: TestGateway, body: unknown) =>
    gateway.admin('/api/stream-url', { method: 'POST', body: JSON.stringify(body) });

  it('makes a stream URL for XML that is written elsewhere', async () => {
    const gateway = await open();
    const callId = randomUUID();
    const facts = { callId, from: '1555', to: '1666', direction: 'outbound', query: { a: 'b' } };
    const answer = await post(gateway, facts);
    expect(answer.status).toBe(200);
    const made = (await answer.json()) as Record<string, string>;
    expect(made).toMatchObject({ route: 'calls', statusCallbackUrl: `${publicUrl}/stream-status` });
    expect(Date.parse(made.expiresAt!) - Date.now()).toBeGreaterThan(50_000);
    const path = made.url!.replace('wss://voice.example.com', '');
    expect(await factsOf(gateway, callId, path)).toEqual({
      ...{ from: '1555', to: '1666', route: 'calls' },
      query: { a: 'b', direction: 'outbound', from: '1555', to: '1666' },
    });
    expect((await gateway.admin('/api/stream-url')).status).toBe(405);
  });

  it.each([
    ['a text', 'nonsense{', /no JSON object/],
    ['a list', [], /no JSON object/],
    ['no call', {}, /callId/],
    ['an odd call', { callId: 'a/b' }, /callId/],
    ['a number', { callId: 'c', from: 1555 }, /from/],
    ['odd facts', { callId: 'c', query: { a: 1 } }, /query/],
    ['an unknown name', { callId: 'c', form: '' }, /unknown: form/],
    ['too much', { callId: 'c', from: 'x'.repeat(20_000) }, /longer/],
  ])('says what is wrong with %s', async (_what, body, expected) => {
    const gateway = (shared ??= await open());
    const answer = await post(gateway, body);
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: string }).error).toMatch(expected);
  });
  let shared: TestGateway | undefined;

  it('says why there is none: no route, no place, no PUBLIC_URL', async () => {
    const gateway = await open({
      settings: { limits: { calls: 1 } },
      routes: [{ handler: 'echo', to: '1*' }],
    });
    const error = async (of: TestGateway, facts: object) => {
      const answer = await post(of, facts);
      expect(answer.status).toBe(409);
      return ((await answer.json()) as { error: string }).error;
    };
    expect(await error(gateway, { callId: 'c', to: '2' })).toMatch(/no route/);
    expect(await error(gateway, { callId: 'c', to: '1', route: 'x' })).toMatch(/no route x/);
    expect((await post(gateway, { callId: 'c', to: '1' })).status).toBe(200);
    expect(await error(gateway, { callId: 'd', to: '1' })).toMatch(/no place/);
    const nowhere = await TestGateway.open();
    expect(await error(nowhere, { callId: 'c' })).toMatch(/PUBLIC_URL/);
  });
});
