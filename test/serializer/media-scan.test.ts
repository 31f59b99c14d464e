import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readMessage } from '../../src/plivo/messages.js';
import { MediaScan } from '../../src/serializer/media-scan.js';
import { anyMedia, documentedMedia } from './media-text.js';

/** What follows a message in the ring must not matter: these would complete a message cut short. */
const surroundings = ['"', '0', '}}', '"}}', ' ', ',"a":1}', '"media"', '\u0000'];

interface Found {
  readonly payload: string;
  readonly track: string;
}

/** What the scan finds in these bytes, with something in front of them and behind; undefined if it is not sure. */
function scanned(message: Uint8Array, around = ''): Found | undefined {
  const outside = Buffer.from(around.repeat(20));
  const bytes = Buffer.concat([outside, message, outside]);
  const scan = new MediaScan(bytes);
  if (!scan.scan(outside.length, message.length)) return undefined;
  return {
    payload: bytes.toString('latin1', scan.payloadAt, scan.payloadAt + scan.payloadBytes),
    track: scan.inbound ? 'inbound' : 'outbound',
  };
}

const text = (message: string, around = ''): Found | undefined =>
  scanned(Buffer.from(message), around);

/** What `JSON.parse` says of the same bytes. */
function parsed(message: string): Found | undefined {
  const read = readMessage(message);
  return read.event === 'media' ? { payload: read.payload, track: read.track } : undefined;
}

const plain =
  '{"event":"media","sequenceNumber":42,"streamId":"b4d0a9de","media":{"track":"inbound","timestamp":"1764000000820","chunk":41,"payload":"fn5+fn5+fn4="},"extra_headers":"tenant=acme;plan=gold"}';

describe('the scan for media', () => {
  it('finds the payload in the documented form, whatever the order, white space and kind of numbers', () => {
    fc.assert(
      fc.property(documentedMedia, fc.constantFrom(...surroundings), (message, around) => {
        const found = text(message, around);
        expect(found).toBeDefined();
        expect(found).toEqual(parsed(message));
      }),
      { seed: 1, numRuns: 1_000 },
    );
  });

  it('agrees with JSON.parse whenever it is sure, on sound and on broken messages', () => {
    let sure = 0;
    let broken = 0;
    fc.assert(
      fc.property(anyMedia, fc.constantFrom(...surroundings), (message, around) => {
        const found = text(message, around);
        const truth = parsed(message);
        if (truth === undefined) broken += 1;
        if (found === undefined) return;
        sure += 1;
        expect(found).toEqual(truth);
      }),
      { seed: 2, numRuns: 6_000 },
    );
    expect(sure).toBeGreaterThan(1_000);
    expect(broken).toBeGreaterThan(500);
  });

  it('agrees with JSON.parse on a message with any one byte changed, taken out or put in', () => {
    const bytes = Buffer.from(plain);
    for (let at = 0; at <= bytes.length; at += 1) {
      for (const byte of Buffer.from('{}:,"\\ 0-e\u0001\u007fü')) {
        const put = Buffer.from([byte]);
        const before = bytes.subarray(0, at);
        for (const rest of [bytes.subarray(at), bytes.subarray(at + 1)]) {
          agree(Buffer.concat([before, put, rest]));
        }
      }
      agree(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]));
    }
  });

  it('is not sure of a message cut anywhere, even where its completion lies behind it', () => {
    const bytes = Buffer.from(plain);
    for (let end = 0; end < bytes.length; end += 1) {
      const memory = new MediaScan(bytes);
      expect(memory.scan(0, end)).toBe(false);
    }
  });

  it.each([
    ['an escaped name', plain.replace('"event"', '"\\u0065vent"')],
    ['an escaped event', plain.replace('"media"', '"medi\\u0061"')],
    ['a doubled payload', plain.replace('"chunk":41', '"payload":"AAAA"')],
    ['a doubled event', plain.replace('"streamId":"b4d0a9de"', '"event":"start"')],
    ['a doubled media', plain.replace('"streamId":"b4d0a9de"', '"media":{"payload":"AAAA"}')],
    ['a doubled track', plain.replace('"chunk":41', '"track":"outbound"')],
    ['an unknown track', plain.replace('"inbound"', '"both"')],
    ['a nested value', plain.replace('42', '{"a":1}')],
    ['a null', plain.replace('"tenant=acme;plan=gold"', 'null')],
    ['a fraction', plain.replace('42', '4.2')],
    ['an exponent', plain.replace('42', '1e5')],
    ['minus nought', plain.replace('42', '-0')],
    ['a letter beyond ASCII', plain.replace('acme', 'ächme')],
    ['an escape in the payload', plain.replace('fn5+', 'fn5\\u002b')],
    ['another event', plain.replace('"media"', '"dtmf"')],
  ])('leaves a message with %s to JSON.parse', (_, message) => {
    expect(text(message)).toBeUndefined();
    expect(() => JSON.parse(message)).not.toThrow();
  });

  it.each([
    ['a leading nought', plain.replace('42', '042')],
    ['a raw control character', plain.replace('acme', 'ac\u0001me')],
    ['an escape that JSON has not', plain.replace('acme', 'ac\\xme')],
    ['a comma before the brace', plain.replace('}', ',}')],
    ['no comma', plain.replace('42,', '42 ')],
    ['a brace too many', `${plain}}`],
    ['something behind it', `${plain} x`],
    ['a byte order mark', `\ufeff${plain}`],
    ['an empty member', plain.replace('42', '')],
  ])('takes no message with %s, which is not JSON', (_, message) => {
    expect(text(message)).toBeUndefined();
    expect(() => JSON.parse(message)).toThrow();
  });

  it('finds an empty payload, and white space at both ends', () => {
    expect(text(plain.replace('fn5+fn5+fn4=', ''))).toEqual({ payload: '', track: 'inbound' });
    expect(text(` \r\n${plain}\t `)?.payload).toBe('fn5+fn5+fn4=');
  });

  it('starts anew with every message', () => {
    const both = Buffer.from(plain.replace('inbound', 'outbound') + plain);
    const scan = new MediaScan(both);
    const first = Buffer.byteLength(plain) + 1;
    expect([scan.scan(0, first), scan.inbound]).toEqual([true, false]);
    expect([scan.scan(first, both.length - first), scan.inbound]).toEqual([true, true]);
    expect(scan.scan(first, 10)).toBe(false);
  });
});

function agree(message: Buffer): void {
  const found = scanned(message, '"');
  if (found !== undefined) expect(found).toEqual(parsed(message.toString('utf8')));
}
