import { Kernel } from '../../src/codec/kernel.js';
import { Resampler } from '../../src/codec/resampler.js';
import { frameMs, mediaMessages, soundFrames } from './sound.js';
import type { Case } from './timing.js';

const pairs = [
  [8_000, 16_000, 590],
  [8_000, 24_000, undefined],
  [16_000, 8_000, undefined],
  [24_000, 8_000, 1_100],
  [48_000, 8_000, 2_200],
] as const;

/** What the ways of a frame are made of. */
export function partCases(): Case[] {
  const resamplers = pairs.map(([sourceRate, targetRate, budgetNs]) =>
    resampleCase(new Kernel(), sourceRate, targetRate, budgetNs),
  );
  return [...wireCases(new Kernel()), ...resamplers];
}

function wireCases(kernel: Kernel): Case[] {
  const message = Buffer.from(mediaMessages('mulaw', 8_000)[7]!);
  const messageAt = kernel.allocate(message.length);
  kernel.bytes.set(message, messageAt);
  const resultAt = kernel.allocate(12);
  const samples = soundFrames(8_000)[7]!;
  const count = samples.length;
  const samplesAt = kernel.allocate(count * 2);
  kernel.samples.set(samples, samplesAt >> 1);
  const codesAt = kernel.allocate(count);
  kernel.encodeMulaw(samplesAt, count, codesAt);
  const textAt = kernel.allocate(count * 2);
  const chars = kernel.encodeBase64(codesAt, count, textAt);
  return [
    {
      name: `scan of ${message.length} bytes`,
      budgetNs: 200,
      frame: () => kernel.scanMedia(messageAt, message.length, resultAt),
    },
    {
      name: 'base64 + µ-law decode',
      budgetNs: 100,
      frame: () => kernel.decodeBase64Mulaw(textAt, chars, samplesAt),
    },
    { name: 'µ-law encode', frame: () => kernel.encodeMulaw(samplesAt, count, codesAt) },
    { name: 'base64 encode', frame: () => kernel.encodeBase64(codesAt, count, textAt) },
  ];
}

function resampleCase(
  kernel: Kernel,
  sourceRate: number,
  targetRate: number,
  budgetNs: number | undefined,
): Case {
  const resampler = new Resampler(kernel, sourceRate, targetRate);
  const count = (sourceRate * frameMs) / 1_000;
  const source = kernel.allocate(count * 2);
  const target = kernel.allocate(resampler.outputMax(count) * 2);
  kernel.samples.set(soundFrames(sourceRate)[7]!, source >> 1);
  return {
    name: `${sourceRate} to ${targetRate} Hz`,
    budgetNs,
    frame: () => resampler.push(source, count, target),
  };
}
