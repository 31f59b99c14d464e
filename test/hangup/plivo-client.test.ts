import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlivoApi } from '../../load/plivo-api.js';
import { HangupDispatcher } from '../../src/hangup/dispatcher.js';
import { MemoryStore } from '../../src/hangup/memory-store.js';
import type { HangupOutcome } from '../../src/hangup/outcome.js';
import { PlivoClient } from '../../src/hangup/plivo-client.js';
import { quiet, settings } from './fake-plivo.js';

const credentials = { authId: 'MAEXAMPLE0000000000A', authToken: 'secret' };
const api = new PlivoApi(credentials);
const ended: string[] = [];
let client: PlivoClient;

beforeAll(async () => {
  await api.listen(0);
  client = new PlivoClient({ apiUrl: api.url, credentials });
});

afterAll(async () => {
  await client.close();
  await api.close();
});

function live(callId: string): string {
  api.add(callId, {
    hangUp: () => {
      api.remove(callId);
      ended.push(callId);
      return true;
    },
    transfer: (url) => url.startsWith('https://'),
  });
  return callId;
}

/** Hangs one call up with a dispatcher of its own. */
function hangUp(callId: string): Promise<HangupOutcome> {
  return new Promise((resolve) => {
    const config = { name: 'default', apiUrl: api.url, credentials };
    const dispatcher = new HangupDispatcher({
      accounts: [{ config, client }],
      routes: [],
      // After a 429 an account with a limit waits for a whole window.
      settings: { ...settings, requestsMax: 0 },
      store: new MemoryStore('of no use here'),
      log: quiet,
      events: { settled: (_, outcome) => resolve(outcome), asked: () => {}, requested: () => {} },
    });
    const rest = { accountId: '', route: 'calls', reason: 'app-cancel', speculative: false };
    dispatcher.submit({ callId, inMs: 0, ...rest });
  });
}

describe('the client', () => {
  it('deletes one call, and learns that it is gone the second time', async () => {
    const callId = live('call-1');
    expect((await client.hangup(callId)).status).toBe(204);
    expect((await client.hangup(callId)).status).toBe(404);
    expect(api.requests.slice(-2).map(({ method, path }) => `${method} ${path}`)).toEqual(
      new Array(2).fill(`DELETE /v1/Account/${credentials.authId}/Call/call-1/`),
    );
  });

  it('posts a transfer', async () => {
    expect((await client.transfer(live('call-2'), 'https://x.example/next')).status).toBe(202);
    expect((await client.transfer('gone', 'https://x.example/next')).status).toBe(404);
    expect(api.requests.at(-1)?.method).toBe('POST');
  });

  it.each(['', '.', '..', 'a/b', '%2e', ' '])('makes no request for the id %j', async (callId) => {
    const before = api.requests.length;
    await expect(client.hangup(callId)).rejects.toMatchObject({ code: 'BAD_CALL_ID' });
    await expect(client.transfer(callId, 'https://x')).rejects.toMatchObject({
      code: 'BAD_CALL_ID',
    });
    expect(api.requests).toHaveLength(before);
    expect(api.violations.list()).toEqual([]);
  });

  it('makes no request without credentials', async () => {
    const poor = new PlivoClient({ apiUrl: api.url, credentials: undefined });
    const before = api.requests.length;
    await expect(poor.hangup('call-1')).rejects.toMatchObject({ code: 'MISSING_CREDENTIALS' });
    expect(api.requests).toHaveLength(before);
    await poor.close();
  });

  it('reads Retry-After in seconds, and passes a refusal on', async () => {
    api.failNext(1, { status: 429, retryAfterSeconds: 2 });
    expect(await client.hangup('x')).toMatchObject({ status: 429, retryAfterMs: 2_000 });
    const stranger = new PlivoClient({
      apiUrl: api.url,
      credentials: { ...credentials, authToken: 'wrong' },
    });
    expect(await stranger.hangup('x')).toMatchObject({ status: 401, retryAfterMs: undefined });
    await stranger.close();
  });
});

describe('an API that does not answer as it should', () => {
  let server: Server;
  let client: PlivoClient;
  let answer: (socket: Socket) => void;
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => answer(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    client = new PlivoClient({ apiUrl: `http://127.0.0.1:${port}`, credentials });
  });
  afterAll(async () => {
    await client.close();
    server.close();
  });

  it('is left after five seconds, also if it keeps sending a little', async () => {
    answer = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n');
      const drip = setInterval(() => socket.write('x'), 100);
      socket.on('close', () => clearInterval(drip));
    };
    const fromMs = performance.now();
    const silent = client.hangup('a');
    await expect(silent).rejects.toThrow('no answer within 5 s');
    expect(performance.now() - fromMs).toBeLessThan(6_000);
  }, 10_000);

  it.each(['\x00\xff\x00garbage\r\n\r\n', 'HTTP/1.1 abc\r\n\r\n', 'HTTP/1.1 204 No'])(
    'and answers %j makes an error, not a success',
    async (text) => {
      answer = (socket) => socket.end(Buffer.from(text, 'latin1'));
      await expect(client.hangup('a')).rejects.toThrow();
    },
  );

  it('has the start of its page quoted, and not all of it', async () => {
    answer = (socket) => {
      socket.end(`HTTP/1.1 500 Oh\r\ncontent-length: 100000\r\n\r\n${'x'.repeat(100_000)}`);
    };
    const { status, text } = await client.hangup('a');
    expect([status, text.length]).toEqual([500, 200]);
  });
});

describe('a hang-up over a real connection', () => {
  it('ends the call after a broken connection, a 500 and a 429', async () => {
    const callId = live('call-3');
    api.failNext(1, { reset: true });
    api.failNext(1, { status: 500 });
    api.failNext(1, { status: 429, retryAfterSeconds: 1 });
    await expect(hangUp(callId)).resolves.toBe('confirmed');
    expect(ended).toContain(callId);
    const mine = api.requests.filter(({ path }) => path.endsWith('/call-3/'));
    expect(mine.map(({ status }) => status)).toEqual([0, 500, 429, 204]);
  });

  it('counts a call that has ended by itself as a success', async () => {
    await expect(hangUp('call-4')).resolves.toBe('already-ended');
  });

  it('refuses an unsafe id, and never asks for all calls of the account', async () => {
    await expect(hangUp('')).resolves.toBe('refused');
    await expect(hangUp('..')).resolves.toBe('refused');
    expect(api.violations.list()).toEqual([]);
  });
});
