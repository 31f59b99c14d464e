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
    expect([board.take(1, 0, 2), other.take(1, 2, 2), board.take(1, 1, 2)]).toEqual([
      true,
      true,
      false,
    ]);
    expect([board.calls(0), board.calls(1)]).toEqual([0, 2]);
    other.release(1, 2);
    expect(board.take(1, 1, 2)).toBe(true);
    for (let i = 0; i < 100; i += 1) expect(board.take(0, 0, 0)).toBe(true);
  });

  it('forgets what a shard had taken when that begins anew', () => {
    const board = new UpstreamBoard(2);
    for (const shard of [0, 1]) for (const address of [0, 1]) board.take(address, shard, 0);
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
    for (let i = 0; i < 20; i += 1) failing(board, 3, afterS(100));
    expect([board.isEjected(0, afterS(159)), board.isEjected(0, afterS(162))]).toEqual([
      true,
      false,
    ]);
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
