import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as reference from './reference.js';
import { noise, samplesOf, Workspace } from './workspace.js';

const workspace = new Workspace();
const { kernel } = workspace;
const seed = 711;

const allCodes = Uint8Array.from({ length: 256 }, (_, code) => code);
const allSamples = Int16Array.from({ length: 65_536 }, (_, i) => i - 32_768);

function decode(codes: Uint8Array, shift = 0): Int16Array {
  const { output } = workspace.run(
    codes,
    () => codes.length * 2,
    (source, target) => {
      kernel.decodeMulaw(source, codes.length, target);
      return 0;
    },
    shift,
  );
  return samplesOf(output);
}

function encode(samples: Int16Array, shift = 0): Uint8Array {
  const { output } = workspace.run(
    samples,
    () => samples.length,
    (source, target) => {
      kernel.encodeMulaw(source, samples.length, target);
      return 0;
    },
    shift,
  );
  return new Uint8Array(output);
}

function decodeText(text: string): Int16Array | undefined {
  const input = Buffer.from(text, 'latin1');
  const room = reference.decodeBase64(input)?.length ?? Math.floor((input.length * 3) / 4);
  const { result, output } = workspace.run(
    input,
    () => room * 2,
    (source, target) => kernel.decodeBase64Mulaw(source, input.length, target),
  );
  return result < 0 ? undefined : samplesOf(output.subarray(0, result * 2));
}

function encodeText(samples: Int16Array): string {
  const { output } = workspace.run(
    samples,
    (result) => result,
    (source, target) => kernel.encodeMulawBase64(source, samples.length, target),
  );
  return Buffer.from(output).toString('latin1');
}

/**
 * Values of the 128 positive codes from G.711, table 2a: one interval of 1 and fifteen of 2 up to 31,
 * then seven segments of sixteen intervals, each twice as wide as those before. A code stands for the
 * middle of its interval, the first for 0. In units of 14 bits.
 */
function recommendedMagnitudes(): number[] {
  const decisions = [0, 1];
  for (let i = 0; i < 15; i += 1) decisions.push(decisions.at(-1)! + 2);
  for (let width = 4; width <= 256; width *= 2) {
    for (let i = 0; i < 16; i += 1) decisions.push(decisions.at(-1)! + width);
  }
  const middles = decisions.slice(1).map((end, i) => (decisions[i]! + end) / 2);
  return [0, ...middles.slice(1)];
}

describe('µ-law decoding', () => {
  it('gives the value of the recommendation for all 256 codes', () => {
    const magnitudes = recommendedMagnitudes();
    const decoded = decode(allCodes);
    expect(magnitudes).toHaveLength(128);
    for (let n = 0; n < 128; n += 1) {
      // Codes count down from 0xff on the positive side and from 0x7f on the negative one.
      expect(decoded[0xff - n]).toBe(magnitudes[n]! * 4);
      expect(decoded[0x7f - n]).toBe(-magnitudes[n]! * 4 || 0);
    }
    expect([0x00, 0x80, 0x7f, 0xff].map((code) => decoded[code])).toEqual([-32_124, 32_124, 0, 0]);
  });

  it('equals the reference for every length and place', () => {
    for (let count = 0; count <= 400; count += 1) {
      const codes = Uint8Array.from(noise(count, count), (sample) => sample & 0xff);
      const expected = Int16Array.from(codes, reference.decodeMulaw);
      expect(decode(codes, count % 16)).toEqual(expected);
    }
  });
});

describe('µ-law encoding', () => {
  it('is the 14-bit form on all 65,536 samples, in vectors and one by one', () => {
    const expected = Uint8Array.from(allSamples, reference.encodeMulaw);
    expect(encode(allSamples)).toEqual(expected);
    for (let start = 0; start < 65_536; start += 15) {
      const few = allSamples.slice(start, start + 15);
      if (Buffer.compare(encode(few), expected.subarray(start, start + 15)) === 0) continue;
      expect.fail(`samples from ${few[0]}`);
    }
  });

  it('returns every code after decoding, but for the second zero', () => {
    const again = encode(decode(allCodes));
    expect(again).toEqual(allCodes.map((code) => (code === 0x7f ? 0xff : code)));
  });

  it('equals the reference for every length and place', () => {
    for (let count = 0; count <= 400; count += 1) {
      const samples = noise(count, count);
      expect(encode(samples, count % 16)).toEqual(Uint8Array.from(samples, reference.encodeMulaw));
    }
  });
});

describe('µ-law inside base64', () => {
  it('equals the two steps after one another, for every length, with no byte of room to spare', () => {
    for (let count = 0; count <= 400; count += 1) {
      const samples = noise(count, count);
      const codes = Uint8Array.from(samples, reference.encodeMulaw);
      const text = reference.encodeBase64(codes);
      expect(encodeText(samples)).toBe(text);
      const decoded = Int16Array.from(codes, reference.decodeMulaw);
      expect(decodeText(text)).toEqual(decoded);
      expect(decodeText(text.replaceAll('=', ''))).toEqual(decoded);
    }
  });

  it('refuses exactly the text that base64 decoding refuses', () => {
    const property = fc.property(
      fc.stringMatching(/^[A-D+/=]{0,3}[A-Za-z0-9+/]{0,40}[A-Z=!]{0,3}$/),
      (text) => {
        const codes = reference.decodeBase64(Buffer.from(text, 'latin1'));
        const expected = codes && Int16Array.from(codes, reference.decodeMulaw);
        expect(decodeText(text)).toEqual(expected);
      },
    );
    fc.assert(property, { seed, numRuns: 1_000 });
  });
});

if (spawnSync('sox', ['--version']).status === 0) {
  describe('SoX', () => {
    const mulaw = ['-t', 'raw', '-r', '8000', '-c', '1', '-e', 'mu-law', '-b', '8', '-'];
    const linear = ['-t', 'raw', '-r', '8000', '-c', '1', '-e', 'signed', '-b', '16', '-'];

    it('decodes all 256 codes to the same samples', () => {
      const sox = spawnSync('sox', ['-D', ...mulaw, ...linear], { input: allCodes });
      expect(decode(allCodes)).toEqual(samplesOf(sox.stdout));
    });

    // Between those, SoX rounds to 14 bits where audioop (and so Pipecat, and we) cuts off.
    it('encodes all 16,384 samples of 14 bits to the same codes', () => {
      const samples = allSamples.filter((sample) => sample % 4 === 0);
      const input = new Uint8Array(samples.buffer);
      const sox = spawnSync('sox', ['-D', ...linear, ...mulaw], { input });
      expect(encode(samples)).toEqual(new Uint8Array(sox.stdout));
    });
  });
}

// CPython up to 3.12 has it.
const audioop = `import audioop, sys; sys.stdout.buffer.write(audioop.lin2ulaw(sys.stdin.buffer.read(), 2))`;
if (spawnSync('python3', ['-W', 'ignore', '-c', audioop], { input: '' }).status === 0) {
  it('encodes all 65,536 samples to the same codes as audioop', () => {
    const input = new Uint8Array(allSamples.buffer);
    const python = spawnSync('python3', ['-W', 'ignore', '-c', audioop], { input });
    expect(encode(allSamples)).toEqual(new Uint8Array(python.stdout));
  });
}
