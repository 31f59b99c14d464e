import { counter, drop } from '../src/shard/counters.js';
import type { Doorbell } from '../src/shard/doorbell.js';
import { RecordKind } from '../src/shard/record.js';
import type { RingWriter } from '../src/shard/ring.js';
import type { ShardClock } from './clock.js';
import type { StageProbe } from './stage-probe.js';

interface Kept {
  readonly kind: number;
  readonly slot: number;
  readonly generation: number;
  readonly body: Uint8Array;
}

/** Steps of a call's life that wait for room in the ring; more means that the front is gone. */
const keptMax = 100_000;
const encoder = new TextEncoder();

/**
 * The shard's way out. Audio and control messages are refused when the ring is full; the steps of a call's life
 * (started, hangup, close) are kept and tried again, and never overtaken by each other.
 */
export class Outbox {
  readonly #ring: RingWriter;
  readonly #bell: Doorbell;
  readonly #clock: ShardClock;
  readonly #values: Float64Array;
  readonly #probe: StageProbe;
  readonly #kept: Kept[] = [];
  #flushAsked = false;

  constructor(
    ring: RingWriter,
    bell: Doorbell,
    clock: ShardClock,
    values: Float64Array,
    probe: StageProbe,
  ) {
    this.#ring = ring;
    this.#bell = bell;
    this.#clock = clock;
    this.#values = values;
    this.#probe = probe;
  }

  /** Room for an audio message of up to `bytes`: its offset in the shard's memory, or -1 and counted. */
  beginAudio(bytes: number): number {
    const at = this.#ring.begin(bytes, false);
    if (at < 0) this.#values[drop['egress-full']]! += 1;
    return at;
  }

  commitAudio(slot: number, generation: number, bytes: number): void {
    const leftUs = this.#probe.active ? this.#probe.left() : 0;
    this.#ring.commit(RecordKind.Audio, slot, generation, bytes, this.#clock.causeUs(), leftUs);
    this.#values[counter.mediaOut]! += 1;
    this.#askFlush();
  }

  /** A message to Plivo that is not audio; false if there is no room. */
  control(slot: number, generation: number, text: string): boolean {
    return this.controlBytes(slot, generation, encoder.encode(text));
  }

  /** The same for text as bytes. */
  controlBytes(slot: number, generation: number, body: Uint8Array): boolean {
    const sent = this.#ring.push(
      RecordKind.Control,
      slot,
      generation,
      body,
      this.#clock.causeUs(),
      true,
    );
    this.#values[sent ? counter.messagesOut : drop['egress-full']]! += 1;
    this.#askFlush();
    return sent;
  }

  /** A step of a call's life; always arrives, and is published at once: it must outlive what comes next. */
  life(kind: number, slot: number, generation: number, body: object): void {
    const bytes = encoder.encode(JSON.stringify(body));
    if (this.#kept.length > 0 || !this.#push({ kind, slot, generation, body: bytes })) {
      if (this.#kept.length >= keptMax) throw new Error('the front no longer reads its ring');
      this.#kept.push({ kind, slot, generation, body: bytes });
    }
    this.flush();
  }

  /** Publishes all that was written and rings once. */
  flush(): void {
    while (this.#kept.length > 0 && this.#push(this.#kept[0]!)) this.#kept.shift();
    this.#flushAsked = false;
    if (this.#ring.publish()) this.#bell.ring();
  }

  #push({ kind, slot, generation, body }: Kept): boolean {
    return this.#ring.push(kind, slot, generation, body, this.#clock.causeUs(), true);
  }

  /** Outside the loop, in a handler's own timer or promise, whatever is sent in one go is published together. */
  #askFlush(): void {
    if (this.#clock.inTurn || this.#flushAsked) return;
    this.#flushAsked = true;
    setImmediate(() => this.flush());
  }
}
