import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import {
  counterNames,
  type DistributionName,
  type GeneratorInterval,
} from '../generator/messages.js';
import { newCounters, newHistogram } from '../generator/meter.js';
import type { Second } from './report.js';
import { type Distribution, distributionOf } from './tally.js';

interface SecondFacts {
  readonly atMs: number;
  readonly stage: number;
  readonly hangUps: number;
  readonly loadCores: number;
  readonly serverCores: number | null;
  readonly serverBytes: number | null;
}

/** What all threads saw in one second. */
export function secondOf(
  intervals: readonly (readonly [thread: number, interval: GeneratorInterval])[],
  facts: SecondFacts,
): Second {
  const counters = newCounters();
  let live = 0;
  let connecting = 0;
  let generatorCores = 0;
  for (const [, interval] of intervals) {
    for (const name of counterNames) counters[name] += interval.counters[name];
    live += interval.live;
    connecting += interval.connecting;
    const cores = interval.cpuMs / Math.max(1, interval.wallMs);
    generatorCores = Math.max(generatorCores, cores);
  }
  const merged = (name: DistributionName): Distribution => {
    const sum = newHistogram();
    for (const [, { histograms }] of intervals) {
      if (histograms[name] !== '') sum.add(decodeFromCompressedBase64(histograms[name]));
    }
    return distributionOf(sum);
  };
  return {
    ...facts,
    live,
    connecting,
    counters,
    turnaround: merged('turnaround'),
    response: merged('response'),
    lag: merged('lag'),
    generatorCores,
  };
}
