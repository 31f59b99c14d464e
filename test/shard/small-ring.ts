import { type MemoryViews, type RingPlace, RingReader, RingWriter } from '../../src/shard/ring.js';

export const guardByte = 0x5a;
const ringAt = 256;

/** One ring of a few bytes with guards around it, and both of its ends. */
export class SmallRing {
  readonly bytes: number;
  readonly views: MemoryViews;
  readonly place: RingPlace;
  readonly writer: RingWriter;
  readonly reader: RingReader;

  /** @param startIndex what both index words hold when the ring is opened */
  constructor(bytes: number, startIndex = 0) {
    const memory = new SharedArrayBuffer(ringAt + bytes + 256);
    this.bytes = bytes;
    this.views = { bytes: new Uint8Array(memory), words: new Int32Array(memory) };
    this.views.bytes.fill(guardByte);
    this.place = { at: ringAt, bytes, writeWord: 0, readWord: 32 };
    this.views.words[0] = startIndex | 0;
    this.views.words[32] = startIndex | 0;
    this.writer = new RingWriter(this.views, this.place);
    this.reader = new RingReader(this.views, this.place);
  }

  /** Bytes between the two published indices. */
  get used(): number {
    const { words } = this.views;
    return (words[0]! - words[32]!) >>> 0;
  }

  /** True if nothing outside of the ring and its two words was written. */
  get guarded(): boolean {
    const { bytes } = this.views;
    const index = [0, 1, 2, 3, 128, 129, 130, 131];
    const isGuard = (_: number, at: number) =>
      (at >= ringAt && at < ringAt + this.bytes) || index.includes(at) || bytes[at] === guardByte;
    return bytes.every(isGuard);
  }

  push(body: Uint8Array, control = true, kind = 2): boolean {
    return this.writer.push(kind, 7, 9, body, 11, control);
  }

  /** The bodies of all records that the reader sees now. */
  take(): Uint8Array[] {
    const bodies: Uint8Array[] = [];
    while (this.reader.next()) bodies.push(this.body());
    return bodies;
  }

  /** A copy of the body of the reader's current record. */
  body(): Uint8Array {
    return this.views.bytes.slice(this.reader.at, this.reader.at + this.reader.bytes);
  }
}

/** Bytes that differ from record to record. */
export function filled(bytes: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (seed * 31 + i * 7 + 1) & 0xff);
}
