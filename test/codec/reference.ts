import { designFilter } from '../../src/codec/filters.js';

/**
 * Readable twins of the kernel's functions: the same arithmetic, one sample at a time and with no
 * regard for speed. Tests hold the two equal to the bit.
 */

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The bytes of a base64 text, or undefined for bad text. */
export function decodeBase64(text: Uint8Array): Uint8Array | undefined {
  const characters = Buffer.from(text).toString('latin1');
  const data = characters.length % 4 === 0 ? characters.replace(/={1,2}$/, '') : characters;
  if (data.length % 4 === 1) return undefined;
  let bits = '';
  for (const character of data) {
    const value = alphabet.indexOf(character);
    if (value < 0) return undefined;
    bits += value.toString(2).padStart(6, '0');
  }
  const octets = bits.match(/.{8}/g) ?? [];
  return Uint8Array.from(octets, (octet) => Number.parseInt(octet, 2));
}

/** The base64 text of some bytes, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  const sextets = bits.match(/.{1,6}/g) ?? [];
  const text = sextets
    .map((sextet) => alphabet[Number.parseInt(sextet.padEnd(6, '0'), 2)])
    .join('');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

/** One µ-law code as int16. */
export function decodeMulaw(code: number): number {
  const inverted = ~code & 0xff;
  const segment = (inverted >> 4) & 7;
  const position = inverted & 15;
  const magnitude = ((2 * position + 33) << segment) - 33;
  return (inverted & 0x80 ? -magnitude : magnitude) * 4 || 0;
}

/** One int16 sample as a µ-law code: Sun's 14-bit algorithm, as in CPython's audioop. */
export function encodeMulaw(sample: number): number {
  const segmentEnds = [0x3f, 0x7f, 0xff, 0x1ff, 0x3ff, 0x7ff, 0xfff, 0x1fff];
  const shifted = sample >> 2;
  const mask = shifted < 0 ? 0x7f : 0xff;
  const magnitude = Math.min(Math.abs(shifted), 8159) + 33;
  const segment = segmentEnds.findIndex((end) => magnitude <= end);
  if (segment < 0) return 0x7f ^ mask;
  return ((segment << 4) | ((magnitude >> (segment + 1)) & 15)) ^ mask;
}

/** Output n of a stream that begins with these samples and was preceded by silence. */
function outputAt(samples: Int16Array, n: number, sourceRate: number, targetRate: number): number {
  const { phases, decimation, taps, coefficients, gain } = designFilter(sourceRate, targetRate);
  const newest = Math.floor((n * decimation) / phases);
  const phase = (n * decimation) % phases;
  let sum = 0; // below 2^53: exact
  for (let tap = 0; tap < taps; tap += 1) {
    const index = newest - taps + 1 + tap;
    if (index >= 0) sum += coefficients[phase * taps + tap]! * samples[index]!;
  }
  const reciprocal = BigInt(Math.round(2 ** 40 / gain));
  const rounded = Number((BigInt(sum) * reciprocal + (1n << 39n)) >> 40n);
  return Math.max(-32_768, Math.min(32_767, rounded));
}

/** All that comes out for all that went in. */
export function resample(samples: Int16Array, sourceRate: number, targetRate: number): Int16Array {
  const count = Math.ceil((samples.length * targetRate) / sourceRate);
  return Int16Array.from({ length: count }, (_, n) => outputAt(samples, n, sourceRate, targetRate));
}

/** The same, with the tail that a flush adds. */
export function resampleWhole(
  samples: Int16Array,
  sourceRate: number,
  targetRate: number,
): Int16Array {
  if (samples.length === 0) return samples;
  const padded = new Int16Array(
    samples.length + designFilter(sourceRate, targetRate).delaySourceSamples,
  );
  padded.set(samples);
  return resample(padded, sourceRate, targetRate);
}
