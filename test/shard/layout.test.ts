import { describe, expect, it } from 'vitest';
import { callsPerShardMax, messageBytesMax } from '../../src/limits.js';
import { counterBytes } from '../../src/shard/counters.js';
import { shardLayout, shardMemory, words } from '../../src/shard/layout.js';

/** From one call to all that the configuration allows, on one shard. */
const callCounts = [1, 2, 10, 63, 64, 335, 336, 500, 2_000, 10_000, callsPerShardMax];
/** L16 at 16 kHz with its JSON, for half a second. */
const ringBytesPerCall = 12_500;
/** Byte offsets are signed 32-bit numbers wherever they are shifted to word indices. */
const offsetMax = 2 ** 31;

function regions(calls: number): (readonly [name: string, from: number, to: number])[] {
  const layout = shardLayout(calls);
  const wordsAt = Object.values(words).map((word) => word * 4);
  return [
    ['static', 0, 64 * 1_024],
    ['words', Math.min(...wordsAt), Math.max(...wordsAt) + 4],
    ['counters', layout.countersAt, layout.countersAt + counterBytes],
    ['ingress', layout.ingressAt, layout.ingressAt + layout.ringBytes],
    ['egress', layout.egressAt, layout.egressAt + layout.ringBytes],
    ['outbox', layout.outboxAt, layout.outboxAt + layout.outboxBytes],
    ['kernel', layout.kernelAt, layout.totalBytes],
  ];
}

describe('the memory of a shard', () => {
  it('has regions in order that do not overlap, for any number of calls', () => {
    for (const calls of callCounts) {
      let end = 0;
      for (const [name, from, to] of regions(calls)) {
        expect([name, from >= end, to > from]).toEqual([name, true, true]);
        end = to;
      }
      expect(end).toBe(shardLayout(calls).totalBytes);
    }
  });

  it('has rings whose size is a power of two and that start on a record boundary', () => {
    for (const calls of callCounts) {
      const { ringBytes, ingressAt, egressAt, outboxAt, kernelAt } = shardLayout(calls);
      expect(Math.log2(ringBytes) % 1).toBe(0);
      for (const at of [ingressAt, egressAt, outboxAt, kernelAt]) expect(at % 16).toBe(0);
    }
  });

  it('has rings for half a second of all calls, and for a burst of the largest messages', () => {
    for (const calls of callCounts) {
      const { ringBytes } = shardLayout(calls);
      expect(ringBytes).toBeGreaterThanOrEqual(calls * ringBytesPerCall);
      expect(ringBytes).toBeGreaterThanOrEqual(64 * messageBytesMax);
      expect(ringBytes).toBeLessThan(2 * Math.max(calls * ringBytesPerCall, 64 * messageBytesMax));
    }
  });

  it('is whole pages that offsets of 31 bits reach, for as many calls as may be configured', () => {
    for (const calls of callCounts) {
      const { totalBytes } = shardLayout(calls);
      expect(totalBytes % 65_536).toBe(0);
      expect([calls, totalBytes <= offsetMax]).toEqual([calls, true]);
    }
  });

  it('has an outbox for the largest message that a shard sends', () => {
    expect(shardLayout(1).outboxBytes).toBeGreaterThanOrEqual(2 * messageBytesMax);
  });

  it('keeps the words of different threads two cache lines apart', () => {
    const at = Object.values(words).map((word) => word * 4);
    const sorted = at.toSorted((a, b) => a - b);
    expect(sorted.slice(1).every((byte, i) => byte - sorted[i]! >= 128)).toBe(true);
    expect(sorted.every((byte) => byte % 128 === 0)).toBe(true);
  });

  it('can be allocated with a fixed size and is shared', () => {
    const layout = shardLayout(500);
    const memory = shardMemory(layout);
    expect(memory.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(memory.buffer.byteLength).toBe(layout.totalBytes);
  });
});
