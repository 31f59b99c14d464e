import type { Kernel } from '../codec/kernel.js';

/** Size and words of the result that `kernel/scan.ts` draws. */
const resultBytes = 16;

/**
 * Finds the payload of a `media` message without parsing it: the kernel walks the bytes once, as strict as JSON, in
 * any order of the members. Where it is not sure (another event, an escape in a name, a nested value, a doubled
 * member, anything not ASCII) it answers false and the message goes through `JSON.parse`, so both always agree.
 */
export class MediaScan {
  /** Byte offset of the base64 payload and its length. */
  payloadAt = 0;
  payloadBytes = 0;
  /** False for Plivo's own track (`outbound`). */
  inbound = true;
  /** Number of the packet in its track; -1 where the message does not tell. */
  chunk = -1;

  readonly #kernel: Kernel;
  readonly #resultAt: number;
  readonly #result: Uint32Array;

  /** Its result stays in the kernel's memory as long as the kernel. */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#resultAt = kernel.allocate(resultBytes);
    this.#result = new Uint32Array(kernel.bytes.buffer, this.#resultAt, resultBytes / 4);
  }

  /** True: the fields hold what this message says. `at` is a byte offset in the kernel's memory. */
  scan(at: number, bytes: number): boolean {
    if (this.#kernel.scanMedia(at, bytes, this.#resultAt) === 0) return false;
    const result = this.#result;
    this.payloadAt = result[0]!;
    this.payloadBytes = result[1]!;
    this.inbound = result[2] === 1;
    this.chunk = result[3]! | 0;
    return true;
  }
}
