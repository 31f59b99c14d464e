import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteQueue } from '../../workers/session/byte-queue.js';

const bytesMax = 20_000;

function counted(from: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (from + i) & 0xff);
}

describe('a queue of bytes', () => {
  it('gives back what was put in, in order, like an array that grows and shrinks', () => {
    const size = fc.oneof({ weight: 4, arbitrary: fc.nat(400) }, fc.nat(6_000));
    const step = fc.record({ push: fc.boolean(), bytes: size, at: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 200 }), (steps) => {
        const queue = new ByteQueue(bytesMax);
        let put = 0;
        let taken = 0;
        for (const { push, bytes, at } of steps) {
          if (push) {
            const count = Math.min(bytes, queue.room);
            const source = new Uint8Array(at + count + 5).fill(0xee);
            source.set(counted(put, count), at);
            queue.push(source, at, count);
            put += count;
          } else {
            const count = Math.min(bytes, queue.length);
            const target = new Uint8Array(at + count + 5).fill(0xee);
            queue.take(target, at, count);
            const around = [...target.subarray(0, at), ...target.subarray(at + count)];
            expect(around.every((byte) => byte === 0xee)).toBe(true);
            expect(Buffer.compare(target.subarray(at, at + count), counted(taken, count))).toBe(0);
            taken += count;
          }
          expect(queue.length).toBe(put - taken);
          expect(queue.room).toBe(bytesMax - (put - taken));
        }
      }),
      { seed: 8, numRuns: 200 },
    );
  });

  it('is empty after a clear and starts anew, whatever it held', () => {
    for (const bytes of [1, 100, 4_096, 5_000, bytesMax]) {
      const queue = new ByteQueue(bytesMax);
      queue.push(counted(3, bytes), 0, bytes);
      queue.clear();
      expect([queue.length, queue.room]).toEqual([0, bytesMax]);
      queue.push(counted(9, 50), 0, 50);
      const target = new Uint8Array(50);
      queue.take(target, 0, 50);
      expect(target).toEqual(counted(9, 50));
    }
  });

  it('takes nothing from nothing', () => {
    const queue = new ByteQueue(bytesMax);
    queue.push(new Uint8Array(0), 0, 0);
    queue.take(new Uint8Array(0), 0, 0);
    queue.clear();
    expect(queue.length).toBe(0);
  });
});
