import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { Doorbell, Waiter } from '../../src/shard/doorbell.js';

const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A bell whose rings are counted where they arrive, and a waiter over a number that stands for a ring. */
function scene() {
  const { port1, port2 } = new MessageChannel();
  const words = new Int32Array(new SharedArrayBuffer(64));
  const state = { records: 0, looks: [] as number[], rings: 0, perLook: Number.POSITIVE_INFINITY };
  port2.on('message', () => {
    state.rings += 1;
  });
  const look = (): number => {
    const taken = Math.min(state.records, state.perLook);
    state.records -= taken;
    state.looks.push(taken);
    return taken;
  };
  const bell = new Doorbell(words, 3, port2);
  const waiter = new Waiter(bell, port2, look, () => state.records > 0);
  closers.push(() => {
    waiter.stop();
    port1.close();
  });
  return { state, words, waiter, ringer: new Doorbell(words, 3, port1) };
}

const later = (ms = 20): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('the doorbell', () => {
  it('is heard once, however often it is rung before the consumer has looked', async () => {
    const { state, ringer } = scene();
    state.records = 1;
    for (let i = 0; i < 100; i += 1) ringer.ring();
    await later();
    expect([state.rings, state.looks]).toEqual([1, [1]]);
    state.records = 1;
    ringer.ring();
    await later();
    expect([state.rings, state.looks]).toEqual([2, [1, 1]]);
  });

  it('is not rung while it is silenced, and again once it is armed', async () => {
    const { state, ringer } = scene();
    ringer.silence();
    ringer.ring();
    await later();
    expect(state.rings).toBe(0);
    ringer.arm();
    ringer.ring();
    await later();
    expect(state.rings).toBe(1);
  });
});

describe('the waiter', () => {
  it('looks again by itself for what came between its look and arming the bell', async () => {
    const { state, waiter, words } = scene();
    state.records = 3;
    state.perLook = 1;
    waiter.look();
    await later();
    expect(state.looks.slice(0, 3)).toEqual([1, 1, 1]);
    expect(Atomics.load(words, 3)).toBe(0);
  });

  it('looks once a millisecond with the bell silent while traffic is dense, and then arms it', async () => {
    const { state, waiter, ringer, words } = scene();
    state.records = 4;
    waiter.look();
    expect(Atomics.load(words, 3)).toBe(0);
    state.records = 5;
    waiter.look();
    expect(Atomics.load(words, 3)).toBe(1);
    state.records = 9;
    ringer.ring();
    await later(50);
    expect(state.rings).toBe(0);
    expect(state.looks.slice(0, 3)).toEqual([4, 5, 9]);
    expect(state.looks.length).toBeLessThan(10);
    expect(Atomics.load(words, 3)).toBe(0);
  });

  it('takes what it finds in passing, without a ring', async () => {
    const { state, waiter, words } = scene();
    waiter.look();
    state.records = 3;
    waiter.glance();
    expect(state.records).toBe(0);
    expect(Atomics.load(words, 3)).toBe(0);
  });

  it('looks no more once it is stopped', async () => {
    const { state, waiter, ringer } = scene();
    state.records = 10;
    waiter.look();
    waiter.stop();
    state.records = 1;
    ringer.ring();
    waiter.look();
    await later();
    expect(state.looks).toEqual([10]);
  });

  // A handler that takes as long as records take to come would otherwise hold back all clocks,
  // timers and promises of its thread.
  it('lets timers run although there is always one more record', async () => {
    const { state, waiter } = scene();
    const manyLooks = 50_000;
    state.records = manyLooks;
    state.perLook = 1;
    let looksBeforeTimer = Number.NaN;
    setTimeout(() => {
      looksBeforeTimer = state.looks.length;
    });
    waiter.look();
    await later();
    waiter.stop();
    expect(looksBeforeTimer).toBeLessThan(manyLooks);
  });
});
