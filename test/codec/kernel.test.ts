import { describe, expect, it } from 'vitest';
import { Kernel } from '../../src/codec/kernel.js';
import { GatewayError } from '../../src/errors.js';

const page = 65_536;

function sharedMemory(pages: number): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

describe('a kernel', () => {
  it('works on the memory it is given, in the area it is given', () => {
    const memory = sharedMemory(20);
    const bytes = new Uint8Array(memory.buffer).fill(7);
    const kernel = new Kernel({ memory, start: 3 * page + 1, end: 4 * page });
    expect(kernel.bytes.buffer).toBe(memory.buffer);
    const source = kernel.allocate(8);
    const target = kernel.allocate(8);
    expect(source).toBe(3 * page + 16);
    kernel.bytes.set(Buffer.from('QUJD'), source);
    expect(kernel.decodeBase64(source, 4, target)).toBe(3);
    expect(Buffer.from(bytes.slice(target, target + 3)).toString()).toBe('ABC');
    expect(bytes.subarray(page, 3 * page).every((byte) => byte === 7)).toBe(true);
    expect(bytes.subarray(4 * page).every((byte) => byte === 7)).toBe(true);
  });

  it('refuses an area that overlaps its tables or leaves the memory', () => {
    const memory = sharedMemory(20);
    for (const [start, end] of [
      [page - 1, 2 * page],
      [2 * page, 21 * page],
      [2 * page, page],
    ]) {
      expect(() => new Kernel({ memory, start: start!, end: end! })).toThrow();
    }
  });

  it('sees the same bytes as samples', () => {
    const kernel = new Kernel();
    const offset = kernel.allocate(4);
    kernel.samples[offset / 2 + 1] = -2;
    expect([...kernel.bytes.subarray(offset + 2, offset + 4)]).toEqual([0xfe, 0xff]);
  });

  it('hands out aligned places that do not overlap', () => {
    const kernel = new Kernel();
    const sizes = [1, 16, 17, 0, 100, 31, 4_096];
    let end = page;
    for (const size of sizes) {
      const offset = kernel.allocate(size);
      expect(offset % 16).toBe(0);
      expect(offset).toBeGreaterThanOrEqual(end);
      end = offset + size;
    }
  });

  it('reuses what was released for requests of the same size class', () => {
    const kernel = new Kernel();
    const first = kernel.allocate(100);
    const second = kernel.allocate(100);
    kernel.release(first, 100);
    expect(kernel.allocate(64)).not.toBe(first);
    expect(kernel.allocate(97)).toBe(first);
    expect(kernel.allocate(100)).not.toBe(second);
  });

  it('says so when it is full, and works on after a release', () => {
    const kernel = new Kernel({ memory: sharedMemory(16), start: page, end: page + 1_024 });
    const offsets = Array.from({ length: 8 }, () => kernel.allocate(128));
    const allocate = (): number => kernel.allocate(1);
    expect(allocate).toThrow(GatewayError);
    expect(allocate).toThrow(expect.objectContaining({ code: 'KERNEL_FULL', fault: 'gateway' }));
    kernel.release(offsets[3]!, 128);
    expect(kernel.allocate(128)).toBe(offsets[3]);
  });

  it('refuses to take back what it never handed out', () => {
    const kernel = new Kernel();
    const offset = kernel.allocate(64);
    for (const wrong of [0, offset + 8, offset + 64]) {
      expect(() => kernel.release(wrong, 64)).toThrow();
    }
    expect(() => kernel.allocate(1.5)).toThrow();
    expect(() => kernel.allocate(-1)).toThrow();
  });

  it('copies between overlapping places', () => {
    const kernel = new Kernel();
    const offset = kernel.allocate(64);
    kernel.bytes.set([1, 2, 3, 4, 5], offset);
    kernel.copy(offset, 5, offset + 2);
    expect([...kernel.bytes.subarray(offset, offset + 7)]).toEqual([1, 2, 1, 2, 3, 4, 5]);
  });
});
