import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/errors.js';
import { basicAuthorization, callUrl, hangupVerdict, transferBody } from '../../src/plivo/rest.js';

const api = 'https://api.plivo.com';
const account = 'MAEXAMPLE0000000000A';
const safe = /^[A-Za-z0-9_-]{1,128}$/;

describe('the URL of a call', () => {
  it('names the account and the call and ends with a slash', () => {
    expect(callUrl(api, account, '6f1c2b7e-0c41-4d0e-9a55-3b1f0e7f1a01')).toBe(
      `${api}/v1/Account/${account}/Call/6f1c2b7e-0c41-4d0e-9a55-3b1f0e7f1a01/`,
    );
    expect(callUrl(`${api}//`, account, 'a')).toBe(`${api}/v1/Account/${account}/Call/a/`);
    expect(callUrl('http://proxy:1/plivo', account, 'a')).toContain('proxy:1/plivo/v1/Account/');
  });

  // An empty id, or one that a URL parser makes empty, would hang up every call of the account.
  it.each([
    ...['', '.', '..', '...', '/', '//', 'a/b', 'a/', '/a', 'a/..', '../x', '%2e', '%2E%2e', '%2f'],
    ...[
      '%',
      '?',
      '#',
      'a?b',
      'a#b',
      ' ',
      'a ',
      ' a',
      '\t',
      'a\n',
      '\n',
      'a\u0000',
      '\\',
      'a\\b',
      ';',
    ],
    ...[
      'ä',
      '．',
      '‥',
      'а',
      '\u200b',
      '\ud800',
      '🙂',
      'a:b',
      'a@b',
      '*',
      'a,b',
      'a<b',
      '"',
      'null ',
    ],
    'x'.repeat(129),
  ])('cannot be built for the id %j', (id) => {
    const build = () => callUrl(api, account, id);
    expect(build).toThrow(GatewayError);
    expect(build).toThrow(expect.objectContaining({ code: 'BAD_CALL_ID' }));
  });

  it('can be built for the longest id', () => {
    expect(callUrl(api, account, 'x'.repeat(128))).toContain('x'.repeat(128));
  });

  it('is one call’s own for any id that is taken, as a URL parser reads it', () => {
    const id = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/),
      fc.string({ unit: 'binary', maxLength: 10 }),
      fc.string({
        unit: fc.constantFrom('.', '/', '%', '2', 'e', 'f', 'a', '-', '_'),
        maxLength: 6,
      }),
    );
    fc.assert(
      fc.property(id, (callId) => {
        if (!safe.test(callId)) {
          expect(() => callUrl(api, account, callId)).toThrow(GatewayError);
          return;
        }
        const { pathname, search, hash, origin } = new URL(callUrl(api, account, callId));
        expect(pathname).toBe(`/v1/Account/${account}/Call/${callId}/`);
        expect([origin, search, hash]).toEqual([api, '', '']);
      }),
      { seed: 5, numRuns: 3_000 },
    );
  });

  it('does not repeat an endless id in its complaint', () => {
    expect(() => callUrl(api, account, '/'.repeat(100_000))).toThrow(/^.{1,200}$/);
  });
});

describe('an answer to a hang-up', () => {
  it.each([
    ['confirmed', [200, 202, 204]],
    ['already-ended', [404]],
    ['retry', [429, 500, 502, 503, 504, 599]],
    ['unauthorized', [401, 403]],
    ['refused', [201, 207, 301, 302, 400, 405, 409, 422]],
  ] as const)('is %s for the statuses %j', (verdict, statuses) => {
    for (const status of statuses)
      expect([status, hangupVerdict(status)]).toEqual([status, verdict]);
  });

  it('is retried only where trying again can help', () => {
    for (let status = 100; status < 600; status += 1) {
      expect(hangupVerdict(status) === 'retry').toBe(status === 429 || status >= 500);
    }
  });
});

describe('a request to Plivo', () => {
  it('authorizes with id and token in UTF-8', () => {
    const value = basicAuthorization({ authId: 'MA1', authToken: 'tök:en' });
    expect(Buffer.from(value.slice('Basic '.length), 'base64').toString('utf8')).toBe('MA1:tök:en');
  });

  it('transfers the caller’s leg', () => {
    expect(JSON.parse(transferBody('https://x/?a="1"'))).toEqual({
      legs: 'aleg',
      aleg_url: 'https://x/?a="1"',
      aleg_method: 'POST',
    });
  });
});
