import { describe, expect, it } from 'vitest';
import {
  addCounters,
  counter,
  counterBlock,
  counterBytes,
  drop,
  dropReasons,
  histogram,
  latencyBoundsUs,
  lookup,
  observe,
  readHistogram,
} from '../../src/shard/counters.js';

const names = Object.keys(histogram) as (keyof typeof histogram)[];
const histogramSlots = latencyBoundsUs.length + 2;

describe('counters', () => {
  it('give every counter, drop reason and histogram slots of its own', () => {
    const slots = [
      ...Object.values(counter),
      ...Object.values(drop),
      ...Object.values(lookup),
      ...names.flatMap((name) =>
        Array.from({ length: histogramSlots }, (_, i) => histogram[name] + i),
      ),
    ];
    expect(new Set(slots).size).toBe(slots.length);
    expect(Math.min(...slots)).toBe(0);
    expect(Math.max(...slots)).toBe(counterBytes / 8 - 1);
    expect(counterBlock()).toHaveLength(slots.length);
  });

  it('name each drop reason once', () => {
    expect(new Set(dropReasons).size).toBe(dropReasons.length);
    expect(Object.keys(drop)).toEqual([...dropReasons]);
  });

  it('put a value into the first bucket whose bound it does not exceed', () => {
    for (const [index, bound] of latencyBoundsUs.entries()) {
      const values = counterBlock();
      observe(values, histogram.ingressWait, bound);
      observe(values, histogram.ingressWait, bound + 1);
      const { buckets, sumUs } = readHistogram(values, 'ingressWait');
      expect(buckets[index]).toBe(1);
      expect(buckets[index + 1]).toBe(1);
      expect(sumUs).toBe(2 * bound + 1);
    }
  });

  it('put 0 into the first bucket and what is above all bounds into the last', () => {
    const values = counterBlock();
    observe(values, histogram.turnaround, 0);
    observe(values, histogram.turnaround, 2 ** 31 - 1, 3);
    const { buckets, sumUs } = readHistogram(values, 'turnaround');
    expect(buckets).toHaveLength(latencyBoundsUs.length + 1);
    expect([buckets[0], buckets.at(-1)]).toEqual([1, 3]);
    expect(sumUs).toBe(3 * (2 ** 31 - 1));
  });

  it('touch no other slot when they observe', () => {
    for (const name of names) {
      const values = counterBlock();
      observe(values, histogram[name], 10 ** 9, 2);
      const others = values.filter(
        (_, slot) => slot < histogram[name] || slot >= histogram[name] + histogramSlots,
      );
      expect(others.every((value) => value === 0)).toBe(true);
    }
  });

  it('live at an offset of shared memory and are seen through another view', () => {
    const memory = new SharedArrayBuffer(64 + counterBytes + 64);
    const written = counterBlock(memory, 64);
    written[counter.mediaIn]! += 5;
    expect(counterBlock(memory, 64)[counter.mediaIn]).toBe(5);
    expect(new Float64Array(memory, 64 + counterBytes).every((value) => value === 0)).toBe(true);
  });

  it('add up block by block, histograms included', () => {
    const total = counterBlock();
    for (const share of [1, 10]) {
      const values = counterBlock();
      values[counter.clears] = share;
      values[drop['bad-json']] = 2 * share;
      observe(values, histogram.batchTime, 70, share);
      addCounters(total, values);
    }
    expect([total[counter.clears], total[drop['bad-json']]]).toEqual([11, 22]);
    expect(readHistogram(total, 'batchTime')).toMatchObject({ sumUs: 770 });
  });
});
