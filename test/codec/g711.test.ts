import { describe, expect, it } from 'vitest';
import {
  decodeMulaw,
  encodeMulaw,
  mulawFromSample,
  mulawSilence,
  sampleFromMulaw,
} from '../../src/codec/g711.js';

const codes = Uint8Array.from({ length: 256 }, (_, code) => code);

describe('µ-law', () => {
  it('decodes the corner codes of the standard table', () => {
    const corners = [0x00, 0x80, 0x7f, 0xff, 0x01, 0x70, 0xf0];
    expect(corners.map(sampleFromMulaw)).toEqual([-32_124, 32_124, 0, 0, -31_100, -120, 120]);
  });

  it('encodes the corner samples of the 14-bit Sun form', () => {
    const corners = [0, -1, 1, 32_767, -32_768, 4, -4, 1_000, -1_000];
    expect(corners.map(mulawFromSample)).toEqual([
      0xff, 0x7e, 0xff, 0x80, 0x00, 0xfe, 0x7e, 0xce, 0x4e,
    ]);
  });

  it('gives every code back, but negative zero', () => {
    const back = encodeMulaw(decodeMulaw(codes));
    expect([...back]).toEqual([...codes].map((code) => (code === 0x7f ? 0xff : code)));
  });

  it('never errs by more than half a step', () => {
    for (let sample = -32_000; sample <= 32_000; sample += 1) {
      const error = Math.abs(sampleFromMulaw(mulawFromSample(sample)) - sample);
      // Two bits are cut off before encoding, hence 3 more.
      if (error > (Math.abs(sample) + 132) / 31 + 3) throw new Error(`${sample}: ${error}`);
    }
  });

  it('keeps silence silent', () => {
    expect(sampleFromMulaw(mulawSilence)).toBe(0);
    expect(encodeMulaw(new Int16Array(3))).toEqual(Uint8Array.of(0xff, 0xff, 0xff));
  });
});
