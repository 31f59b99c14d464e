import { Kernel } from '../../src/codec/kernel.js';
import { Resampler } from '../../src/codec/resampler.js';

/** µ-law → 16 kHz → µ-law, as a call takes it when its application echoes at 16 kHz. */

const wireRate = 8_000;
const applicationRate = 16_000;
const frameSamples = 160; // 20 ms

export interface ChainResult {
  /** What the caller's telephone decodes before the chain: speech that was in µ-law once. */
  readonly before: Int16Array;
  /** The same after it, put back by the delay of the two filters. */
  readonly after: Int16Array;
  /** Delay of the two filters, samples of 8 kHz. */
  readonly delaySamples: number;
  /** Part of the codes that come back as they were. */
  readonly sameCodes: number;
}

/** Runs speech at 8 kHz through the kernel, 20 ms at a time, tails included. */
export function runChain(speech: Int16Array): ChainResult {
  const kernel = new Kernel();
  const [codes, wire, wide] = [256, 1_024, 2_048].map((bytes) => kernel.allocate(bytes)) as [
    number,
    number,
    number,
  ];
  const up = new Resampler(kernel, wireRate, applicationRate);
  const down = new Resampler(kernel, applicationRate, wireRate);
  const sent: number[] = [];
  const received: number[] = [];
  const receive = (count: number): void => {
    kernel.encodeMulaw(wire, count, codes);
    received.push(...kernel.bytes.subarray(codes, codes + count));
  };
  for (let from = 0; from < speech.length; from += frameSamples) {
    const piece = speech.subarray(from, from + frameSamples);
    kernel.samples.set(piece, wire / 2);
    kernel.encodeMulaw(wire, piece.length, codes);
    sent.push(...kernel.bytes.subarray(codes, codes + piece.length));
    kernel.decodeMulaw(codes, piece.length, wire);
    receive(down.push(wide, up.push(wire, piece.length, wide), wire));
  }
  receive(down.push(wide, up.flush(wide), wire));
  receive(down.flush(wire));
  const delaySamples = (up.delaySamples * wireRate) / applicationRate + down.delaySamples;
  const returned = received.slice(delaySamples, delaySamples + sent.length);
  return {
    before: decoded(kernel, sent),
    after: decoded(kernel, returned),
    delaySamples,
    sameCodes: sent.filter((code, i) => code === returned[i]).length / sent.length,
  };
}

function decoded(kernel: Kernel, codes: readonly number[]): Int16Array {
  const source = kernel.allocate(codes.length);
  const target = kernel.allocate(codes.length * 2);
  kernel.bytes.set(codes, source);
  kernel.decodeMulaw(source, codes.length, target);
  return kernel.samples.slice(target / 2, target / 2 + codes.length);
}

/** Frames this far below the loudest one are pauses, and not counted. */
const pauseDb = 40;

/** Mean, over the frames of 20 ms in which there is speech, of their signal-to-noise ratios in dB. */
export function segmentalSnrDb(reference: Int16Array, signal: Int16Array): number {
  const starts = Array.from(
    { length: Math.floor(reference.length / frameSamples) },
    (_, i) => i * frameSamples,
  );
  const power = (value: (i: number) => number, start: number): number => {
    let sum = 0;
    for (let i = start; i < start + frameSamples; i += 1) sum += value(i) ** 2;
    return sum;
  };
  const powers = starts.map((start) => power((i) => reference[i]!, start));
  const threshold = Math.max(...powers) / 10 ** (pauseDb / 10);
  const ratios = starts.flatMap((start, frame) => {
    if (powers[frame]! < threshold) return [];
    const noise = power((i) => signal[i]! - reference[i]!, start);
    return [10 * Math.log10(powers[frame]! / noise)];
  });
  return ratios.reduce((sum, db) => sum + db, 0) / ratios.length;
}
