import { describe, expect, it } from 'vitest';
import {
  type GuardRules,
  isLoopback,
  type RequestFacts,
  refusalOf,
} from '../../src/admin/guard.js';

const token = 'token-of-the-tests';
const open: GuardRules = { host: '127.0.0.1', token: undefined, metricsPublic: false };
const closed: GuardRules = { host: '10.0.0.5', token: undefined, metricsPublic: false };
const guarded: GuardRules = { ...open, token };

/** A request as a person with curl makes it. */
const plain: RequestFacts = {
  path: '/api/calls',
  host: '127.0.0.1:9464',
  origin: undefined,
  authorization: undefined,
};

/** 200 stands for a request that may be answered. */
function statusOf(rules: GuardRules, request: Partial<RequestFacts>): number {
  return refusalOf(rules, { ...plain, ...request })?.status ?? 200;
}

describe('the address it listens on', () => {
  it.each(['127.0.0.1', '127.0.0.2', '127.255.255.255', '::1', 'localhost', 'LocalHost'])(
    '%s is loopback',
    (host) => expect(isLoopback(host)).toBe(true),
  );

  it.each([
    ...['0.0.0.0', '::', '10.0.0.5', '128.0.0.1', '1.127.0.1', '::2', 'fe80::1'],
    ...['127.example.com', '127.0.0.1.example.com', 'localhost.example.com', '127', ''],
  ])('%j is not', (host) => expect(isLoopback(host)).toBe(false));
});

describe('a token', () => {
  const paths = ['/metrics', '/api/calls', '/api/reload', '/', '/nothing', '/livez/', '/readyz2'];

  it.each(paths)('is needed for %s, on loopback and elsewhere', (path) => {
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      const rules = { ...guarded, host };
      expect(statusOf(rules, { path })).toBe(401);
      expect(statusOf(rules, { path, authorization: `Bearer ${token}` })).toBe(200);
    }
  });

  it.each(['/livez', '/readyz'])('is never needed for %s', (path) => {
    for (const rules of [open, closed, guarded, { ...closed, token }]) {
      expect(statusOf(rules, { path })).toBe(200);
      expect(statusOf(rules, { path, authorization: 'Bearer wrong' })).toBe(200);
    }
  });

  it.each([
    ...['', 'Bearer', 'Bearer ', token, `Basic ${token}`, `Bearer${token}`, `Bearer ${token}x`],
    ...[`Bearer ${token.slice(1)}`, `Bearer ${token.toUpperCase()}`, `Bearer ${token} ${token}`],
    ...[`x Bearer ${token}`, `Bearer ${token}\u0000`, `Bearer ${'x'.repeat(10_000)}`],
  ])('is not this: %j', (authorization) => {
    expect(statusOf(guarded, { authorization })).toBe(401);
  });

  it.each([`bearer ${token}`, `BEARER ${token}`, `Bearer   ${token}`])(
    'may be sent as %j',
    (authorization) => expect(statusOf(guarded, { authorization })).toBe(200),
  );

  it('is in no refusal, neither the right one nor the one that was sent', () => {
    for (const authorization of [undefined, 'Bearer mistyped', token]) {
      const { error = '' } = refusalOf(guarded, { ...plain, authorization }) ?? {};
      expect(error).toContain('ADMIN_TOKEN');
      expect(error).not.toContain(token);
      expect(error).not.toContain('mistyped');
    }
  });
});

describe('without a token', () => {
  it.each(['/metrics', '/api/calls', '/nothing'])(
    '%s is open on loopback, and closed elsewhere with the remedy',
    (path) => {
      for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) {
        expect(statusOf({ ...open, host }, { path })).toBe(200);
      }
      for (const host of ['0.0.0.0', '::', '10.0.0.5', 'gateway.example.com']) {
        const refusal = refusalOf({ ...closed, host }, { ...plain, path });
        expect(refusal).toEqual({
          status: 401,
          error: expect.stringMatching(`${host} is no loopback address.*set ADMIN_TOKEN`),
        });
      }
    },
  );

  it('none is right', () => {
    for (const sent of ['', 'undefined', token]) {
      expect(statusOf(closed, { authorization: `Bearer ${sent}` })).toBe(401);
    }
  });
});

describe('public metrics', () => {
  it('need no token, and open nothing else', () => {
    for (const rules of [guarded, closed, { ...closed, token }]) {
      const isPublic = { ...rules, metricsPublic: true };
      expect(statusOf(isPublic, { path: '/metrics' })).toBe(200);
      for (const path of ['/api/calls', '/metrics/', '/metrics2', '/']) {
        expect(statusOf(isPublic, { path }), path).toBe(401);
      }
    }
  });

  it('are not those of a web page, or of another name for this machine', () => {
    const isPublic = { ...open, metricsPublic: true };
    expect(statusOf(isPublic, { path: '/metrics', host: 'evil.example' })).toBe(421);
    expect(statusOf(isPublic, { path: '/metrics', origin: 'http://evil.example' })).toBe(403);
  });
});

describe('on loopback, the Host', () => {
  it.each([
    ...['localhost', 'localhost:9464', 'LOCALHOST:1', '127.0.0.1', '127.0.0.1:9464'],
    ...['127.9.8.7:80', '[::1]', '[::1]:9464'],
  ])('may be %s', (host) => expect(statusOf(open, { host })).toBe(200));

  const foreign = [
    ...[undefined, '', 'evil.example', 'evil.example:9464', '127.0.0.1.evil.example', 'x127.0.0.1'],
    ...['localhost.evil.example', 'evil.example/localhost', 'localhost@evil.example', '10.0.0.5'],
    ...[
      'evil.example:localhost',
      'localhost:x',
      'localhost:',
      '::1',
      '[::2]',
      '127.0.0',
      '0.0.0.0',
    ],
    ...['localhost\nx', 'localhost localhost'],
  ];

  it.each(foreign)('may not be %j', (host) => {
    const refusal = refusalOf(open, { ...plain, host });
    expect(refusal).toEqual({ status: 421, error: expect.stringContaining('localhost') });
  });

  it('counts with the right token too', () => {
    const authorization = `Bearer ${token}`;
    expect(statusOf(guarded, { authorization })).toBe(200);
    expect(statusOf(guarded, { authorization, host: 'evil.example' })).toBe(421);
  });

  it.each(['/livez', '/readyz'])('is any for %s', (path) => {
    for (const host of foreign) expect(statusOf(open, { path, host })).toBe(200);
  });

  it('is any elsewhere: there the token decides', () => {
    const authorization = `Bearer ${token}`;
    const rules = { ...closed, token };
    for (const host of foreign) expect(statusOf(rules, { host, authorization })).toBe(200);
  });
});

describe('on loopback, an Origin', () => {
  it.each([
    ...['http://localhost', 'http://localhost:3000', 'https://localhost:3000'],
    ...['http://127.0.0.1:9464', 'http://[::1]:9464'],
  ])('may be %s', (origin) => expect(statusOf(open, { origin })).toBe(200));

  const foreign = [
    ...['', 'null', 'http://evil.example', 'https://evil.example:9464', 'file://', 'localhost'],
    ...['http://localhost.evil.example', 'http://127.0.0.1.evil.example', 'http://10.0.0.5'],
    ...['http://localhost@evil.example', 'http://localhost, http://evil.example'],
    ...['http://evil.example, http://localhost', 'xhttp://localhost', 'http://localhost/'],
  ];

  it.each(foreign)('may not be %j, whatever is asked', (origin) => {
    for (const path of ['/api/reload', '/metrics', '/readyz']) {
      expect(statusOf(open, { path, origin })).toBe(403);
    }
    expect(statusOf(guarded, { origin, authorization: `Bearer ${token}` })).toBe(403);
  });

  it('is any elsewhere: a page has no token', () => {
    const rules = { ...closed, token };
    for (const origin of foreign) {
      expect(statusOf(rules, { origin })).toBe(401);
      expect(statusOf(rules, { origin, authorization: `Bearer ${token}` })).toBe(200);
    }
  });
});
