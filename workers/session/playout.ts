import { checkpointsPendingMax, playoutCatchUpMs, playPayloadBytesMax } from '../../src/limits.js';
import { checkpointText, clearAudioText, playAudioEnds } from '../../src/plivo/messages.js';
import {
  encodeSamplesMax,
  type Scratch,
  type StreamCodec,
} from '../../src/serializer/stream-codec.js';
import { counter } from '../../src/shard/counters.js';
import type { Outbox } from '../outbox.js';
import type { ShardContext } from '../shard-context.js';
import type { StageProbe } from '../stage-probe.js';
import type { VoiceMeter } from '../voice/voice-meter.js';
import { ByteQueue } from './byte-queue.js';
import type { SessionNotes } from './session-notes.js';
import type { StreamOwner } from './stream.js';

interface Checkpoint {
  /** As the application named it. */
  readonly name: string;
  /** As it stands on the wire: unique in the session. */
  readonly wireName: string;
  /** Sent when so many bytes have been sent. */
  readonly atByte: number;
  sent: boolean;
}

/** What is inside the filter is sent after this long without new audio, when Plivo is about to run dry. */
const tailFlushMs = 60;
/** No filter holds more than this. */
const tailMsMax = 10;

/**
 * Outgoing audio of one session that was not yet heard. Audio leaves at once while the lead, the audio that Plivo
 * holds by our clock, is below its limit; the rest waits here in wire form and is released by the tick.
 *
 * The clock of a talk spurt is absolute: `#spurtMs` is when its first byte was played, and lead = bytes sent since
 * then, as time, minus the time since then. A pause up to `playoutCatchUpMs` does not move it, so what was late is
 * made up for at once; a longer one starts a new spurt.
 */
export class Playout {
  readonly #codec: StreamCodec;
  readonly #scratch: Scratch;
  readonly #outbox: Outbox;
  readonly #values: Float64Array;
  readonly #probe: StageProbe;
  readonly #meter: VoiceMeter;
  readonly #notes: SessionNotes;
  readonly #slot: number;
  readonly #generation: number;
  readonly #streamId: string;
  readonly #queue: ByteQueue;
  readonly #leadMs: number;
  readonly #chunkBytes: number;
  readonly #headAt: number;
  readonly #headBytes: number;
  readonly #tailBytes: number;
  readonly #checkpoints: Checkpoint[] = [];
  /** Tells checkpoints from those of the shards before. */
  readonly #mark: string;
  /** Bytes queued and bytes sent since the session began. */
  #queued = 0;
  #sent = 0;
  #spurtMs = 0;
  #spurtSent = 0;
  #lastPlayMs = 0;
  #tailWaits = false;
  /** Something was sent since the last clear. */
  #dirty = false;
  #clearOwed = false;
  #checkpointCount = 0;
  /** Frames sent. */
  frames = 0;

  constructor(
    { scratch, outbox, values, probe, options: { playout: options } }: ShardContext,
    codec: StreamCodec,
    meter: VoiceMeter,
    owner: Pick<StreamOwner, 'slot' | 'generation' | 'notes' | 'adoptions'>,
    streamId: string,
  ) {
    this.#codec = codec;
    this.#scratch = scratch;
    this.#outbox = outbox;
    this.#values = values;
    this.#probe = probe;
    this.#meter = meter;
    this.#notes = owner.notes;
    this.#slot = owner.slot;
    this.#generation = owner.generation;
    this.#mark = owner.adoptions === 0 ? '' : `${owner.adoptions}.`;
    // What an earlier shard has sent may lie at Plivo still.
    this.#dirty = owner.adoptions > 0;
    this.#streamId = streamId;
    this.#leadMs = options.leadMs;
    const whole = Math.floor(playPayloadBytesMax / codec.bytesPerMs / 20) * 20;
    this.#chunkBytes = Math.min(options.chunkMs, whole) * codec.bytesPerMs;
    this.#queue = new ByteQueue(options.queueMs * codec.bytesPerMs);
    const [head, tail] = playAudioEnds(codec.format);
    const kernel = scratch.kernel;
    this.#headBytes = head.length;
    this.#tailBytes = tail.length;
    this.#headAt = kernel.allocate(head.length + tail.length);
    kernel.bytes.set(Buffer.from(head + tail, 'latin1'), this.#headAt);
  }

  /** Audio that Plivo has and has not yet played, by our clock; negative after a pause. */
  #lead(nowMs: number): number {
    return (this.#sent - this.#spurtSent) / this.#codec.bytesPerMs - (nowMs - this.#spurtMs);
  }

  /** Milliseconds until all that is known now has been heard. */
  remainingMs(nowMs: number): number {
    const atPlivo = this.#sent === 0 ? 0 : Math.max(0, this.#lead(nowMs));
    return atPlivo + this.#queue.length / this.#codec.bytesPerMs;
  }

  /** Takes samples at a rate the codec knows; false when the queue has no room for them. */
  play(samples: Int16Array, rate: number, nowMs: number): boolean {
    const wireMax = ((samples.length / rate) * 1_000 + tailMsMax) * this.#codec.bytesPerMs;
    if (wireMax > this.#queue.room) {
      this.#notes.count('queue-full');
      return false;
    }
    if (this.#probe.active) this.#probe.encoding();
    if (this.#codec.changesRate(rate)) {
      this.#flushTail(nowMs);
      this.#codec.setRate(rate);
    }
    const target = this.#scratch.kernel.samples;
    const at = this.#scratch.samplesAt;
    for (let from = 0; from < samples.length; from += encodeSamplesMax) {
      const count = Math.min(encodeSamplesMax, samples.length - from);
      const piece = count === samples.length ? samples : samples.subarray(from, from + count);
      target.set(piece, at >> 1);
      const bytes = this.#codec.encode(count);
      this.#measure();
      this.#offer(bytes, nowMs);
    }
    this.#tailWaits = true;
    this.#dirty = true;
    this.#lastPlayMs = nowMs;
    return true;
  }

  #measure(): void {
    const { streamSamples } = this.#codec;
    if (streamSamples === 0) return;
    const sum = this.#scratch.level(this.#codec);
    this.#meter.encoded(sum, this.#scratch.peak, streamSamples);
  }

  /** Wire bytes at `scratch.wireAt`: whole chunks leave as long as the lead allows, the rest is queued. */
  #offer(bytes: number, nowMs: number): void {
    if (bytes === 0) return;
    const { wireAt } = this.#scratch;
    let at = 0;
    if (this.#queue.length === 0) {
      this.#startSpurt(nowMs);
      while (bytes - at >= this.#chunkBytes && this.#lead(nowMs) < this.#leadMs) {
        this.#send(wireAt + at, this.#chunkBytes, nowMs);
        at += this.#chunkBytes;
      }
    }
    if (at < bytes) this.#queue.push(this.#scratch.kernel.bytes, wireAt + at, bytes - at);
    this.#queued += bytes;
    if (this.#queue.length >= this.#chunkBytes) this.#release(nowMs, false);
  }

  #startSpurt(nowMs: number): void {
    if (this.#sent > 0 && this.#lead(nowMs) > -playoutCatchUpMs) return;
    this.#spurtMs = nowMs;
    this.#spurtSent = this.#sent;
  }

  /** Sends what is due of the queue. `waited`: it was there before. */
  #release(nowMs: number, waited: boolean): void {
    this.#startSpurt(nowMs);
    for (;;) {
      const leadMs = this.#lead(nowMs);
      if (this.#queue.length < this.#chunkBytes || leadMs >= this.#leadMs) return;
      // The caller has heard all that was before it.
      if (leadMs < 0 && waited) this.#meter.late(1);
      this.#sendQueued(this.#chunkBytes, nowMs);
    }
  }

  #sendQueued(bytes: number, nowMs: number): void {
    const { wireAt, kernel } = this.#scratch;
    this.#queue.take(kernel.bytes, wireAt, bytes);
    this.#send(wireAt, bytes, nowMs);
  }

  /** One `playAudio`, written straight into the ring. */
  #send(wireAt: number, bytes: number, nowMs: number): void {
    const { kernel } = this.#scratch;
    const chars = Math.ceil(bytes / 3) * 4;
    this.#sent += bytes;
    const at = this.#outbox.beginAudio(this.#headBytes + chars + this.#tailBytes);
    if (at < 0) return this.#notes.counted('egress-full');
    kernel.copy(this.#headAt, this.#headBytes, at);
    kernel.encodeBase64(wireAt, bytes, at + this.#headBytes);
    kernel.copy(this.#headAt + this.#headBytes, this.#tailBytes, at + this.#headBytes + chars);
    this.#outbox.commitAudio(
      this.#slot,
      this.#generation,
      this.#headBytes + chars + this.#tailBytes,
    );
    this.frames += 1;
    // Only now: what it tells goes into the same ring.
    this.#meter.sent(nowMs, bytes / this.#codec.bytesPerMs);
    if (this.#checkpoints.length > 0) this.#sendCheckpoints();
  }

  /** Releases what is due; sends a part of a chunk or the filter's tail before the caller hears a gap. */
  tick(nowMs: number): void {
    if (this.#queue.length >= this.#chunkBytes) this.#release(nowMs, true);
    if (this.#clearOwed) this.#sendClear();
    if (this.#checkpoints.length > 0) this.#sendCheckpoints();
    if (!this.#tailWaits && this.#queue.length === 0) return;
    const isOver = nowMs - this.#lastPlayMs >= tailFlushMs && this.#lead(nowMs) < tailFlushMs;
    if (isOver && this.#queue.length < this.#chunkBytes) this.#flushTail(nowMs);
  }

  /** Nothing more comes behind what is queued: the filter's tail joins it, and the last part of a chunk goes. */
  #flushTail(nowMs: number): void {
    if (this.#tailWaits) {
      this.#tailWaits = false;
      this.#offer(this.#codec.flush(), nowMs);
    }
    if (this.#queue.length > 0 && this.#queue.length < this.#chunkBytes) {
      if (this.#lead(nowMs) < this.#leadMs) this.#sendQueued(this.#queue.length, nowMs);
    }
  }

  /** Forgets all audio here and at Plivo. Answers the checkpoints that will now never be heard. */
  clear(nowMs: number): string[] {
    const interrupted = this.#checkpoints.map((checkpoint) => checkpoint.name);
    this.#checkpoints.length = 0;
    this.#queue.clear();
    this.#queued = this.#sent;
    this.#codec.clear();
    this.#tailWaits = false;
    if (this.#dirty) {
      this.#sendClear();
      this.#meter.clear(nowMs);
    }
    this.#dirty = false;
    // Plivo is empty: what comes next begins a spurt.
    this.#spurtMs = nowMs - playoutCatchUpMs;
    this.#spurtSent = this.#sent;
    this.#values[counter.checkpointsInterrupted]! += interrupted.length;
    return interrupted;
  }

  /** A clear that finds no room in the ring is tried again with the clock. */
  #sendClear(): void {
    const text = clearAudioText(this.#streamId);
    this.#clearOwed = !this.#outbox.control(this.#slot, this.#generation, text);
    if (!this.#clearOwed) this.#values[counter.clears]! += 1;
  }

  /** Marks the end of what is queued now; answers its name on the wire, or undefined when too many are waiting. */
  checkpoint(name: string, nowMs: number, isLastWord = false): string | undefined {
    if (this.#checkpoints.length >= checkpointsPendingMax && !isLastWord) {
      this.#notes.count('too-many-checkpoints');
      return undefined;
    }
    this.#flushTail(nowMs);
    this.#checkpointCount += 1;
    const wireName = `${this.#mark}${this.#checkpointCount}:${name}`;
    this.#checkpoints.push({ name, wireName, atByte: this.#queued, sent: false });
    this.#dirty = true;
    this.#sendCheckpoints();
    return wireName;
  }

  #sendCheckpoints(): void {
    for (const checkpoint of this.#checkpoints) {
      if (checkpoint.sent) continue;
      if (checkpoint.atByte > this.#sent) return;
      const text = checkpointText(this.#streamId, checkpoint.wireName);
      checkpoint.sent = this.#outbox.control(this.#slot, this.#generation, text);
      if (!checkpoint.sent) return;
    }
  }

  /** Plivo says that a checkpoint was heard: the application's name of it, or undefined for one not waited for. */
  played(wireName: string): string | undefined {
    const index = this.#checkpoints.findIndex((known) => known.sent && known.wireName === wireName);
    if (index < 0) return undefined;
    return this.#checkpoints.splice(index, 1)[0]!.name;
  }

  close(): void {
    this.#queue.clear();
    this.#scratch.kernel.release(this.#headAt, this.#headBytes + this.#tailBytes);
  }
}
