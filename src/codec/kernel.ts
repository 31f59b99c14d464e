import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { GatewayError } from '../errors.js';

/** A byte range of a shared memory that a kernel may hand out. Below 64 KiB lies its static data. */
export interface KernelArea {
  readonly memory: WebAssembly.Memory;
  readonly start: number;
  readonly end: number;
}

/** End of what every kernel keeps for its own tables. */
export const kernelDataBytesMax = 65_536;

const ownMemoryPages = 64; // 4 MiB: a few hundred states, or all filters and room for frames
const pageBytes = 65_536;
const alignment = 16;

/** Offsets are in bytes, counts in samples (int16) or characters. Nothing may overlap. */
interface KernelExports {
  dataEnd(): number;
  /** base64 to bytes. Returns the bytes written, or -1 for bad text. Room: `bytes * 3 / 4` bytes. */
  decodeBase64(source: number, bytes: number, target: number): number;
  /** Bytes to base64 with padding. Returns the characters written: `ceil(bytes / 3) * 4`. */
  encodeBase64(source: number, bytes: number, target: number): number;
  /** `count` µ-law bytes to int16. */
  decodeMulaw(source: number, count: number, target: number): void;
  /** `count` int16 samples to µ-law bytes. */
  encodeMulaw(source: number, count: number, target: number): void;
  /** base64 of µ-law to int16. Returns the samples written, or -1 for bad text. */
  decodeBase64Mulaw(source: number, bytes: number, target: number): number;
  /** int16 to base64 of µ-law. Returns the characters written: `ceil(count / 3) * 4`. */
  encodeMulawBase64(source: number, count: number, target: number): number;
  /** Copies bytes; the two ranges may overlap. */
  copy(source: number, bytes: number, target: number): void;
  /** The three below serve `Resampler`; the layout of a state is drawn in `kernel/resample.ts`. */
  resample(state: number, source: number, count: number, target: number): number;
  flush(state: number, target: number): number;
  reset(state: number): void;
  /** Sum of the squares of `count` int16 samples; their greatest magnitude goes to `result` as an int32. */
  level(source: number, count: number, result: number): number;
  /** Serves `MediaScan`: 1 and a result, drawn in `kernel/scan.ts`, or 0. */
  scanMedia(source: number, bytes: number, result: number): number;
}

/**
 * The codec's WebAssembly functions over one shared memory, and the memory they work in. Its states and
 * buffers are reserved when a call opens and given back when it ends. Only one kernel may work on a
 * memory at a time, as each has its scratch area in the first 64 KiB.
 */
export class Kernel {
  /** Over the whole memory. */
  readonly bytes: Uint8Array;
  /** Over the whole memory: the index is the byte offset / 2. */
  readonly samples: Int16Array;
  readonly decodeBase64: KernelExports['decodeBase64'];
  readonly encodeBase64: KernelExports['encodeBase64'];
  readonly decodeMulaw: KernelExports['decodeMulaw'];
  readonly encodeMulaw: KernelExports['encodeMulaw'];
  readonly decodeBase64Mulaw: KernelExports['decodeBase64Mulaw'];
  readonly encodeMulawBase64: KernelExports['encodeMulawBase64'];
  readonly copy: KernelExports['copy'];
  readonly resample: KernelExports['resample'];
  readonly flush: KernelExports['flush'];
  readonly reset: KernelExports['reset'];
  readonly level: KernelExports['level'];
  readonly scanMedia: KernelExports['scanMedia'];
  readonly #start: number;
  readonly #end: number;
  #next: number;
  /** Released offsets by rounded size. */
  readonly #free = new Map<number, number[]>();

  /** Without an area, the kernel gets a memory of its own. */
  constructor(area: KernelArea = ownArea()) {
    const { memory, start, end } = area;
    assert(start >= kernelDataBytesMax, 'the first 64 KiB belong to the kernel itself');
    assert(start <= end && end <= memory.buffer.byteLength, 'the area must lie in the memory');
    const kernel = instantiate(memory);
    assert(kernel.dataEnd() <= kernelDataBytesMax, 'static data must fit the first 64 KiB');
    this.bytes = new Uint8Array(memory.buffer);
    this.samples = new Int16Array(memory.buffer);
    this.decodeBase64 = kernel.decodeBase64;
    this.encodeBase64 = kernel.encodeBase64;
    this.decodeMulaw = kernel.decodeMulaw;
    this.encodeMulaw = kernel.encodeMulaw;
    this.decodeBase64Mulaw = kernel.decodeBase64Mulaw;
    this.encodeMulawBase64 = kernel.encodeMulawBase64;
    this.copy = kernel.copy;
    this.resample = kernel.resample;
    this.flush = kernel.flush;
    this.reset = kernel.reset;
    this.level = kernel.level;
    this.scanMedia = kernel.scanMedia;
    this.#start = roundedUp(start);
    this.#end = end;
    this.#next = this.#start;
  }

  /** Reserves bytes at an offset that is a multiple of 16; what they hold is anything. */
  allocate(bytes: number): number {
    const size = sizeFor(bytes);
    const reused = this.#free.get(size)?.pop();
    if (reused !== undefined) return reused;
    const offset = this.#next;
    if (offset + size > this.#end) {
      throw new GatewayError(
        'KERNEL_FULL',
        `no room for ${bytes} bytes in the kernel's ${this.#end - this.#start}`,
      );
    }
    this.#next = offset + size;
    return offset;
  }

  /** Gives back what `allocate(bytes)` returned, once; a later request of the same size reuses it. */
  release(offset: number, bytes: number): void {
    const size = sizeFor(bytes);
    assert(
      offset % alignment === 0 && offset >= this.#start && offset + size <= this.#next,
      'only what was allocated can be released',
    );
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [offset]);
    else free.push(offset);
  }
}

function roundedUp(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

function sizeFor(bytes: number): number {
  assert(Number.isInteger(bytes) && bytes >= 0, 'a size must be a whole number of bytes');
  return Math.max(alignment, roundedUp(bytes));
}

/** Fixed size, as growing would detach the views. */
function ownArea(): KernelArea {
  const memory = new WebAssembly.Memory({
    initial: ownMemoryPages,
    maximum: ownMemoryPages,
    shared: true,
  });
  return { memory, start: kernelDataBytesMax, end: ownMemoryPages * pageBytes };
}

let compiled: WebAssembly.Module | undefined; // once per thread

function instantiate(memory: WebAssembly.Memory): KernelExports {
  const path = createRequire(import.meta.url).resolve('#kernel.wasm');
  compiled ??= new WebAssembly.Module(readFileSync(path));
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return exports as unknown as KernelExports;
}
