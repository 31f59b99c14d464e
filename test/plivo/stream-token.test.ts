import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mintToken, openToken, type StreamToken, tokenKey } from '../../src/plivo/stream-token.js';

const key = tokenKey('a-secret-of-the-tests');
const other = tokenKey('another-secret-of-the-tests');
const token: StreamToken = {
  callId: '6f1c2b7e-0c41-4d0e-9a55-3b1f0e7f1a01',
  from: '+15551230000',
  to: 'sip:häns@example.com',
  query: { direction: 'inbound', tenant: 'a & b', 'SIP-H-X-PH-Plan': 'gold' },
  account: 'default',
  route: 'bots',
  issuedMs: 1_764_000_000_000,
  expiresMs: 1_764_000_060_000,
};

describe('a stream token', () => {
  it('gives back what was put into it', () => {
    const opened = openToken(mintToken(token, key), [key]);
    expect(opened.ok && { ...opened.token, query: { ...opened.token.query } }).toEqual(token);
  });

  it('is opened by any of the keys, the older ones too', () => {
    expect(openToken(mintToken(token, other), [key, other]).ok).toBe(true);
    expect(openToken(mintToken(token, other), [key])).toEqual({ ok: false, why: 'forged' });
    expect(openToken(mintToken(token, key), [])).toEqual({ ok: false, why: 'forged' });
  });

  it('shows none of its content, and is another each time', () => {
    const text = mintToken(token, key);
    const bytes = Buffer.from(text, 'base64url').toString('latin1');
    for (const part of [token.callId, '1555', 'inbound', 'gold']) expect(bytes).not.toContain(part);
    expect(mintToken(token, key)).not.toBe(text);
  });

  it('is one segment of a path', () => {
    expect(mintToken(token, key)).toMatch(/^[A-Za-z0-9_-]{100,800}$/);
  });

  it('is worth nothing with any character changed, cut, or added', () => {
    const text = mintToken(token, key);
    for (let at = 0; at < text.length; at += 1) {
      const changed = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
      expect(openToken(changed, [key]).ok, String(at)).toBe(false);
      expect(openToken(text.slice(0, at), [key]).ok, `cut at ${at}`).toBe(false);
    }
    for (const more of ['A', '=', '/', '%3D']) expect(openToken(text + more, [key]).ok).toBe(false);
  });

  it('may be anything at all: it is refused, and nothing is thrown', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
        expect(openToken(text, [key, other]).ok).toBe(false);
      }),
      { numRuns: 2_000 },
    );
    expect(openToken('A'.repeat(1_000_000), [key])).toEqual({ ok: false, why: 'malformed' });
  });

  it('of another minter may hold nonsense', () => {
    for (const nonsense of [
      { callId: '' },
      { callId: 7 },
      { from: null },
      { query: ['x'] },
      { query: { a: 1 } },
      { issuedMs: 'now' },
      { expiresMs: -1 },
    ]) {
      const made = mintToken({ ...token, ...nonsense } as unknown as StreamToken, key);
      // What is empty is left out of the content: an empty call id is none.
      expect(openToken(made, [key]), JSON.stringify(nonsense)).toMatchObject(
        'from' in nonsense ? { ok: true } : { ok: false, why: 'malformed' },
      );
    }
  });
});
