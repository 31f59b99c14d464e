import { afterEach, describe, expect, it } from 'vitest';
import { type LiveCall, PlivoApi, type PlivoCredentials } from '../../load/plivo-api.js';
import { parseFault } from '../../load/plivo-api-control.js';

const opened: PlivoApi[] = [];
afterEach(async () => {
  for (const api of opened.splice(0)) await api.close();
});

async function open(credentials?: PlivoCredentials): Promise<PlivoApi> {
  const api = new PlivoApi(credentials);
  opened.push(api);
  await api.listen(0);
  return api;
}

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

function request(api: PlivoApi, method: string, path: string, init: RequestInit = {}) {
  const headers = { authorization: basic('MA1:secret') };
  return fetch(`${api.url}/v1/Account/MA1${path}`, { method, headers, ...init });
}

function liveCall(): LiveCall & { readonly log: string[] } {
  const log: string[] = [];
  let isLive = true;
  return {
    log,
    hangUp: () => {
      log.push('hang-up');
      const wasLive = isLive;
      isLive = false;
      return wasLive;
    },
    transfer: (url) => {
      log.push(url);
      return isLive;
    },
  };
}

describe("the stand-in for Plivo's REST API", () => {
  it('hangs up a call once: 204, then 404', async () => {
    const api = await open();
    const call = liveCall();
    api.add('call-1', call);
    const first = await request(api, 'DELETE', '/Call/call-1/');
    expect(first.status).toBe(204);
    expect(await first.text()).toBe('');
    const second = await request(api, 'DELETE', '/Call/call-1/');
    expect(second.status).toBe(404);
    expect(await second.json()).toMatchObject({ error: 'call not found' });
    expect(call.log).toEqual(['hang-up', 'hang-up']);
  });

  it('knows only the calls it was told of', async () => {
    const api = await open();
    api.add('call-1', liveCall());
    api.remove('call-1');
    expect((await request(api, 'DELETE', '/Call/call-1/')).status).toBe(404);
    expect((await request(api, 'DELETE', '/Call/call-2/')).status).toBe(404);
    expect(api.violations.list()).toEqual([]);
  });

  it('refuses a hang-up without a call id, and remembers it', async () => {
    const api = await open();
    const call = liveCall();
    api.add('', call);
    for (const path of ['/Call/', '/Call', '/Call//']) {
      expect((await request(api, 'DELETE', path)).status).toBe(400);
    }
    expect(call.log).toEqual([]);
    expect(api.violations.list()).toEqual([
      {
        name: 'rest-hang-up-all-calls',
        detail: 'DELETE of account MA1 without a call id would have hung up every call',
        count: 3,
      },
    ]);
  });

  it('insists on the trailing slash and on known paths', async () => {
    const api = await open();
    const call = liveCall();
    api.add('call-1', call);
    expect((await request(api, 'DELETE', '/Call/call-1')).status).toBe(404);
    expect((await request(api, 'DELETE', '/Calls/call-1/')).status).toBe(404);
    expect((await request(api, 'GET', '/Call/call-1/')).status).toBe(405);
    expect(call.log).toEqual([]);
    const names = api.violations.list().map(({ name }) => name);
    expect(names).toEqual(['rest-trailing-slash-missing', 'rest-path-unknown']);
  });

  it.each([undefined, 'Bearer x', basic(''), basic('MA1:'), basic('MA1:wrong')])(
    'answers 401 to the authorization %s',
    async (authorization) => {
      const api = await open({ authId: 'MA1', authToken: 'secret' });
      const call = liveCall();
      api.add('call-1', call);
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const response = await request(api, 'DELETE', '/Call/call-1/', { headers });
      expect(response.status).toBe(401);
      expect(call.log).toEqual([]);
    },
  );

  it('takes its own credentials, or any if it has none', async () => {
    for (const api of [await open({ authId: 'MA1', authToken: 'secret' }), await open()]) {
      api.add('call-1', liveCall());
      expect((await request(api, 'DELETE', '/Call/call-1/')).status).toBe(204);
    }
  });

  it('transfers a call with 202', async () => {
    const api = await open();
    const call = liveCall();
    api.add('call-1', call);
    const body = JSON.stringify({ legs: 'aleg', aleg_url: 'https://example.com/x' });
    const response = await request(api, 'POST', '/Call/call-1/', { body });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ message: 'call transfered' });
    expect(call.log).toEqual(['https://example.com/x']);
    for (const bad of ['', '[]', '{"aleg_url":"nowhere"}']) {
      expect((await request(api, 'POST', '/Call/call-1/', { body: bad })).status).toBe(400);
    }
    expect((await request(api, 'POST', '/Call/call-2/', { body })).status).toBe(404);
  });

  it('fails on demand, in order, and then works again', async () => {
    const api = await open();
    const call = liveCall();
    api.add('call-1', call);
    api.failNext(1, { status: 429, retryAfterSeconds: 2 });
    api.failNext(1, { reset: true });
    api.failNext(1, { delayMs: 60 });
    const refused = await request(api, 'DELETE', '/Call/call-1/');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '2']);
    await expect(request(api, 'DELETE', '/Call/call-1/')).rejects.toThrow();
    expect(call.log).toEqual([]);
    const beforeMs = performance.now();
    expect((await request(api, 'DELETE', '/Call/call-1/')).status).toBe(204);
    expect(performance.now() - beforeMs).toBeGreaterThan(55);
    expect(api.requests.map(({ method, status }) => [method, status])).toEqual([
      ['DELETE', 429],
      ['DELETE', 0],
      ['DELETE', 204],
    ]);
    expect(api.requests[0]?.path).toBe('/v1/Account/MA1/Call/call-1/');
    expect(api.requests[1]?.atMs).toBeGreaterThan(api.requests[0]?.atMs ?? 0);
  });

  it('says which port is in use', async () => {
    const api = await open();
    const port = Number(new URL(api.url).port);
    await expect(new PlivoApi().listen(port)).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}: the port is in use`,
    );
  });
});

describe('orders to the stand-in while it runs', () => {
  async function controlled(): Promise<PlivoApi> {
    const api = new PlivoApi(null, { everyCall: true, control: true });
    opened.push(api);
    await api.listen(0);
    return api;
  }
  const order = (api: PlivoApi, method: string, path: string, body?: unknown) =>
    fetch(`${api.url}/stand-in/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const hangUp = async (api: PlivoApi, id: string): Promise<number> =>
    (await request(api, 'DELETE', `/Call/${id}/`)).status;

  it('let the next requests go wrong, or all of them, and tell what was asked', async () => {
    const api = await controlled();
    const fault = { status: 429, retryAfterSeconds: 2, count: 2 };
    expect((await order(api, 'POST', 'faults', fault)).status).toBe(204);
    const limited = await request(api, 'DELETE', '/Call/a/');
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '2']);
    expect(await hangUp(api, 'a')).toBe(429);
    expect(await hangUp(api, 'a')).toBe(204);
    expect(await hangUp(api, 'a')).toBe(404);
    await order(api, 'POST', 'faults', { status: 503 });
    expect([await hangUp(api, 'b'), await hangUp(api, 'b')]).toEqual([503, 503]);
    expect((await order(api, 'DELETE', 'faults')).status).toBe(204);
    expect(await hangUp(api, 'b')).toBe(204);
    expect(await (await order(api, 'GET', 'requests')).json()).toEqual({
      requests: 7,
      byStatus: { 204: 2, 404: 1, 429: 2, 503: 2 },
      mostIn5s: 7,
      violations: [],
    });
  });

  it.each([
    [{ status: 200 }, /status must be a number from 400 to 599/],
    [{ staus: 503 }, /no fault is called "staus"; there are status/],
    [{ status: 503, count: 0 }, /count must be a whole number/],
    [{}, /a fault says what goes wrong/],
  ])('are refused with what is wrong with them: %o', async (body, why) => {
    const api = await controlled();
    const answer = await order(api, 'POST', 'faults', body);
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: string }).error).toMatch(why);
    expect(await hangUp(api, 'a')).toBe(204);
  });

  it('are not taken by a stand-in that was not asked to', async () => {
    const api = await open();
    expect((await order(api, 'POST', 'faults', { status: 503 })).status).toBe(404);
  });

  it('may be given on the command line', () => {
    expect(parseFault('status=503,count=20')).toEqual({ fault: { status: 503 }, count: 20 });
    expect(parseFault('silent')).toEqual({ fault: { silent: true }, count: undefined });
    expect(() => parseFault('status=abc')).toThrow(/status must be a number/);
  });
});
