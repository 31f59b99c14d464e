import { pathToFileURL } from 'node:url';
import { Kernel } from '../../src/codec/kernel.js';
import { Resampler } from '../../src/codec/resampler.js';

/**
 * What one 20 ms frame costs in the codec. The budgets are the figures that the design was decided on
 * (a two-core machine): ratios carry over to other machines, absolute numbers do not.
 */
const frameMs = 20;
const runs = 15;
const runMs = 15;

interface Case {
  readonly name: string;
  /** ns per frame; undefined where the design gives none. */
  readonly budgetNs: number | undefined;
  readonly frame: () => void;
}

/** Prints ns per frame, the median and the best of several runs, beside the budget. */
export async function main(): Promise<void> {
  const cases = [...wireCases(new Kernel()), ...rateCases(new Kernel())];
  console.log(`ns per ${frameMs} ms frame, ${runs} runs, Node ${process.version}`);
  console.log(line('', 'median', 'best', 'budget'));
  for (const { name, budgetNs, frame } of cases) {
    const results = runsNs(frame);
    const [median, best] = [results[runs >> 1]!, results[0]!];
    console.log(line(name, median.toFixed(0), best.toFixed(0), budgetNs?.toString() ?? '-'));
  }
}

function line(name: string, ...figures: readonly string[]): string {
  return name.padEnd(34) + figures.map((figure) => figure.padStart(8)).join('');
}

function wireCases(kernel: Kernel): Case[] {
  const count = 160;
  const samples = kernel.allocate(count * 2);
  const codes = kernel.allocate(count);
  const text = kernel.allocate(256);
  fillWithSpeechLikeSound(kernel, samples, count);
  const characters = kernel.encodeMulawBase64(samples, count, text);
  return [
    {
      name: 'base64 + µ-law decode, one call',
      budgetNs: 100,
      frame: () => kernel.decodeBase64Mulaw(text, characters, samples),
    },
    {
      name: 'base64 + µ-law decode, two calls',
      budgetNs: 100,
      frame: () => {
        kernel.decodeBase64(text, characters, codes);
        kernel.decodeMulaw(codes, count, samples);
      },
    },
    {
      name: 'µ-law + base64 encode, one call',
      budgetNs: 100,
      frame: () => kernel.encodeMulawBase64(samples, count, text),
    },
    {
      name: 'µ-law + base64 encode, two calls',
      budgetNs: 100,
      frame: () => {
        kernel.encodeMulaw(samples, count, codes);
        kernel.encodeBase64(codes, count, text);
      },
    },
  ];
}

function rateCases(kernel: Kernel): Case[] {
  const pairs = [
    [8_000, 16_000, 590],
    [16_000, 8_000, undefined],
    [24_000, 8_000, 1_250],
    [8_000, 24_000, undefined],
    [48_000, 8_000, 2_200],
  ] as const;
  return pairs.map(([sourceRate, targetRate, budgetNs]) => {
    const resampler = new Resampler(kernel, sourceRate, targetRate);
    const count = (sourceRate * frameMs) / 1_000;
    const source = kernel.allocate(count * 2);
    const target = kernel.allocate(resampler.outputMax(count) * 2);
    fillWithSpeechLikeSound(kernel, source, count);
    return {
      name: `${sourceRate} to ${targetRate} Hz`,
      budgetNs,
      frame: () => resampler.push(source, count, target),
    };
  });
}

/** Nothing here depends on the values, but silence would be suspicious. */
function fillWithSpeechLikeSound(kernel: Kernel, offset: number, count: number): void {
  for (let i = 0; i < count; i += 1) {
    kernel.samples[offset / 2 + i] = 9_000 * Math.sin(i / 5) + 4_000 * Math.sin(i / 1.7);
  }
}

/** ns per frame of each run, the best first. */
function runsNs(frame: () => void): number[] {
  const warmUpFrames = 20_000;
  const framesPerRun = Math.ceil((runMs * warmUpFrames) / timedMs(frame, warmUpFrames));
  const results = Array.from({ length: runs }, () => timedMs(frame, framesPerRun) / framesPerRun);
  return results.sort((a, b) => a - b).map((ms) => ms * 1e6);
}

function timedMs(frame: () => void, count: number): number {
  const start = performance.now();
  for (let i = 0; i < count; i += 1) frame();
  return performance.now() - start;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main();
}
