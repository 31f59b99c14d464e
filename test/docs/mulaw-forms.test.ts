import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { Kernel } from '../../src/codec/kernel.js';

const kernel = new Kernel();
const samples = Int16Array.from({ length: 65_536 }, (_, i) => i - 32_768);
const source = kernel.allocate(samples.byteLength);
const target = kernel.allocate(samples.length);
kernel.samples.set(samples, source / 2);
kernel.encodeMulaw(source, samples.length, target);
const codes = kernel.bytes.slice(target, target + samples.length);

/** The form found in most libraries. */
function encode16(sample: number): number {
  const magnitude = Math.min(Math.abs(sample), 32_635) + 132;
  const segment = 24 - Math.clz32(magnitude);
  const position = (magnitude >> (segment + 3)) & 15;
  return ~((sample < 0 ? 0x80 : 0) | (segment << 4) | position) & 0xff;
}

/** Codes in the order of their values; the two zeros are one. */
const rank = (code: number): number => (code & 0x80 ? 0xff - code : code - 0x7f);

/** Samples that get another code, and how far apart the codes are at most. */
function differences(others: Uint8Array): { readonly at: number[]; readonly distance: number } {
  const at = [...samples.keys()].filter((i) => codes[i] !== others[i]);
  return {
    at: at.map((i) => samples[i]!),
    distance: Math.max(...at.map((i) => Math.abs(rank(codes[i]!) - rank(others[i]!)))),
  };
}

describe('the 14-bit form of µ-law', () => {
  it('differs from the 16-bit form in 381 samples, all negative, by one code', () => {
    const { at, distance } = differences(Uint8Array.from(samples, encode16));
    expect(at).toHaveLength(381);
    expect(at.every((sample) => sample < 0)).toBe(true);
    expect(distance).toBe(1);
  });

  it.runIf(spawnSync('sox', ['--version']).status === 0)(
    'differs from SoX in 508 samples, none a multiple of four, by one code',
    () => {
      const linear = ['-t', 'raw', '-r', '8000', '-c', '1', '-e', 'signed', '-b', '16', '-'];
      const mulaw = ['-t', 'raw', '-r', '8000', '-c', '1', '-e', 'mu-law', '-b', '8', '-'];
      const input = new Uint8Array(samples.buffer);
      const { stdout } = spawnSync('sox', ['-D', ...linear, ...mulaw], { input });
      const { at, distance } = differences(stdout);
      expect(at).toHaveLength(508);
      expect(at.every((sample) => sample % 4 !== 0)).toBe(true);
      expect(distance).toBe(1);
    },
  );
});
