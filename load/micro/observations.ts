import { Counter, Histogram, Registry } from 'prom-client';
import { counter, counterBlock, histogram, stage, voiceBlock } from '../../src/shard/counters.js';
import { observe } from '../../src/shard/histogram.js';
import { voiceTime } from '../../src/shard/voice-counters.js';
import type { Case } from './timing.js';

/** What one observation may take. */
const budgetNs = 30;
/** As many different values as a branch predictor cannot learn. */
const valueCount = 8_192;

/** Counting as the threads of the gateway do it, and as prom-client would, its labels looked up before. */
export function observationCases(): Case[] {
  const block = counterBlock();
  const voice = voiceBlock(block, 0);
  const us = spread(60_000);
  const ms = spread(3_000);
  const registers = [new Registry()];
  const help = 'of the bench';
  const others = {
    counter: new Counter({ name: 'a_total', help, registers, labelNames: ['route'] }),
    histogram: new Histogram({
      ...{ name: 'b_seconds', help, registers, labelNames: ['route'] },
      buckets: histogram.turnaround.bounds.map((bound) => bound / 1e6),
    }),
  };
  const labelled = {
    counter: others.counter.labels({ route: 'main' }),
    histogram: others.histogram.labels({ route: 'main' }),
  };
  return [
    { name: 'a counter', budgetNs, frame: () => (block[counter.mediaIn]! += 1) },
    {
      ...{ name: 'a histogram of a thread, 14 bounds', budgetNs },
      frame: () => observe(block, histogram.turnaround, us()),
    },
    {
      ...{ name: 'a stage, 16 bounds', budgetNs },
      frame: () => observe(block, stage.decode, us()),
    },
    {
      ...{ name: 'a histogram of a route, 11 bounds', budgetNs },
      frame: () => observe(voice, voiceTime.response, ms()),
    },
    { name: 'the value alone, which is in the above', frame: us },
    { name: 'prom-client, a counter', frame: () => labelled.counter.inc() },
    { name: 'prom-client, 14 bounds', frame: () => labelled.histogram.observe(us() / 1e6) },
  ];
}

/** Values from 1 to `max`, as many small ones as large ones on a logarithmic scale, in a disorder that is always the same. */
function spread(max: number): () => number {
  let state = 1;
  const values = Float64Array.from({ length: valueCount }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return max ** (state / 2 ** 32);
  });
  let next = 0;
  return () => values[(next = (next + 1) & (valueCount - 1))]!;
}
