/**
 * G.711 µ-law, written plainly and apart from the gateway's codec: the other side of the wire must
 * not share its mistakes. Same form as CPython's `audioop`: 14 bits, shifted arithmetically before
 * the magnitude is taken.
 */

const bias = 33;
const clip = 8_159;
/** Largest biased magnitude of each of the eight segments. */
const segmentEnds = [0x3f, 0x7f, 0xff, 0x1ff, 0x3ff, 0x7ff, 0xfff, 0x1fff] as const;

/** The byte of digital silence (protocol section 2.2). */
export const mulawSilence = 0xff;

/** One 16-bit sample to one µ-law code. */
export function mulawFromSample(sample: number): number {
  const shifted = sample >> 2;
  const mask = shifted < 0 ? 0x7f : 0xff;
  const magnitude = Math.min(Math.abs(shifted), clip) + bias;
  const segment = segmentEnds.findIndex((end) => magnitude <= end);
  // The loudest magnitude, biased, lies just above the last segment.
  if (segment < 0) return 0x7f ^ mask;
  return ((segment << 4) | ((magnitude >> (segment + 1)) & 0x0f)) ^ mask;
}

/** One µ-law code to one 16-bit sample. */
export function sampleFromMulaw(code: number): number {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits & 0x70) >> 4)) - 0x84;
  return (bits & 0x80) === 0 ? magnitude : 0 - magnitude;
}

const codeOfSample = new Uint8Array(65_536);
for (let sample = -32_768; sample < 32_768; sample += 1) {
  codeOfSample[sample & 0xffff] = mulawFromSample(sample);
}
const sampleOfCode = Int16Array.from({ length: 256 }, (_, code) => sampleFromMulaw(code));

/** 16-bit samples to µ-law bytes, one for one. */
export function encodeMulaw(samples: Int16Array): Uint8Array {
  return Uint8Array.from(samples, (sample) => codeOfSample[sample & 0xffff] ?? 0);
}

/** µ-law bytes to 16-bit samples, one for one. */
export function decodeMulaw(bytes: Uint8Array): Int16Array {
  return Int16Array.from(bytes, (code) => sampleOfCode[code] ?? 0);
}
