import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { UpstreamBoard } from '../../src/shard/upstream-board.js';

const nowMs = Date.now();
const afterS = (seconds: number) => nowMs + seconds * 1_000;

function failing(board: UpstreamBoard, times: number, atMs: number): void {
  for (let i = 0; i < times; i += 1) board.failed(0, atMs);
}

describe('the board of upstream addresses', () => {
  it('counts calls over all shards, and holds to the bound', () => {
    const board = new UpstreamBoard(3);
    const other = new UpstreamBoard(3, board.memory);
    expect([
      board.take({ index: 1, generation: 0 }, 0, 2),
      other.take({ index: 1, generation: 0 }, 2, 2),
      board.take({ index: 1, generation: 0 }, 1, 2),
    ]).toEqual([true, true, false]);
    expect([board.calls(0), board.calls(1)]).toEqual([0, 2]);
    other.release(1, 2);
    expect(board.take({ index: 1, generation: 0 }, 1, 2)).toBe(true);
    for (let i = 0; i < 100; i += 1)
      expect(board.take({ index: 0, generation: 0 }, 0, 0)).toBe(true);
  });

  it('forgets what a shard had taken when that begins anew', () => {
    const board = new UpstreamBoard(2);
    for (const shard of [0, 1])
      for (const address of [0, 1]) board.take({ index: address, generation: 0 }, shard, 0);
    board.count(1, 'busy');
    board.forget(1);
    expect([board.calls(0), board.calls(1)]).toEqual([1, 1]);
    expect(board.events(1, 'busy')).toBe(1);
  });

  it('leaves an address alone after three failures in a row, longer each time, a minute at most', () => {
    const board = new UpstreamBoard(1);
    failing(board, 2, nowMs);
    board.succeeded(0);
    failing(board, 2, nowMs);
    expect(board.isEjected(0, nowMs)).toBe(false);
    failing(board, 1, nowMs);
    expect([board.isEjected(0, afterS(4)), board.isEjected(0, afterS(7))]).toEqual([true, false]);
    failing(board, 3, afterS(10));
    expect([board.isEjected(0, afterS(19)), board.isEjected(0, afterS(22))]).toEqual([true, false]);
    for (let i = 0; i < 20; i += 1) failing(board, 3, afterS(100 + i * 100));
    expect([board.isEjected(0, afterS(2_059)), board.isEjected(0, afterS(2_062))]).toEqual([
      true,
      false,
    ]);
  });

  it('ejects once for what fails at the same moment', () => {
    const board = new UpstreamBoard(1);
    failing(board, 15, nowMs);
    expect([board.isEjected(0, afterS(4)), board.isEjected(0, afterS(7))]).toEqual([true, false]);
  });

  it('gives nobody a place who knows of another address there', () => {
    const board = new UpstreamBoard(1);
    const before = { index: 0, generation: board.generation(0) };
    expect(board.take(before, 0, 0)).toBe(true);
    board.retire(0);
    expect(board.take(before, 0, 0)).toBe(false);
    expect(board.calls(0)).toBe(1);
    board.release(0, 0);
    board.reset(0);
    expect(board.take({ index: 0, generation: board.generation(0) }, 0, 1)).toBe(true);
    expect(board.take(before, 0, 0)).toBe(false);
    expect(board.calls(0)).toBe(1);
  });

  it('gives the last place to one of two, and never to none', async () => {
    const board = new UpstreamBoard(2);
    const code = `
      const { workerData: { url, memory, turn } } = require('node:worker_threads');
      import(url).then(({ UpstreamBoard }) => {
        const board = new UpstreamBoard(2, memory);
        const word = new Int32Array(turn);
        for (let round = 1; round <= 2000; round += 1) {
          while (Atomics.load(word, 0) < round);
          Atomics.add(word, 1, board.take({ index: 0, generation: 0 }, 1, 1) ? 1 : 0);
          Atomics.store(word, 2, round);
        }
      });`;
    const turn = new SharedArrayBuffer(12);
    const word = new Int32Array(turn);
    const url = new URL('../../dist/src/shard/upstream-board.js', import.meta.url).href;
    const worker = new Worker(code, {
      eval: true,
      workerData: { url, memory: board.memory, turn },
    });
    for (let round = 1; round <= 2_000; round += 1) {
      Atomics.store(word, 1, 0);
      Atomics.store(word, 0, round);
      const mine = board.take({ index: 0, generation: 0 }, 0, 1);
      while (Atomics.load(word, 2) < round) await new Promise((resolve) => setImmediate(resolve));
      const theirs = Atomics.load(word, 1) === 1;
      expect([mine, theirs].filter(Boolean)).toHaveLength(1);
      board.release(0, mine ? 0 : 1);
    }
    await worker.terminate();
  });

  it('gives an address that comes back its share over ten seconds', () => {
    const board = new UpstreamBoard(1);
    expect(board.readiness(0, nowMs)).toBe(1);
    failing(board, 3, nowMs);
    expect(board.readiness(0, afterS(6))).toBeCloseTo(0.1, 1);
    expect(board.readiness(0, afterS(11))).toBeGreaterThan(0.4);
    expect(board.readiness(0, afterS(11))).toBeLessThan(0.7);
    expect(board.readiness(0, afterS(20))).toBe(1);
  });
});
