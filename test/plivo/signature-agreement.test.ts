import fc from 'fast-check';
import { validateV3Signature } from 'plivo';
import { describe, expect, it } from 'vitest';
import { type Fields, signatureV3, signerOf } from '../../src/plivo/signature.js';

/** Plivo's own SDK as the judge. */
const nonce = '05429567804466091622';

/** Its objects have names of their own for things. */
const name = fc
  .oneof(
    fc.constantFrom('CallUUID', 'From', 'a', 'A', 'é'),
    fc.string({ unit: 'grapheme', maxLength: 8 }),
  )
  .filter((text) => text !== '' && !(text in {}));
const value = fc.oneof(
  fc.constantFrom('', '+1555', 'a b', 'x&y=z?', '100%', 'häns', '😀'),
  fc.string({ unit: 'binary' }),
);
const fields = fc.array(fc.tuple(name, value), { maxLength: 6 });
const token = fc.stringMatching(/^[A-Za-z0-9]{8,40}$/);
const place = fc.constantFrom(
  ...[
    'https://voice.example.com/answer',
    'http://voice.example.com:8080/a/b',
    'https://h',
    'https://h/',
  ],
  ...['https://h:443/ws', 'https://h/ws/', 'http://voice.example.com/stream/abc_-123'],
);

const urlOf = (start: string, query: Fields) =>
  query.length === 0
    ? start
    : `${start}?${new URLSearchParams(query.map(([n, v]): [string, string] => [n, v]))}`;

/** A name that comes more than once is a list there. */
function grouped(params: Fields): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const [key, one] of params) all[key] = [...(all[key] ?? []), one];
  return all;
}

describe('signatures and Plivo’s own SDK', () => {
  it('agree on every POST: odd queries, repeated names, any characters', () => {
    fc.assert(
      fc.property(place, fields, fields, token, (start, query, params, key) => {
        const url = urlOf(start, query);
        const signature = signatureV3('POST', url, params, nonce, key);
        expect(validateV3Signature('POST', url, nonce, key, signature, grouped(params))).toBe(true);
        expect(validateV3Signature('POST', url, nonce, `${key}x`, signature, grouped(params))).toBe(
          false,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('agree on every GET', () => {
    fc.assert(
      fc.property(place, fields, token, (start, query, key) => {
        const url = urlOf(start, query);
        const signature = signatureV3('GET', url, [], nonce, key);
        expect(validateV3Signature('GET', url, nonce, key, signature)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('agree on what is no signature', () => {
    fc.assert(
      fc.property(
        place,
        fields,
        fields,
        token,
        fc.base64String(),
        (start, query, params, key, signature) => {
          const url = urlOf(start, query);
          const theirs = validateV3Signature('POST', url, nonce, key, signature, grouped(params));
          const headers = {
            'x-plivo-signature-v3': signature,
            'x-plivo-signature-v3-nonce': nonce,
          };
          const ours = signerOf({ method: 'POST', url, params, headers, tokens: [key] });
          expect(ours >= 0).toBe(theirs);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('whatever comes as a signed request', () => {
  it('is judged without a throw, and in bounded time', () => {
    const anything = fc.string({ unit: 'binary', maxLength: 400 });
    const startMs = performance.now();
    fc.assert(
      fc.property(anything, anything, anything, fields, (url, signature, ownNonce, params) => {
        const headers = {
          'x-plivo-signature-v3': signature,
          'x-plivo-signature-ma-v3': signature.repeat(20),
          'x-plivo-signature-v3-nonce': ownNonce,
        };
        for (const method of ['GET', 'POST'] as const) {
          expect(signerOf({ method, url, params, headers, tokens: ['a-token', ''] })).toBe(-1);
        }
      }),
      { numRuns: 1_000 },
    );
    expect(performance.now() - startMs).toBeLessThan(30_000);
  });
});
