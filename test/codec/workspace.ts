import { Kernel } from '../../src/codec/kernel.js';
import { Resampler } from '../../src/codec/resampler.js';

/** Telephony's rates: every pair of different rates in which one side is 8 or 16 kHz. */
export const rates = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
export const telephonePairs = rates.flatMap((sourceRate) =>
  rates
    .filter((targetRate) => targetRate !== sourceRate)
    .filter((targetRate) => [sourceRate, targetRate].some((rate) => rate <= 16_000))
    .map((targetRate) => [sourceRate, targetRate] as const),
);

const roomBytes = 1 << 20;
const guardBytes = 64;
const guard = 0xa5;

/** A kernel with one source and one target; whatever is written outside of its due place is noticed. */
export class Workspace {
  readonly kernel = new Kernel();
  readonly source: number;
  readonly target: number;

  constructor() {
    this.source = this.kernel.allocate(roomBytes);
    this.target = this.kernel.allocate(roomBytes + 2 * guardBytes) + guardBytes;
  }

  /**
   * Puts `input` at the source (`shift` bytes further, to try unaligned places), runs, and returns
   * what the target then holds: `bytes(result)` bytes, with untouched guards around them.
   */
  run(
    input: Uint8Array | Int16Array,
    bytes: (result: number) => number,
    call: (source: number, target: number) => number,
    shift = 0,
  ): { result: number; output: Uint8Array } {
    const view = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    this.kernel.bytes.set(view, this.source + shift);
    const target = this.target + shift;
    const size = guardBytes + 6 * input.byteLength + 4_096;
    this.kernel.bytes.fill(guard, target - guardBytes, target + Math.min(size, roomBytes));
    const result = call(this.source + shift, target);
    const end = target + bytes(result);
    const output = this.kernel.bytes.slice(target, end);
    const around = [
      this.kernel.bytes.subarray(target - guardBytes, target),
      this.kernel.bytes.subarray(end, end + guardBytes),
    ];
    if (around.some((part) => part.some((byte) => byte !== guard))) {
      throw new Error('something was written outside of the result');
    }
    return { result, output };
  }

  /** What one push of all samples gives, from a fresh resampler unless one is handed in. */
  resample(samples: Int16Array, sourceRate: number, targetRate: number): Int16Array {
    const resampler = new Resampler(this.kernel, sourceRate, targetRate);
    const output = this.push(resampler, samples);
    resampler.close();
    return output;
  }

  push(resampler: Resampler, samples: Int16Array): Int16Array {
    const { output } = this.run(
      samples,
      (result) => result * 2,
      (source, target) => resampler.push(source, samples.length, target),
    );
    return samplesOf(output);
  }

  flush(resampler: Resampler): Int16Array {
    const { output } = this.run(
      new Int16Array(),
      (result) => result * 2,
      (_, target) => resampler.flush(target),
    );
    return samplesOf(output);
  }
}

/** Bytes of the kernel's memory as samples of their own. */
export function samplesOf(bytes: Uint8Array): Int16Array {
  const samples = new Int16Array(bytes.length / 2);
  new Uint8Array(samples.buffer).set(bytes);
  return samples;
}

/** Repeatable noise: full-scale int16. */
export function noise(count: number, seed = 1): Int16Array {
  let state = seed;
  return Int16Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state >> 16;
  });
}

export function joined(parts: readonly Int16Array[]): Int16Array {
  return Int16Array.from(parts.flatMap((part) => [...part]));
}
