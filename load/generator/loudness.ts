import { sampleFromMulaw } from '../../src/codec/g711.js';
import type { StreamFormat } from '../stream-format.js';

/** Samples up to this are silence: the noise of two codecs stays below. */
const silenceLevelMax = 64;

const sextetOf = new Uint8Array(256);
for (const [value, char] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries()) {
  sextetOf[char.charCodeAt(0)] = value;
}
const isLoudCode = Uint8Array.from({ length: 256 }, (_, code) =>
  Math.abs(sampleFromMulaw(code)) > silenceLevelMax ? 1 : 0,
);

/**
 * Whether there is sound in the base64 between `from` and `until`: a look at every third sample, straight at the text, for
 * it happens with half of all packets.
 */
export function isLoud(buffer: Buffer, from: number, until: number, format: StreamFormat): boolean {
  return format.sampleBytes === 1
    ? isMulawLoud(buffer, from, until)
    : isL16Loud(buffer, from, until);
}

function isMulawLoud(buffer: Buffer, from: number, until: number): boolean {
  for (let i = from; i + 4 <= until; i += 4) {
    const code = (sextetOf[buffer[i]!]! << 2) | (sextetOf[buffer[i + 1]!]! >> 4);
    if (isLoudCode[code] === 1) return true;
  }
  return false;
}

/** Two groups of base64 are three samples; the first one's bytes lie in the first group. */
function isL16Loud(buffer: Buffer, from: number, until: number): boolean {
  for (let i = from; i + 4 <= until; i += 8) {
    const [a, b, c] = [sextetOf[buffer[i]!]!, sextetOf[buffer[i + 1]!]!, sextetOf[buffer[i + 2]!]!];
    const low = (a << 2) | (b >> 4);
    const high = ((b & 0x0f) << 4) | (c >> 2);
    const sample = ((high << 24) >> 16) | low;
    if (Math.abs(sample) > silenceLevelMax) return true;
  }
  return false;
}
