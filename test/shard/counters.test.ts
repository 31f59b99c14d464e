import { describe, expect, it } from 'vitest';
import {
  addCounters,
  busyMs,
  counter,
  counterBlock,
  counterBytes,
  drop,
  dropReasons,
  histogram,
  lookup,
  ringFill,
  stage,
  voiceBlock,
} from '../../src/shard/counters.js';
import {
  type HistogramShape,
  histogramSlots,
  observe,
  readHistogram,
} from '../../src/shard/histogram.js';
import {
  clippedFrames,
  oneWay,
  VoiceAreas,
  voiceAreas,
  voiceCounter,
  voiceLevel,
  voiceSlots,
  voiceTime,
} from '../../src/shard/voice-counters.js';

const histograms = [histogram, stage, ringFill].flatMap((group) => Object.values(group));
const slotsOf = (all: typeof histograms): number[] =>
  all.flatMap((one) => Array.from({ length: histogramSlots(one) }, (_, i) => one.first + i));
const voiceHistograms = [...Object.values(voiceTime), ...Object.values(voiceLevel)];

describe('counters', () => {
  it('give every counter, drop reason and histogram slots of its own', () => {
    const slots = [
      ...Object.values(counter),
      ...Object.values(drop),
      ...Object.values(lookup),
      ...slotsOf(histograms),
      busyMs,
    ];
    expect(new Set(slots).size).toBe(slots.length);
    expect(Math.min(...slots)).toBe(0);
    expect(Math.max(...slots)).toBe(slots.length - 1);
    expect(counterBlock()).toHaveLength(slots.length + voiceAreas * voiceSlots);
    expect(voiceBlock(counterBlock(), 0).byteOffset).toBe(slots.length * 8);
  });

  it('give every route a block of its own, and every voice measure slots of its own in it', () => {
    const slots = [
      ...[clippedFrames, oneWay, voiceCounter].flatMap((group) => Object.values(group)),
      ...slotsOf(voiceHistograms),
    ];
    expect(new Set(slots).size).toBe(slots.length);
    expect([Math.min(...slots), Math.max(...slots)]).toEqual([0, voiceSlots - 1]);
    const values = counterBlock();
    for (let area = 0; area < voiceAreas; area += 1) voiceBlock(values, area).fill(area + 1);
    for (let area = 0; area < voiceAreas; area += 1) {
      expect(new Set(voiceBlock(values, area))).toEqual(new Set([area + 1]));
    }
    expect(voiceBlock(values, voiceAreas - 1).byteOffset + voiceSlots * 8).toBe(counterBytes);
  });

  it('keep a route its block however often it is named, and share the last one where there are too many', () => {
    const areas = new VoiceAreas();
    expect([areas.of('a'), areas.of('b'), areas.of('a')]).toEqual([0, 1, 0]);
    for (let i = 2; i < voiceAreas - 1; i += 1) expect(areas.of(`route-${i}`)).toBe(i);
    expect([areas.of('one-more'), areas.of('and-more')]).toEqual([63, 63]);
    expect(areas.names).toHaveLength(voiceAreas);
    expect([areas.areaOf('(others)'), areas.areaOf('b')]).toEqual([63, 1]);
  });

  it('name each drop reason once', () => {
    expect(new Set(dropReasons).size).toBe(dropReasons.length);
    expect(Object.keys(drop)).toEqual([...dropReasons]);
  });

  it('put a value into the first bucket whose bound it does not exceed', () => {
    for (const shape of [...histograms, ...voiceHistograms]) {
      for (const [index, bound] of shape.bounds.entries()) {
        const values = counterBlock();
        observe(values, shape, bound);
        observe(values, shape, bound * 1.01);
        const { buckets, sum, les } = readHistogram(values, shape);
        expect(buckets[index]).toBe(1);
        expect(buckets[index + 1]).toBe(1);
        expect(sum).toBeCloseTo((2.01 * bound) / shape.scale, 9);
        expect(les[index]).toBe(String(bound / shape.scale));
      }
    }
  });

  it('put 0 into the first bucket and what is above all bounds into the last', () => {
    const values = counterBlock();
    observe(values, histogram.turnaround, 0);
    observe(values, histogram.turnaround, 2 ** 31 - 1, 3);
    const { buckets, les, sum } = readHistogram(values, histogram.turnaround);
    expect(buckets).toHaveLength(les.length);
    expect(les.at(-1)).toBe('+Inf');
    expect([buckets[0], buckets.at(-1)]).toEqual([1, 3]);
    expect(sum).toBeCloseTo((3 * (2 ** 31 - 1)) / 1e6, 9);
  });

  it('find the bucket that a search through all bounds finds', () => {
    const wild = [
      2 ** 31,
      2 ** 32,
      2 ** 32 + 5,
      2 ** 53,
      Infinity,
      -1,
      -(2 ** 40),
      Number.MIN_VALUE,
    ];
    const around = ({ bounds }: HistogramShape): number[] =>
      [...bounds, ...Array.from({ length: 40 }, (_, power) => 2 ** power)].flatMap((value) => [
        ...[value, value - 1e-6, value + 1e-6, value - 1, value + 1, value * 0.7, value * 1.3],
      ]);
    for (const shape of [...histograms, ...voiceHistograms]) {
      for (const value of [...wild, ...around(shape)]) {
        const values = counterBlock();
        observe(values, shape, value);
        const found = readHistogram(values, shape).buckets.indexOf(1);
        expect(found, `${value} of ${shape.bounds.join(' ')}`).toBe(
          shape.bounds.filter((bound) => bound < value).length,
        );
      }
    }
  });

  it('touch no other slot when they observe', () => {
    for (const shape of histograms) {
      const values = counterBlock();
      observe(values, shape, 10 ** 9, 2);
      const end = shape.first + histogramSlots(shape);
      const others = values.filter((_, slot) => slot < shape.first || slot >= end);
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
    expect(readHistogram(total, histogram.batchTime).sum).toBeCloseTo(770e-6, 12);
  });
});
