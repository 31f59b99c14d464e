import { request } from 'node:http';
import { BlockList, connect } from 'node:net';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ClientAddress } from '../../src/front/client-address.js';
import { loadNative } from '../../src/front/native.js';
import { PublicAddress } from '../../src/front/public-address.js';
import { Server, type SocketEvents } from '../../src/front/server.js';
import { SparseLog } from '../../src/front/sparse-log.js';
import { Webhooks } from '../../src/front/webhooks.js';
import { openLog } from '../../src/log.js';
import { type SignedMethod, signatureV3 } from '../../src/plivo/signature.js';
import { sleep, until } from './wait.js';

const token = 'token-of-the-tests';
const publicUrl = 'https://voice.example.com/gateway';

let told: unknown[][] = [];
let logged: { level: string; msg: string; refused?: number }[] = [];
let nowMs = 0;
const servers: Server[] = [];
const ports = { public: 0, host: 0, open: 0 };

const output = new Writable({
  write(line, _encoding, done) {
    logged.push(JSON.parse(String(line)));
    done();
  },
});
const log = openLog({ level: 'info', format: 'json', privacy: 'masked' }, output);

/** The listener alone: no stream is opened here, so nothing stands behind its sockets. */
async function listen(options: {
  readonly publicUrl: string | undefined;
  readonly tokens: readonly string[];
}): Promise<number> {
  const webhooks = new Webhooks({
    tokens: options.tokens,
    accounts: options.tokens.map((_, index) => `account-${index}`),
    publicAddress: new PublicAddress(options.publicUrl, false),
    sparseLog: new SparseLog(log, () => nowMs),
    on: {
      answer: () => Promise.reject(new Error('no call asks here')),
      callEnded: (...values) => told.push(['callEnded', ...values]),
      streamStatus: ({ callId, streamId, event, detail }) =>
        told.push(['streamStatus', callId, streamId, event, detail]),
      webhook: (...values) => told.push(values),
    },
  });
  const config = { host: '127.0.0.1', port: 0, tls: undefined };
  const address = new ClientAddress(new BlockList());
  const server = new Server(await loadNative(), config, {} as SocketEvents, address, webhooks);
  servers.push(server);
  return server.listen();
}

beforeAll(async () => {
  ports.public = await listen({ publicUrl, tokens: ['another-token', token] });
  ports.host = await listen({ publicUrl: undefined, tokens: [token] });
  ports.open = await listen({ publicUrl, tokens: [] });
});
afterAll(() => {
  for (const server of servers) server.stopListening();
});
beforeEach(() => {
  told = [];
  logged = [];
  nowMs += 60_000;
});

interface Sent {
  readonly method?: SignedMethod;
  readonly port?: number;
  /** With its query. */
  readonly path: string;
  readonly form?: Record<string, string>;
  /** What stands before the path in the URL that is signed; '' for no signature. */
  readonly signedFor?: string;
  readonly header?: string;
}

/** As Plivo sends it. */
function send(sent: Sent): Promise<Response> {
  const { method = 'POST', port = ports.public, path, form = {}, signedFor = publicUrl } = sent;
  const nonce = '05429567804466091622';
  const fields = Object.entries(form);
  const signature = signatureV3(method, `${signedFor}${path}`, fields, nonce, token);
  const { header = 'X-Plivo-Signature-V3' } = sent;
  return fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: signedFor === '' ? {} : { [header]: signature, 'X-Plivo-Signature-V3-Nonce': nonce },
    ...(method === 'POST' && { body: new URLSearchParams(form) }),
  });
}

const hangup = { CallUUID: 'c-1', Event: 'Hangup', HangupCause: 'NORMAL_CLEARING', From: '+1 555' };

describe('a signed webhook', () => {
  it('tells that a call ended', async () => {
    const answer = await send({ path: '/hangup', form: hangup });
    expect(answer.status).toBe(200);
    expect(told).toEqual([
      ['callEnded', 'c-1', 'NORMAL_CLEARING'],
      ['hangup', 'accepted'],
    ]);
    expect(logged).toEqual([]);
  });

  it('may be a GET, with its fields in the query', async () => {
    const query = new URLSearchParams({ ...hangup, To: '+1 555 (2) ü' });
    expect((await send({ method: 'GET', path: `/hangup?${query}` })).status).toBe(200);
    expect(told[0]).toEqual(['callEnded', 'c-1', 'NORMAL_CLEARING']);
  });

  it('may have a query besides its form, and the signature of the main account', async () => {
    const path = '/hangup?tenant=b&run=a%20b';
    const header = 'X-Plivo-Signature-Ma-V3';
    expect((await send({ path, form: hangup, header })).status).toBe(200);
    expect(told).toHaveLength(2);
  });

  it.each([
    ['StartStream', 'started'],
    ['StopStream', 'stopped'],
    ['stopped', 'stopped'],
    ['DroppedStream', 'dropped'],
    ['failed', 'dropped'],
    ['DegradedStream', 'degraded'],
  ])('tells of a stream: %s', async (event, how) => {
    const form = { CallUUID: 'c-1', StreamID: 's-1', Event: event, Error: 'too slow' };
    expect((await send({ path: '/stream-status', form })).status).toBe(200);
    expect(told).toEqual([
      ['streamStatus', 'c-1', 's-1', how, 'too slow'],
      ['stream-status', 'accepted'],
    ]);
  });

  it.each(['PlayedStream', ''])('of no consequence is answered with 200: %s', async (event) => {
    const form = { CallUUID: 'c-1', StreamID: 's-1', Event: event };
    expect((await send({ path: '/stream-status', form })).status).toBe(200);
    expect(told.at(-1)).toEqual(['stream-status', 'ignored']);
  });

  it.each(['/hangup', '/stream-status'])('without a call is refused with 400: %s', async (path) => {
    expect((await send({ path, form: { Event: 'Hangup' } })).status).toBe(400);
    expect(told).toEqual([[path.slice(1), 'unreadable']]);
  });

  it.each(['https', 'http'])(
    'is checked with the Host header if there is no public URL: %s',
    async (scheme) => {
      const signedFor = `${scheme}://127.0.0.1:${ports.host}`;
      expect(
        (await send({ path: '/hangup', form: hangup, port: ports.host, signedFor })).status,
      ).toBe(200);
      expect(told[0]).toEqual(['callEnded', 'c-1', 'NORMAL_CLEARING']);
    },
  );
});

describe('an unverified webhook', () => {
  it('changes nothing, and the log says what was missing', async () => {
    const answer = await send({ path: '/hangup?from=15550001111', form: hangup, signedFor: '' });
    expect(answer.status).toBe(403);
    expect(told).toEqual([['hangup', 'unsigned']]);
    expect(logged).toMatchObject([{ level: 'warn', webhook: 'hangup', refused: 1 }]);
    expect(logged[0]!.msg).toContain('no X-Plivo-Signature-V3 header');
    expect(logged[0]!.msg).toContain(`${publicUrl}/hangup?…`);
    expect(logged[0]!.msg).not.toContain('1555');
  });

  it('signed for another URL is refused, and the log names the URL and PUBLIC_URL', async () => {
    const signedFor = 'https://elsewhere.example.com';
    expect((await send({ path: '/hangup', form: hangup, signedFor })).status).toBe(403);
    expect(
      (await send({ path: '/hangup', form: hangup, signedFor, port: ports.host })).status,
    ).toBe(403);
    expect(told.map(([kind]) => kind)).toEqual(['hangup', 'hangup']);
    const [fixed, byHost] = logged.map(({ msg }) => msg);
    expect(fixed).toContain('matches no configured auth token');
    expect(fixed).toContain(`${publicUrl}/hangup;`);
    expect(fixed).toContain('set PUBLIC_URL');
    expect(byHost).toContain(`https://127.0.0.1:${ports.host}/hangup and http://127.0.0.1`);
  });

  it('is logged once in ten seconds, with how many there were', async () => {
    const sendBad = () => send({ path: '/stream-status', form: hangup, signedFor: '' });
    for (let i = 0; i < 5; i++) expect((await sendBad()).status).toBe(403);
    nowMs += 9_999;
    await sendBad();
    expect(logged.map(({ refused }) => refused)).toEqual([1]);
    nowMs += 1;
    await sendBad();
    expect(logged.map(({ refused }) => refused)).toEqual([1, 6]);
  });

  it('is neither refused nor believed where there are no tokens', async () => {
    for (const path of ['/hangup', '/stream-status']) {
      expect((await send({ path, form: hangup, port: ports.open })).status).toBe(200);
    }
    expect(told).toEqual([
      ['hangup', 'ignored'],
      ['stream-status', 'ignored'],
    ]);
  });

  it.each(['', '%%%=&&&', '{"CallUUID":"c-1"}', '\0\xff\u202e'])(
    'may be garbage: %j',
    async (body) => {
      const headers = { 'X-Plivo-Signature-V3': '\xff,,=', 'X-Plivo-Signature-V3-Nonce': '\xfe' };
      const answer = await post(body, headers);
      expect(answer).toBe(403);
      expect(told).toEqual([['hangup', 'unsigned']]);
    },
  );
});

describe('a body', () => {
  it('that comes in pieces is put together', async () => {
    const form = { ...hangup, Note: 'x'.repeat(60_000) };
    expect((await send({ path: '/hangup', form })).status).toBe(200);
    expect(told[0]).toEqual(['callEnded', 'c-1', 'NORMAL_CLEARING']);
  });

  it.each([64 * 1024 + 1, 300_000, 3_000_000])('of %d bytes is refused with 413', async (bytes) => {
    expect(await post('x'.repeat(bytes))).toBe(413);
    expect(told).toEqual([['hangup', 'unreadable']]);
  });

  it('of more fields than Plivo sends is refused with 413', async () => {
    expect(await post('a=1&'.repeat(257))).toBe(413);
    expect(told).toEqual([['hangup', 'unreadable']]);
  });

  it('that breaks off is nobody’s', async () => {
    const socket = connect(ports.public, '127.0.0.1');
    socket.write('POST /hangup HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nCallUUID=');
    await sleep(50);
    socket.destroy();
    await sleep(50);
    expect(told).toEqual([]);
    await until('another is answered', async () => (await post('x=y')) === 403);
  });
});

it('leaves other methods and paths as they were', async () => {
  const at = (path: string, method: string) =>
    fetch(`http://127.0.0.1:${ports.public}${path}`, { method });
  for (const method of ['PUT', 'DELETE', 'PATCH', 'HEAD']) {
    expect((await at('/hangup', method)).status, method).toBe(404);
  }
  expect((await at('/hangup/', 'POST')).status).toBe(404);
  expect((await at('/stream', 'POST')).status).toBe(426);
  expect(told).toEqual([]);
});

/** A body as it is. The answer may come before all of it is sent. */
function post(body: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const sending = request(
      { host: '127.0.0.1', port: ports.public, path: '/hangup', method: 'POST', headers },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      },
    );
    sending.on('error', reject);
    sending.end(body, 'latin1');
  });
}
