import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as reference from './reference.js';
import { noise, Workspace } from './workspace.js';

const workspace = new Workspace();
const { kernel } = workspace;
const seed = 20_260;

function decode(text: Uint8Array | string, shift = 0): Uint8Array | undefined {
  const input = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
  // Rubbish behind a -1 is allowed, but only as much as a right text would have needed.
  const room = reference.decodeBase64(input)?.length ?? Math.floor((input.length * 3) / 4);
  const { result, output } = workspace.run(
    input,
    () => room,
    (source, target) => kernel.decodeBase64(source, input.length, target),
    shift,
  );
  if (result < 0) return undefined;
  expect(result).toBe(room);
  return output;
}

function encode(bytes: Uint8Array, shift = 0): string {
  const { output } = workspace.run(
    bytes,
    (result) => result,
    (source, target) => kernel.encodeBase64(source, bytes.length, target),
    shift,
  );
  return Buffer.from(output).toString('latin1');
}

function bytesOf(count: number): Uint8Array {
  return Uint8Array.from(noise(count, count + 1), (sample) => sample & 0xff);
}

describe('base64 encoding', () => {
  it('equals Buffer and the reference for every length up to 400', () => {
    for (let count = 0; count <= 400; count += 1) {
      const bytes = bytesOf(count);
      const text = encode(bytes);
      expect(text).toBe(Buffer.from(bytes).toString('base64'));
      expect(text).toBe(reference.encodeBase64(bytes));
    }
  });

  it('equals the reference on random bytes at any place', () => {
    const property = fc.property(
      fc.uint8Array({ maxLength: 500 }),
      fc.nat(15),
      (bytes, shift) => encode(bytes, shift) === reference.encodeBase64(bytes),
    );
    fc.assert(property, { seed, numRuns: 300 });
  });
});

describe('base64 decoding', () => {
  it('gives back what was encoded, for every length up to 400, padded or not', () => {
    for (let count = 0; count <= 400; count += 1) {
      const bytes = bytesOf(count);
      const text = Buffer.from(bytes).toString('base64');
      expect(decode(text), text).toEqual(bytes);
      expect(decode(text.replaceAll('=', '')), text).toEqual(bytes);
    }
  });

  it('equals the reference on random text at any place', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 500 }), fc.nat(15), (bytes, shift) => {
      expect(decode(Buffer.from(bytes).toString('base64'), shift)).toEqual(bytes);
      expect(decode(bytes, shift)).toEqual(reference.decodeBase64(bytes));
    });
    fc.assert(property, { seed, numRuns: 300 });
  });

  it('refuses every byte outside the alphabet at every position, and no byte inside it', () => {
    for (const length of [4, 16, 36, 70]) {
      const text = Buffer.from(bytesOf(60)).toString('base64').slice(0, length);
      for (let position = 0; position < length; position += 1) {
        for (let byte = 0; byte < 256; byte += 1) {
          const changed = Buffer.from(text, 'latin1');
          changed[position] = byte;
          const inAlphabet = /[A-Za-z0-9+/]/.test(String.fromCharCode(byte));
          const isPadding = byte === 61 && length % 4 === 0 && position === length - 1;
          if ((decode(changed) !== undefined) === (inAlphabet || isPadding)) continue;
          expect.fail(`byte ${byte} at ${position} of ${length}`);
        }
      }
    }
  });

  it('takes padding only where it completes the last group of four', () => {
    for (const right of ['', 'QQ==', 'QUI=', 'QUJD', 'QQ', 'QUI', 'QUJDQQ==', 'QUJDQUI']) {
      expect(decode(right), right).toEqual(new Uint8Array(Buffer.from(right, 'base64')));
    }
    for (const wrong of [
      '=',
      '==',
      '===',
      '====',
      'Q',
      'Q=',
      'Q==',
      'Q===',
      'QQ=',
      'QQ===',
      'QUI==',
      'QUJD=',
      'QUJD====',
      'QQ==QUJD',
      'QU=D',
      '=UJD',
      'QUJDQ',
      'QUJDQ===',
      ' QUJ',
      'QUJ\n',
    ]) {
      expect(decode(wrong), wrong).toBeUndefined();
      const long = 'QUJD'.repeat(20) + wrong;
      expect(decode(long), long).toBeUndefined();
    }
  });

  it('does not take the URL-safe alphabet', () => {
    for (const text of ['QU-D', 'QU_D', `${'QUJD'.repeat(8)}QU-_`])
      expect(decode(text)).toBeUndefined();
  });

  it('does not mind spare bits in a short last group', () => {
    expect(decode('QR==')).toEqual(Uint8Array.of(0x41));
    expect(decode('QUJ')).toEqual(Uint8Array.of(0x41, 0x42));
  });
});
