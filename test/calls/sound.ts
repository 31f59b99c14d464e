import { testSignal } from '../../load/test-signal.js';
import { decodeMulaw, encodeMulaw } from '../../src/codec/g711.js';
import { bytesFromPcm, pcmFromBytes } from '../../src/codec/wav.js';
import type { StreamFormat } from './stream-client.js';

/** The beginning of the built-in speech, as it would stand on the wire. */
export function speech(format: StreamFormat, ms: number): Uint8Array {
  const samples = testSignal(format.sampleRate).subarray(0, (ms * format.sampleRate) / 1_000);
  return format.encoding === 'audio/x-l16' ? bytesFromPcm(samples) : encodeMulaw(samples);
}

export function samplesOf(bytes: Uint8Array, format: StreamFormat): Int16Array {
  return format.encoding === 'audio/x-l16' ? pcmFromBytes(bytes) : decodeMulaw(bytes);
}

/** Noise that is the same in every run: every byte value, in no order. */
export function noise(bytes: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: bytes }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}
