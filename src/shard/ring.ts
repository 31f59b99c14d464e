import { ringReserve } from '../limits.js';
import { headerBytes, RecordKind } from './record.js';

/** Where a ring lies in its shard's memory: byte offset, size (a power of two), and its two index words. */
export interface RingPlace {
  readonly at: number;
  readonly bytes: number;
  readonly writeWord: number;
  readonly readWord: number;
}

/** The two views of a shard's memory that everything here works on. */
export interface MemoryViews {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
}

export function viewsOf(memory: WebAssembly.Memory): MemoryViews {
  return { bytes: new Uint8Array(memory.buffer), words: new Int32Array(memory.buffer) };
}

/**
 * The producer's side. Records are laid down with `begin`/`commit` or `push` and become visible with `publish`,
 * all at once. Nothing is allocated.
 */
export class RingWriter {
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #place: RingPlace;
  readonly #mask: number;
  readonly #reserve: number;
  /** Index of the next record; runs ahead of the published one. */
  #write: number;
  /** The reader's index as last seen. */
  #read: number;
  #published: number;

  constructor(views: MemoryViews, place: RingPlace) {
    this.#bytes = views.bytes;
    this.#words = views.words;
    this.#place = place;
    this.#mask = place.bytes - 1;
    this.#reserve = place.bytes * ringReserve;
    this.#write = Atomics.load(this.#words, place.writeWord) >>> 0;
    this.#read = Atomics.load(this.#words, place.readWord) >>> 0;
    this.#published = this.#write;
  }

  get unpublished(): boolean {
    return this.#write !== this.#published;
  }

  /** Share of the ring in use, 0 to 1. */
  get fill(): number {
    const read = Atomics.load(this.#words, this.#place.readWord) >>> 0;
    return ((this.#write - read) >>> 0) / this.#place.bytes;
  }

  /**
   * Makes room for a body of up to `bodyBytes` and answers its byte offset in the memory, or -1 when the ring is
   * full; `control` may use the reserved eighth. Must be followed by `commit`, or by nothing at all.
   */
  begin(bodyBytes: number, control: boolean): number {
    const need = (headerBytes + bodyBytes + 7) & ~7;
    let at = this.#write & this.#mask;
    const toEnd = this.#place.bytes - at;
    const wanted = need > toEnd ? need + toEnd : need;
    if (!this.#hasRoom(wanted + (control ? 0 : this.#reserve))) return -1;
    if (need > toEnd) {
      const word = (this.#place.at + at) >> 2;
      this.#words[word] = toEnd;
      this.#words[word + 1] = RecordKind.Pad;
      this.#write = (this.#write + toEnd) >>> 0;
      at = 0;
    }
    return this.#place.at + at + headerBytes;
  }

  /** Completes the record begun last; `bodyBytes` may be less than was asked for. */
  commit(
    kind: number,
    slot: number,
    generation: number,
    bodyBytes: number,
    stampUs: number,
    leftUs = 0,
  ): void {
    const bytes = (headerBytes + bodyBytes + 7) & ~7;
    const word = (this.#place.at + (this.#write & this.#mask)) >> 2;
    const words = this.#words;
    words[word] = bytes;
    words[word + 1] = kind;
    words[word + 2] = slot;
    words[word + 3] = generation;
    words[word + 4] = bodyBytes;
    words[word + 5] = stampUs;
    words[word + 6] = leftUs;
    this.#write = (this.#write + bytes) >>> 0;
  }

  /** One whole record; false when the ring is full. */
  push(
    kind: number,
    slot: number,
    generation: number,
    body: Uint8Array,
    stampUs: number,
    control: boolean,
  ): boolean {
    const at = this.begin(body.length, control);
    if (at < 0) return false;
    this.#bytes.set(body, at);
    this.commit(kind, slot, generation, body.length, stampUs);
    return true;
  }

  /** Makes all records since the last call visible to the reader; false if there are none. */
  publish(): boolean {
    if (this.#write === this.#published) return false;
    this.#published = this.#write;
    Atomics.store(this.#words, this.#place.writeWord, this.#write | 0);
    return true;
  }

  #hasRoom(bytes: number): boolean {
    if (((this.#write - this.#read) >>> 0) + bytes <= this.#place.bytes) return true;
    this.#read = Atomics.load(this.#words, this.#place.readWord) >>> 0;
    return ((this.#write - this.#read) >>> 0) + bytes <= this.#place.bytes;
  }
}

/**
 * The consumer's side: `next` moves to a record and shows it in the fields; `release` gives the room of all records
 * seen so far back to the producer. A body is valid until then.
 */
export class RingReader {
  readonly #words: Int32Array;
  readonly #place: RingPlace;
  readonly #mask: number;
  #read: number;
  #write: number;

  kind = 0;
  slot = 0;
  generation = 0;
  /** Byte offset of the body in the shard's memory. */
  at = 0;
  bytes = 0;
  stampUs = 0;
  /** When it was laid down, if its way is measured; 0 otherwise. */
  leftUs = 0;

  /** @param from index of the first record; where the reader before left off if there is none */
  constructor(views: MemoryViews, place: RingPlace, from?: number) {
    this.#words = views.words;
    this.#place = place;
    this.#mask = place.bytes - 1;
    this.#read = from ?? Atomics.load(this.#words, place.readWord) >>> 0;
    this.#write = this.#read;
  }

  /** Index behind the record that is shown. */
  get taken(): number {
    return this.#read;
  }

  next(): boolean {
    for (;;) {
      if (this.#read === this.#write) {
        this.#write = Atomics.load(this.#words, this.#place.writeWord) >>> 0;
        if (this.#read === this.#write) return false;
      }
      const start = this.#place.at + (this.#read & this.#mask);
      const word = start >> 2;
      const words = this.#words;
      this.#read = (this.#read + words[word]!) >>> 0;
      this.kind = words[word + 1]!;
      if (this.kind === RecordKind.Pad) continue;
      this.slot = words[word + 2]!;
      this.generation = words[word + 3]!;
      this.bytes = words[word + 4]!;
      this.stampUs = words[word + 5]!;
      this.leftUs = words[word + 6]!;
      this.at = start + headerBytes;
      return true;
    }
  }

  /** Share of the ring in use, 0 to 1. */
  get fill(): number {
    const write = Atomics.load(this.#words, this.#place.writeWord) >>> 0;
    return ((write - this.#read) >>> 0) / this.#place.bytes;
  }

  /** True if a record is waiting beyond those already seen. */
  get waiting(): boolean {
    return this.#read !== Atomics.load(this.#words, this.#place.writeWord) >>> 0;
  }

  release(): void {
    Atomics.store(this.#words, this.#place.readWord, this.#read | 0);
  }
}
