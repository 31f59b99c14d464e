import { describe, expect, it } from 'vitest';
import type { RouteConfig } from '../../src/config/types.js';
import { explainRoutes } from '../../src/route-test-command.js';
import { matchRoute, normalNumber } from '../../src/routing/route-table.js';

function route(criteria: Partial<RouteConfig>): RouteConfig {
  return {
    name: 'r',
    to: [],
    from: [],
    query: {},
    handler: { kind: 'builtin', name: 'echo' },
    sampleRate: 16_000,
    onStreamLost: 'hangup',
    stream: { contentType: 'audio/x-mulaw;rate=8000', after: { kind: 'hangup' } },
    ...criteria,
  };
}

const query: Readonly<Record<string, string>> = { direction: 'inbound', tenant: 'acme' };
const facts = { path: '/stream', from: '15551234567', to: '15559876543', query };
const matches = (criteria: Parameters<typeof route>[0], changed: Partial<typeof facts> = {}) =>
  matchRoute([route(criteria)], { ...facts, ...changed }) === 0;

describe('a route', () => {
  it('of an account takes its calls, and those of which the account is not known', () => {
    const takes = (account?: string) =>
      matchRoute([route({ account: 'sales' })], {
        ...facts,
        ...(account !== undefined && { account }),
      }) === 0;
    expect([takes('sales'), takes('default'), takes(''), takes()]).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });

  it('without criteria takes every stream, also one whose numbers are unknown', () => {
    expect(matches({})).toBe(true);
    expect(matches({}, { from: '', to: '' })).toBe(true);
  });

  it('is the first that matches, and there may be none', () => {
    const routes = [
      route({ to: ['+15550000000'] }),
      route({ path: '/ws' }),
      route({ to: ['+1555*'] }),
      route({}),
    ];
    expect(matchRoute(routes, facts)).toBe(2);
    expect(matchRoute(routes, { ...facts, path: '/ws' })).toBe(1);
    expect(matchRoute(routes, { ...facts, to: '15550000000' })).toBe(0);
    expect(matchRoute(routes, { ...facts, to: '' })).toBe(3);
    expect(matchRoute(routes.slice(0, 1), facts)).toBe(-1);
    expect(matchRoute([], facts)).toBe(-1);
  });

  it('takes a number with and without its plus, on either side', () => {
    for (const pattern of ['+15559876543', '15559876543']) {
      for (const to of ['15559876543', '+15559876543', ' 15559876543', '+1 (555) 987-6543']) {
        expect([pattern, to, matches({ to: [pattern] }, { to })]).toEqual([pattern, to, true]);
      }
    }
  });

  it('takes a SIP address by its user part', () => {
    for (const to of [
      'sip:+15559876543@phone.plivo.com',
      'SIPS:15559876543@x;user=phone',
      'sip:15559876543',
    ]) {
      expect(matches({ to: ['+15559876543'] }, { to })).toBe(true);
    }
    expect(matches({ to: ['+15559876543'] }, { to: 'sip:15559876544@x' })).toBe(false);
  });

  it('takes a whole number only as a whole', () => {
    for (const to of ['1555987654', '155598765430', '5559876543', '', '+', 'anonymous']) {
      expect([to, matches({ to: ['+15559876543'] }, { to })]).toEqual([to, false]);
    }
  });

  it('takes a prefix with and without plus, and any of several patterns', () => {
    expect(matches({ from: ['+1555*'] })).toBe(true);
    expect(matches({ from: ['1555*'] })).toBe(true);
    expect(matches({ from: ['+44*'] })).toBe(false);
    expect(matches({ from: ['+44*', '+15551234567'] })).toBe(true);
    expect(matches({ from: ['+1555*'] }, { from: '' })).toBe(false);
  });

  it('takes callers who do not show their number, under any of their names', () => {
    for (const from of ['', 'anonymous', 'Restricted', 'sip:anonymous@anonymous.invalid']) {
      expect([from, matches({ from: ['anonymous'] }, { from })]).toEqual([from, true]);
    }
    expect(matches({ from: ['anonymous'] })).toBe(false);
    expect(matches({ from: ['anonymous', '+1555*'] })).toBe(true);
  });

  it('takes a SIP user by name', () => {
    const from = 'sip:alice@phone.plivo.com';
    expect(matches({ from: ['sip:alice'] }, { from })).toBe(true);
    expect(matches({ from: ['sip:al*'] }, { from })).toBe(true);
    expect(matches({ from: ['sip:bob'] }, { from })).toBe(false);
  });

  it('takes a direction, and values of the query', () => {
    expect(matches({ direction: 'inbound' })).toBe(true);
    expect(matches({ direction: 'outbound' })).toBe(false);
    expect(matches({ direction: 'inbound' }, { query: {} })).toBe(false);
    expect(matches({ query: { tenant: 'acme' } })).toBe(true);
    expect(matches({ query: { tenant: 'acme', plan: 'x' } })).toBe(false);
    expect(matches({ query: { tenant: 'other' } })).toBe(false);
  });

  it('takes its share of the calls, and leaves the others to the next route', () => {
    const routes = [route({ share: 25, to: ['+1555*'] }), route({ share: 100 }), route({})];
    const at = (chance: number) => matchRoute(routes, facts, () => chance);
    expect([at(0), at(0.2499), at(0.25), at(0.9999)]).toEqual([0, 0, 1, 1]);
    const counts = [0, 0, 0];
    for (let i = 0; i < 10_000; i += 1) counts[matchRoute(routes, facts)]! += 1;
    expect(counts[0]).toBeGreaterThan(2_000);
    expect(counts[0]).toBeLessThan(3_000);
    expect(counts[2]).toBe(0);
  });

  it('needs all of its criteria', () => {
    const criteria = { path: '/stream', to: ['+1555*'], from: ['+1555*'] } as const;
    expect(matches(criteria)).toBe(true);
    expect(matches(criteria, { path: '/ws' })).toBe(false);
    expect(matches(criteria, { to: '44' })).toBe(false);
    expect(matches(criteria, { from: '44' })).toBe(false);
  });
});

describe('a number in normal form', () => {
  it('is its digits, and stays as it is when it is normal', () => {
    for (const number of ['+1 555-123.4567', ' +15551234567 ', 'sip:+15551234567@x']) {
      expect(normalNumber(number)).toBe('15551234567');
      expect(normalNumber(normalNumber(number))).toBe('15551234567');
    }
    expect(normalNumber('anonymous')).toBe('anonymous');
    expect(normalNumber('')).toBe('');
  });
});

describe('an explanation of the routes', () => {
  it('names the route that takes the call, and why each other does not', () => {
    const routes = [
      route({ name: 'sales', to: ['+4420*'] }),
      route({ name: 'canary', share: 5 }),
      route({ name: 'main' }),
      route({ name: 'never', handler: { kind: 'reject', why: 'closed' } }),
    ];
    expect(
      explainRoutes(routes, facts).map(({ route: name, verdict, why }) => [name, verdict, why]),
    ).toEqual([
      ['sales', 'passes', 'its to is +4420*'],
      ['canary', 'shares', 'takes 5 % of such calls'],
      ['main', 'takes', 'the first that matches'],
      ['never', 'late', 'after main'],
    ]);
  });
});
