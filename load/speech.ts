import { readWav } from '../src/codec/wav.js';
import { resample } from './resample.js';
import type { StreamFormat } from './stream-format.js';
import { testSignal } from './test-signal.js';

/** What a caller says, at the stream's rate: a file, or without one the built-in signal. */
export async function speechSamples(
  wavPath: string | undefined,
  format: StreamFormat,
): Promise<Int16Array> {
  if (wavPath === undefined) return testSignal(format.rateHz);
  const wav = await readWav(wavPath);
  return resample(wav.samples, wav.rateHz, format.rateHz);
}
