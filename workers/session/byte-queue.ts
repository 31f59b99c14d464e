/**
 * A queue of bytes in one growing circle. Small while little is queued; grows by doubling up to its limit and gives
 * the room back when it runs empty.
 */
export class ByteQueue {
  readonly #bytesMax: number;
  #buffer = empty;
  #read = 0;
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get length(): number {
    return this.#length;
  }

  /** Room left before the limit. */
  get room(): number {
    return this.#bytesMax - this.#length;
  }

  /** Appends bytes of `source`; the caller has looked at `room`. */
  push(source: Uint8Array, at: number, bytes: number): void {
    if (this.#length + bytes > this.#buffer.length) this.#grow(this.#length + bytes);
    const buffer = this.#buffer;
    const mask = buffer.length - 1;
    let write = this.#read + this.#length;
    for (let i = at; i < at + bytes; i += 1) {
      buffer[write & mask] = source[i]!;
      write += 1;
    }
    this.#length += bytes;
  }

  /** Moves the oldest bytes into `target`. */
  take(target: Uint8Array, at: number, bytes: number): void {
    const buffer = this.#buffer;
    const mask = buffer.length - 1;
    let read = this.#read;
    for (let i = at; i < at + bytes; i += 1) {
      target[i] = buffer[read & mask]!;
      read += 1;
    }
    this.#read = read & mask;
    this.#length -= bytes;
    if (this.#length === 0) this.clear();
  }

  clear(): void {
    this.#length = 0;
    this.#read = 0;
    if (this.#buffer.length > keptBytes) this.#buffer = empty;
  }

  #grow(bytes: number): void {
    let size = Math.max(this.#buffer.length, keptBytes / 4);
    while (size < bytes) size *= 2;
    const next = new Uint8Array(size);
    const length = this.#length;
    const toEnd = Math.min(length, this.#buffer.length - this.#read);
    next.set(this.#buffer.subarray(this.#read, this.#read + toEnd));
    next.set(this.#buffer.subarray(0, length - toEnd), toEnd);
    this.#buffer = next;
    this.#read = 0;
  }
}

const empty = new Uint8Array(0);
/** An emptied queue keeps a buffer up to this size. */
const keptBytes = 4_096;
