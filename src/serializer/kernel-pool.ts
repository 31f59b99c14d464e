import { Kernel } from '../codec/kernel.js';
import { messageBytesMax } from '../limits.js';
import { MediaScan } from './media-scan.js';
import { Scratch } from './stream-codec.js';

/**
 * Serializers that share one kernel. So many always find room in its 4 MiB: three states each, each
 * of which may have been of every size by turns, besides the filters of all pairs of rates. A test
 * fills one to prove it.
 */
export const seatsPerKernel = 256;

/** One kernel with its working areas; whoever uses it does so within one synchronous step. */
export class SharedKernel {
  readonly kernel = new Kernel();
  readonly scratch = new Scratch(this.kernel);
  readonly scan = new MediaScan(this.kernel);
  seats = 0;
  readonly #buffer = Buffer.from(this.kernel.bytes.buffer);

  /**
   * Puts a message of at most 64 KB at `scratch.textAt`; answers its bytes, more than 64 KB if that
   * is what it is.
   */
  place(content: string | Uint8Array): number {
    if (typeof content === 'string') return this.scratch.write(content);
    if (content.length <= messageBytesMax) this.kernel.bytes.set(content, this.scratch.textAt);
    return content.length;
  }

  /** The first bytes at `scratch.wireAt`, in place: valid until the next piece is encoded. */
  wire(bytes: number): Buffer {
    const { wireAt } = this.scratch;
    return this.#buffer.subarray(wireAt, wireAt + bytes);
  }
}

/** Of this thread. The first is kept, the others go when their last seat is free. */
const kernels: SharedKernel[] = [];

/** A kernel with a free seat, which is taken; give it back once. */
export function takeSeat(): SharedKernel {
  let shared = kernels.find(({ seats }) => seats < seatsPerKernel);
  if (shared === undefined) {
    shared = new SharedKernel();
    kernels.push(shared);
  }
  shared.seats += 1;
  return shared;
}

export function leaveSeat(shared: SharedKernel): void {
  shared.seats -= 1;
  if (shared.seats === 0 && kernels.length > 1) kernels.splice(kernels.indexOf(shared), 1);
}

/** Kernels of this thread that are open. */
export function kernelCount(): number {
  return kernels.length;
}
