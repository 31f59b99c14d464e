import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Kernel } from '../../src/codec/kernel.js';
import { readMessage } from '../../src/plivo/messages.js';
import { MediaScan } from '../../src/serializer/media-scan.js';
import { ReferenceScan } from './media-reference.js';
import { anyMedia, documentedMedia } from './media-text.js';

const kernel = new Kernel();
const scan = new MediaScan(kernel);
const at = kernel.allocate(131_072);
/** Where the kernel's memory ends. */
const memoryEnd = kernel.bytes.length;

/** What follows a message in the ring must not matter: these would complete a message cut short. */
const surroundings = ['"', '0', '}}', '"}}', ' ', ',"a":1}', '"media"', '\u0000'];

interface Found {
  readonly payload: string;
  readonly track: string;
  readonly chunk: number;
}

/**
 * What the scan finds in these bytes, with something in front of them and behind; undefined if it is not sure. Its
 * reference must find the same, and both the same at the very end of memory.
 */
function scanned(message: Uint8Array, around = ''): Found | undefined {
  const outside = Buffer.from(around.repeat(20));
  kernel.bytes.set(Buffer.concat([outside, message, outside]), at);
  const found = foundAt(scan, at + outside.length, message.length);
  const twin = new ReferenceScan(kernel.bytes);
  expect(found).toEqual(foundAt(twin, at + outside.length, message.length));
  kernel.bytes.set(message, memoryEnd - message.length);
  expect(foundAt(scan, memoryEnd - message.length, message.length)).toEqual(found);
  return found;
}

function foundAt(by: MediaScan | ReferenceScan, start: number, bytes: number): Found | undefined {
  if (!by.scan(start, bytes)) return undefined;
  expect(by.payloadAt).toBeGreaterThan(start);
  const payload = Buffer.from(kernel.bytes.slice(by.payloadAt, by.payloadAt + by.payloadBytes));
  return {
    payload: payload.toString('latin1'),
    track: by.inbound ? 'inbound' : 'outbound',
    chunk: by.chunk,
  };
}

const text = (message: string, around = ''): Found | undefined =>
  scanned(Buffer.from(message), around);

/** What `JSON.parse` says of the same bytes. */
function parsed(message: string): Found | undefined {
  const read = readMessage(message);
  return read.event === 'media'
    ? { payload: read.payload, track: read.track, chunk: read.chunk }
    : undefined;
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

  it('finds a payload of every length, and ends it at the first byte that no string may hold', () => {
    for (let length = 0; length <= 70; length += 1) {
      const payload = 'A'.repeat(length);
      const message = plain.replace('fn5+fn5+fn4=', payload);
      expect(text(message)?.payload).toBe(payload);
      for (const byte of [0x00, 0x1f, 0x22, 0x5c, 0x7f, 0x80, 0xff]) {
        const bytes = Buffer.from(message);
        const start = message.indexOf('"payload":"') + 11;
        for (let i = 0; i < length; i += 1) {
          bytes[start + i] = byte;
          expect(scanned(bytes)).toBeUndefined();
          bytes[start + i] = 0x41;
        }
      }
    }
  });

  it('takes every byte that a string may hold, at every place of a step', () => {
    for (let byte = 0x20; byte <= 0x7e; byte += 1) {
      if (byte === 0x22 || byte === 0x5c) continue;
      for (let place = 0; place < 20; place += 1) {
        const value = 'x'.repeat(place) + String.fromCharCode(byte) + 'x'.repeat(19 - place);
        expect(text(plain.replace('tenant=acme;plan=gold', value))?.payload).toBe('fn5+fn5+fn4=');
      }
    }
  });

  it('is not sure of less than nothing', () => {
    for (const bytes of [0, -1, -100, Number.NaN]) expect(scan.scan(at, bytes)).toBe(false);
  });

  it('is not sure of a message cut anywhere, even where its completion lies behind it', () => {
    const bytes = Buffer.from(plain);
    for (let end = 0; end < bytes.length; end += 1) {
      kernel.bytes.set(bytes, at);
      expect(scan.scan(at, end)).toBe(false);
      expect(scanned(bytes.subarray(0, end))).toBeUndefined();
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
    expect(text(plain.replace('fn5+fn5+fn4=', ''))).toEqual({
      payload: '',
      track: 'inbound',
      chunk: 41,
    });
    expect(text(` \r\n${plain}\t `)?.payload).toBe('fn5+fn5+fn4=');
  });

  it.each([
    ['a number', '41', 41],
    ['a number as text', '"41"', 41],
    ['nought', '0', 0],
    ['the largest that is told', '2147483647', 2_147_483_647],
    ['one larger', '2147483648', -1],
    ['one that is much too long', '123456789012345', -1],
    ['no number', '"4x"', -1],
    ['nothing', '""', -1],
  ])('tells the number of the packet: %s', (_, value, chunk) => {
    expect(text(plain.replace('"chunk":41', `"chunk":${value}`))?.chunk).toBe(chunk);
    expect(text(plain.replace('"chunk":41,', ''))?.chunk).toBe(-1);
  });

  it('starts anew with every message', () => {
    const both = Buffer.from(plain.replace('inbound', 'outbound') + plain);
    kernel.bytes.set(both, at);
    const first = Buffer.byteLength(plain) + 1;
    expect([scan.scan(at, first), scan.inbound]).toEqual([true, false]);
    expect([scan.scan(at + first, both.length - first), scan.inbound]).toEqual([true, true]);
    expect(scan.scan(at + first, 10)).toBe(false);
  });
});

function agree(message: Buffer): void {
  const found = scanned(message, '"');
  if (found !== undefined) expect(found).toEqual(parsed(message.toString('utf8')));
}
