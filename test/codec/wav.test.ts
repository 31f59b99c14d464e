import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { encodeMulaw } from '../../src/codec/g711.js';
import { bytesFromPcm, parseWav, readWav, wavBytes } from '../../src/codec/wav.js';
import { GatewayError } from '../../src/errors.js';
import { audioRates } from '../../src/limits.js';

interface Header {
  code?: number;
  channels?: number;
  rateHz?: number;
  bits?: number;
}

function chunk(name: string, body: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.write(name, 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
}

function formatBody({ code = 1, channels = 1, rateHz = 8_000, bits = 16 }: Header): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt16LE(code, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(rateHz, 4);
  body.writeUInt32LE((rateHz * channels * bits) / 8, 8);
  body.writeUInt16LE((channels * bits) / 8, 12);
  body.writeUInt16LE(bits, 14);
  return body;
}

function riff(...chunks: Buffer[]): Buffer {
  return chunk('RIFF', Buffer.concat([Buffer.from('WAVE'), ...chunks]));
}

const samples = Int16Array.of(0, 1, -1, 32_767, -32_768, 1_234);

function refusal(file: Uint8Array): string {
  try {
    parseWav(file);
  } catch (error) {
    expect(error).toBeInstanceOf(GatewayError);
    expect((error as GatewayError).code).toBe('BAD_WAV');
    return (error as GatewayError).message;
  }
  throw new Error('the file was taken');
}

describe('a WAV file', () => {
  it.each(audioRates)('comes back as it was written at %i Hz', (rateHz) => {
    expect(parseWav(wavBytes({ rateHz, samples }))).toEqual({ rateHz, samples });
  });

  it('may be µ-law', () => {
    const data = encodeMulaw(samples);
    const file = riff(chunk('fmt ', formatBody({ code: 7, bits: 8 })), chunk('data', data));
    expect(encodeMulaw(parseWav(file).samples)).toEqual(data);
  });

  it('may be WAVE_FORMAT_EXTENSIBLE around PCM', () => {
    const body = Buffer.concat([formatBody({ code: 0xfffe }), Buffer.alloc(24)]);
    body.writeUInt16LE(22, 16);
    body.writeUInt16LE(1, 24);
    const file = riff(chunk('fmt ', body), chunk('data', Buffer.from(bytesFromPcm(samples))));
    expect(parseWav(file).samples).toEqual(samples);
  });

  it('may have 24 bits, which are rounded to 16', () => {
    const values = [0, 256, -256, 127, 128, -129, 0x7fffff, -0x800000];
    const data = Buffer.alloc(values.length * 3 + 2);
    for (const [i, value] of values.entries()) data.writeIntLE(value, 3 * i, 3);
    const file = riff(chunk('fmt ', formatBody({ bits: 24 })), chunk('data', data));
    expect([...parseWav(file).samples]).toEqual([0, 1, -1, 0, 1, -1, 32_767, -32_768]);
  });

  it.each([
    ['16-bit', {}, Buffer.from(bytesFromPcm(Int16Array.of(100, 300, -5, -8, 32_767, 32_767, 9)))],
    ['µ-law', { code: 7, bits: 8 }, Buffer.from([0xff, 0xff, 0x80, 0x80])],
  ])('may be %s stereo, of which the mean is taken', (name, header, data) => {
    const file = riff(chunk('fmt ', formatBody({ ...header, channels: 2 })), chunk('data', data));
    const expected = name === 'µ-law' ? [0, 32_124] : [200, -6, 32_767];
    expect([...parseWav(file).samples]).toEqual(expected);
  });

  it('may have unknown chunks of odd length anywhere', () => {
    const odd = chunk('LIST', Buffer.from('odd'));
    const data = chunk('data', Buffer.from(bytesFromPcm(samples)));
    const file = riff(odd, chunk('fmt ', formatBody({})), odd, data, odd);
    expect(parseWav(file).samples).toEqual(samples);
  });

  it('may be cut off within its data', () => {
    const file = wavBytes({ rateHz: 8_000, samples });
    expect(parseWav(file.subarray(0, file.length - 5)).samples).toEqual(samples.slice(0, 3));
  });

  it.each([
    [{ channels: 3 }, /found 16-bit PCM, 3 channel/],
    [{ bits: 32 }, /found 32-bit PCM/],
    [{ bits: 8 }, /found 8-bit PCM/],
    [{ code: 3, bits: 32 }, /found 32-bit floating point/],
    [{ code: 6, bits: 8 }, /found 8-bit A-law/],
    [{ rateHz: 11_025 }, /11025 Hz/],
  ])('is refused as %o with what was found and what it needs', (header, found) => {
    const file = riff(chunk('fmt ', formatBody(header)), chunk('data', Buffer.alloc(32)));
    expect(refusal(file)).toMatch(found);
    expect(refusal(file)).toMatch(
      /needs 16-bit or 24-bit PCM or µ-law, mono or stereo, at 8, 16, 22.05, 24, 32, 44.1 or 48 kHz; e.g. `sox/,
    );
  });

  it('is refused when it is something else, empty or out of order', () => {
    const format = chunk('fmt ', formatBody({}));
    expect(refusal(Buffer.from('ID3 an mp3 file'))).toMatch(/^not a WAV file/);
    expect(refusal(Buffer.alloc(0))).toMatch(/^not a WAV file/);
    expect(refusal(riff(format))).toMatch(/without a data chunk/);
    expect(refusal(riff(format, chunk('data', Buffer.alloc(0))))).toMatch(/without samples/);
    expect(refusal(riff(chunk('data', Buffer.alloc(8)), format))).toMatch(/data comes before/);
  });

  it('is refused by name when it cannot be read', async () => {
    await expect(readWav('/no/such/file.wav')).rejects.toThrow(/cannot read \/no\/such\/file.wav/);
  });
});

describe('the fixtures', () => {
  it.each([
    ['speech.wav', 8_000, 6, 8],
    ['speech-16k.wav', 16_000, 4, 6],
  ])('%s is real speech at %i Hz', async (name, rateHz, secondsMin, secondsMax) => {
    const path = fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
    const wav = await readWav(path);
    const peak = wav.samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    expect(wav.rateHz).toBe(rateHz);
    expect(wav.samples.length / rateHz).toBeGreaterThan(secondsMin - 1);
    expect(wav.samples.length / rateHz).toBeLessThan(secondsMax);
    expect(20 * Math.log10(peak / 32_768)).toBeCloseTo(-3, 1);
  });
});
