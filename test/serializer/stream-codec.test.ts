import { describe, expect, it } from 'vitest';
import { decodeMulaw, encodeMulaw } from '../../src/codec/g711.js';
import { Kernel } from '../../src/codec/kernel.js';
import { GatewayError } from '../../src/errors.js';
import { audioRates } from '../../src/limits.js';
import type { MediaFormat, Track } from '../../src/plivo/messages.js';
import { encodeSamplesMax, Scratch, StreamCodec } from '../../src/serializer/stream-codec.js';
import { sine, toneSnrDb } from './tone.js';

const formats: readonly MediaFormat[] = [
  { encoding: 'mulaw', sampleRate: 8_000 },
  { encoding: 'l16', sampleRate: 8_000 },
  { encoding: 'l16', sampleRate: 16_000 },
  { encoding: 'l16', sampleRate: 24_000 },
];
const pairs = formats.flatMap((format) =>
  audioRates.map((rate) => [`${format.encoding} ${format.sampleRate}`, rate, format] as const),
);
const hertz = 440;
const scratch = new Scratch(new Kernel());
const mulaw8 = formats[0]!;
const l16 = formats[2]!;

/** Samples at the stream's rate as wire bytes, by code of the load tool's own. */
function wireOf(samples: Int16Array, { encoding }: MediaFormat): Uint8Array {
  return encoding === 'mulaw' ? encodeMulaw(samples) : new Uint8Array(samples.buffer.slice(0));
}

function samplesOf(wire: Uint8Array, { encoding }: MediaFormat): Int16Array {
  return encoding === 'mulaw' ? decodeMulaw(wire) : new Int16Array(wire.slice().buffer);
}

/** One payload of Plivo's through the codec: the samples, or -1. */
function decode(codec: StreamCodec, wire: Uint8Array, track: Track = 'inbound'): Int16Array | -1 {
  return decodeText(codec, Buffer.from(wire).toString('base64'), track);
}

function decodeText(codec: StreamCodec, text: string, track: Track = 'inbound'): Int16Array | -1 {
  const count = codec.decode(scratch.textAt, scratch.write(text), track);
  return count < 0 ? -1 : scratch.samples(count).slice();
}

function encode(codec: StreamCodec, samples: Int16Array): Uint8Array {
  scratch.kernel.samples.set(samples, scratch.samplesAt >> 1);
  return wireBytes(codec.encode(samples.length));
}

function wireBytes(count: number): Uint8Array {
  return scratch.kernel.bytes.slice(scratch.wireAt, scratch.wireAt + count);
}

function joined(parts: readonly (Int16Array | -1)[]): Int16Array {
  return Int16Array.from(parts.flatMap((part) => [...(part as Int16Array)]));
}

describe.each(pairs)('a %s stream and an application at %d Hz', (_name, rate, format) => {
  const packet = (format.sampleRate * 20) / 1_000;
  const minimumDb = format.encoding === 'mulaw' ? 35 : 60;

  it('gives the application every packet of a caller at once, in its own rate, and sounding the same', () => {
    const codec = new StreamCodec(scratch, format, rate);
    const spoken = sine(packet * 25, hertz, format.sampleRate);
    const heard: Int16Array[] = [];
    let count = 0;
    for (let at = 0; at < spoken.length; at += packet) {
      const samples = decode(codec, wireOf(spoken.slice(at, at + packet), format)) as Int16Array;
      heard.push(samples);
      count += samples.length;
      expect(count).toBe(Math.ceil(((at + packet) * rate) / format.sampleRate));
    }
    const settled = joined(heard).subarray(rate / 50);
    expect(toneSnrDb(settled, hertz, rate)).toBeGreaterThan(minimumDb);
    if (rate === format.sampleRate) {
      expect(joined(heard)).toEqual(samplesOf(wireOf(spoken, format), format));
    }
    codec.close();
  });

  it('gives Plivo what the application plays, tail and all, sounding the same', () => {
    const codec = new StreamCodec(scratch, format, rate);
    const played = sine(rate / 2, hertz, rate);
    const wire: Uint8Array[] = [];
    for (let at = 0; at < played.length; at += encodeSamplesMax) {
      wire.push(encode(codec, played.slice(at, at + encodeSamplesMax)));
    }
    const before = Buffer.concat(wire).length;
    const tail = wireBytes(codec.flush());
    const heard = samplesOf(Buffer.concat([...wire, tail]), format);
    const bytesPerSample = format.encoding === 'l16' ? 2 : 1;
    expect(before).toBe((format.sampleRate / 2) * bytesPerSample);
    expect(tail.length / codec.bytesPerMs).toBeLessThanOrEqual(5);
    const settled = heard.subarray(format.sampleRate / 50, -format.sampleRate / 50);
    expect(toneSnrDb(settled, hertz, format.sampleRate)).toBeGreaterThan(minimumDb);
    codec.close();
  });
});

describe('the codec of a stream', () => {
  it('passes all 256 µ-law codes untouched where the rates are the same, but for the second nought', () => {
    const codec = new StreamCodec(scratch, mulaw8, 8_000);
    const codes = Uint8Array.from({ length: 256 }, (_, code) => code);
    const back = encode(codec, decode(codec, codes) as Int16Array);
    expect([...back]).toEqual([...codes].map((code) => (code === 0x7f ? 0xff : code)));
    codec.close();
  });

  it('reads and writes L16 with the low byte first', () => {
    const codec = new StreamCodec(scratch, l16, 16_000);
    expect(decode(codec, Uint8Array.of(0x34, 0x12, 0x00, 0x80))).toEqual(
      Int16Array.of(0x1234, -32_768),
    );
    expect(encode(codec, Int16Array.of(0x1234, -2))).toEqual(Uint8Array.of(0x34, 0x12, 0xfe, 0xff));
    codec.close();
  });

  it('refuses bad base64 and half a sample, and goes on as if they had not come', () => {
    for (const [format, rate] of [
      [mulaw8, 16_000],
      [l16, 8_000],
      [l16, 16_000],
    ] as const) {
      const codec = new StreamCodec(scratch, format, rate);
      const twin = new StreamCodec(scratch, format, rate);
      const packet = wireOf(sine(160, hertz, 8_000), format);
      expect(decode(codec, packet)).toEqual(decode(twin, packet));
      for (const bad of ['A', '====', 'AA=A', 'AAAA!AAA', 'ääää', '\u0000AAA']) {
        expect([bad, decodeText(codec, bad)]).toEqual([bad, -1]);
      }
      if (format.encoding === 'l16') expect(decode(codec, Uint8Array.of(1, 2, 3))).toBe(-1);
      expect(decode(codec, packet)).toEqual(decode(twin, packet));
      codec.close();
      twin.close();
    }
  });

  it('takes an empty payload for no sound', () => {
    const codec = new StreamCodec(scratch, mulaw8, 16_000);
    expect(decodeText(codec, '')).toHaveLength(0);
    codec.close();
  });

  it('keeps the two tracks apart', () => {
    const both = new StreamCodec(scratch, mulaw8, 16_000);
    const caller = new StreamCodec(scratch, mulaw8, 16_000);
    const plivo = new StreamCodec(scratch, mulaw8, 16_000);
    for (let turn = 0; turn < 5; turn += 1) {
      const [low, high] = [300, 900].map((tone) => encodeMulaw(sine(160, tone + turn, 8_000)));
      expect(decode(both, low!)).toEqual(decode(caller, low!));
      expect(decode(both, high!, 'outbound')).toEqual(decode(plivo, high!));
    }
    for (const codec of [both, caller, plivo]) codec.close();
  });

  it('forgets what the encoder held after a clear', () => {
    const codec = new StreamCodec(scratch, mulaw8, 48_000);
    encode(codec, sine(960, 1_000, 48_000, 30_000));
    codec.clear();
    expect(codec.flush()).toBe(0);
    const fresh = new StreamCodec(scratch, mulaw8, 48_000);
    const speech = sine(960, hertz, 48_000);
    expect(encode(codec, speech)).toEqual(encode(fresh, speech));
    codec.close();
    fresh.close();
  });

  it('goes on at the old rate when the new one is not supported', () => {
    const codec = new StreamCodec(scratch, mulaw8, 16_000);
    expect(codec.changesRate(16_000)).toBe(false);
    expect(codec.changesRate(24_000)).toBe(true);
    expect(() => codec.setRate(11_025)).toThrow(GatewayError);
    expect(codec.changesRate(16_000)).toBe(false);
    expect(encode(codec, new Int16Array(320))).toHaveLength(160);
    codec.setRate(24_000);
    expect(encode(codec, new Int16Array(480))).toHaveLength(160);
    codec.setRate(8_000);
    expect(encode(codec, new Int16Array(160))).toHaveLength(160);
    codec.close();
  });

  it('takes the largest message there can be, at the rates that stretch it most', () => {
    const wire = new Uint8Array(48 * 1_024).fill(0xff);
    const codec = new StreamCodec(scratch, mulaw8, 48_000);
    expect(decode(codec, wire)).toHaveLength(wire.length * 6);
    codec.close();
  });

  it('gives all of its room back when it closes, or when it cannot be opened', () => {
    for (let i = 0; i < 5_000; i += 1) {
      const codec = new StreamCodec(scratch, mulaw8, 48_000);
      decode(codec, Uint8Array.of(1), 'outbound');
      codec.setRate(24_000);
      codec.close();
      codec.close();
      expect(() => new StreamCodec(scratch, mulaw8, 12_345)).toThrow(GatewayError);
    }
  });

  it('hands out samples that are not in shared memory, valid until the next message', () => {
    const codec = new StreamCodec(scratch, mulaw8, 8_000);
    decode(codec, new Uint8Array(160).fill(0x10));
    const samples = scratch.samples(160);
    expect(samples.buffer).not.toBeInstanceOf(SharedArrayBuffer);
    expect(scratch.samples(160)).toBe(samples);
    expect(scratch.samples(5_000)).toHaveLength(5_000);
    codec.close();
  });
});
