import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ringReserve } from '../../src/limits.js';
import { headerBytes } from '../../src/shard/record.js';
import { RingReader, RingWriter } from '../../src/shard/ring.js';
import { filled, SmallRing } from './small-ring.js';

const ringBytes = 1_024;
const reserve = ringBytes * ringReserve;
const recordBytes = (body: number): number => Math.ceil((headerBytes + body) / 8) * 8;

type Step =
  | { readonly do: 'push'; readonly bytes: number; readonly control: boolean }
  | { readonly do: 'begin'; readonly bytes: number; readonly used: number | undefined }
  | { readonly do: 'publish' | 'release' }
  | { readonly do: 'take'; readonly records: number };

const size = fc.oneof(
  { weight: 6, arbitrary: fc.nat(80) },
  { weight: 2, arbitrary: fc.nat(400) },
  { weight: 1, arbitrary: fc.integer({ min: 900, max: 1_100 }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('push' as const), bytes: size, control: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ bytes: size, part: fc.option(fc.double({ min: 0, max: 1, noNaN: true })) })
      .map(({ bytes, part }) => ({
        do: 'begin' as const,
        bytes,
        used: part === null ? undefined : Math.floor(bytes * part),
      })),
  },
  { weight: 4, arbitrary: fc.constant<Step>({ do: 'publish' }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), records: fc.nat(8) }) },
  { weight: 3, arbitrary: fc.constant<Step>({ do: 'release' }) },
);
/** Most runs begin a few records before the index words wrap around. */
const startIndex = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 600 }).map((records) => 2 ** 32 - 8 * records),
  fc.integer({ min: 0, max: 400 }).map((records) => 2 ** 31 - 8 * records),
);

interface Expected {
  readonly body: Uint8Array;
  readonly tag: number;
}

/** The ring beside a plain queue: `laid` is not yet published, `visible` not yet taken. */
class Modelled {
  readonly ring: SmallRing;
  laid: Expected[] = [];
  visible: Expected[] = [];
  taken = 0;
  count = 0;

  constructor(start: number) {
    this.ring = new SmallRing(ringBytes, start);
  }

  run(step: Step): void {
    if (step.do === 'push') this.#push(step.bytes, step.control);
    else if (step.do === 'begin') this.#begin(step.bytes, step.used);
    else if (step.do === 'publish') this.#publish();
    else if (step.do === 'take') this.#take(step.records);
    else this.ring.reader.release();
    expect(this.ring.used).toBeLessThanOrEqual(ringBytes);
    expect(this.ring.used % 8).toBe(0);
  }

  #push(bytes: number, control: boolean): void {
    const body = filled(bytes, this.count);
    const before = this.#inUse();
    const { count: tag } = this;
    const pushed = this.ring.writer.push(2, tag, ~tag, body, tag * 1_000, control);
    this.#judge(pushed, bytes, before, control);
    if (pushed) this.#laid(body);
  }

  /** Begins a record and completes it with `used` bytes, or leaves it. */
  #begin(bytes: number, used: number | undefined): void {
    const before = this.#inUse();
    const at = this.ring.writer.begin(bytes, true);
    this.#judge(at >= 0, bytes, before, true);
    if (at < 0 || used === undefined) return;
    const body = filled(used, this.count);
    this.ring.views.bytes.set(body, at);
    this.ring.writer.commit(2, this.count, ~this.count, used, this.count * 1_000);
    this.#laid(body);
  }

  #laid(body: Uint8Array): void {
    this.laid.push({ body, tag: this.count });
    this.count += 1;
  }

  #inUse(): number {
    return Math.round(this.ring.writer.fill * ringBytes);
  }

  /** A record is refused if it does not fit, and never if it fits even with the worst padding. */
  #judge(accepted: boolean, bytes: number, before: number, control: boolean): void {
    const need = before + recordBytes(bytes) + (control ? 0 : reserve);
    if (need > ringBytes) expect(accepted).toBe(false);
    if (need + recordBytes(bytes) - 8 <= ringBytes) expect(accepted).toBe(true);
  }

  #publish(): void {
    const hadRecords = this.laid.length > 0;
    const published = this.ring.writer.publish();
    if (hadRecords) expect(published).toBe(true);
    expect(this.ring.writer.unpublished).toBe(false);
    this.visible.push(...this.laid);
    this.laid = [];
  }

  #take(records: number): void {
    const { reader } = this.ring;
    for (let i = 0; i < records; i += 1) {
      const expected = this.visible.shift();
      expect(reader.next()).toBe(expected !== undefined);
      if (expected === undefined) return;
      expect(Buffer.compare(this.ring.body(), expected.body)).toBe(0);
      expect([reader.kind, reader.slot, reader.generation, reader.stampUs]).toEqual([
        2,
        expected.tag,
        ~expected.tag,
        expected.tag * 1_000,
      ]);
    }
  }

  drain(): void {
    this.#publish();
    this.#take(this.visible.length + 1);
    this.ring.reader.release();
    expect(this.ring.reader.waiting).toBe(false);
    expect(this.ring.used).toBe(0);
    expect(this.ring.guarded).toBe(true);
  }
}

describe('a ring', () => {
  it('hands over every record once, in order and whole, like a queue, wherever its indices are', () => {
    fc.assert(
      fc.property(startIndex, fc.array(step, { minLength: 40, maxLength: 200 }), (start, steps) => {
        const modelled = new Modelled(start);
        for (const next of steps) modelled.run(next);
        modelled.drain();
      }),
      { seed: 20_261, numRuns: 250 },
    );
  });

  it('shows nothing to the reader before publish, and all of it at once afterwards', () => {
    const ring = new SmallRing(ringBytes);
    ring.push(filled(10, 1));
    ring.push(filled(20, 2));
    expect(ring.writer.unpublished).toBe(true);
    expect(ring.reader.waiting).toBe(false);
    expect(ring.take()).toEqual([]);
    expect(ring.writer.publish()).toBe(true);
    expect(ring.reader.waiting).toBe(true);
    expect(ring.take()).toEqual([filled(10, 1), filled(20, 2)]);
    expect(ring.writer.publish()).toBe(false);
  });

  it('keeps a body untouched until release, however much the writer wants to write', () => {
    const ring = new SmallRing(ringBytes);
    const body = filled(200, 3);
    ring.push(body);
    ring.writer.publish();
    expect(ring.reader.next()).toBe(true);
    while (ring.push(filled(40, 4))) ring.writer.publish();
    expect(ring.body()).toEqual(body);
    const refused = ring.push(filled(40, 5));
    ring.reader.release();
    expect([refused, ring.push(filled(40, 5))]).toEqual([false, true]);
  });

  it('keeps the last eighth for control records', () => {
    const ring = new SmallRing(ringBytes);
    let audio = 0;
    while (ring.push(filled(32, audio), false)) audio += 1;
    expect(audio * recordBytes(32)).toBe(ringBytes - reserve);
    let control = 0;
    while (ring.push(filled(32, control), true)) control += 1;
    expect(control * recordBytes(32)).toBe(reserve);
    expect(ring.push(new Uint8Array(0), true)).toBe(false);
    ring.writer.publish();
    expect(ring.take()).toHaveLength(audio + control);
    expect(ring.writer.fill).toBe(1);
    expect(ring.used).toBe(ringBytes);
  });

  it('pads the end for a record that does not fit there, even one of the smallest gaps', () => {
    const ring = new SmallRing(256);
    ring.push(filled(256 - headerBytes - headerBytes - 8, 1));
    ring.push(new Uint8Array(0));
    ring.writer.publish();
    expect(ring.take()).toHaveLength(2);
    ring.reader.release();
    expect(ring.push(filled(1, 2))).toBe(true); // 8 bytes are left before the end
    ring.writer.publish();
    expect(ring.take()).toEqual([filled(1, 2)]);
    expect(ring.reader.at).toBe(ring.place.at + headerBytes);
  });

  it('forgets a record that was begun and not committed', () => {
    const ring = new SmallRing(ringBytes);
    expect(ring.writer.begin(100, true)).toBeGreaterThan(0);
    expect(ring.writer.publish()).toBe(false);
    ring.push(filled(5, 1));
    ring.writer.publish();
    expect(ring.take()).toEqual([filled(5, 1)]);
  });

  it('refuses a record larger than itself and takes the next one that fits', () => {
    const ring = new SmallRing(ringBytes);
    expect(ring.push(new Uint8Array(ringBytes - headerBytes + 1))).toBe(false);
    expect(ring.push(filled(ringBytes - headerBytes, 1))).toBe(true);
    ring.writer.publish();
    expect(ring.take()).toEqual([filled(ringBytes - headerBytes, 1)]);
  });

  it('goes on where its index words say, when its ends are opened anew', () => {
    const ring = new SmallRing(ringBytes, 2 ** 32 - 64);
    ring.push(filled(30, 1));
    ring.writer.publish();
    const writer = new RingWriter(ring.views, ring.place);
    writer.push(2, 0, 0, filled(40, 2), 0, true);
    writer.publish();
    const reader = new RingReader(ring.views, ring.place);
    const bodies: Uint8Array[] = [];
    while (reader.next()) {
      bodies.push(ring.views.bytes.slice(reader.at, reader.at + reader.bytes));
    }
    expect(bodies).toEqual([filled(30, 1), filled(40, 2)]);
  });
});
