import { decodeMulaw } from '../../src/codec/g711.js';
import { Kernel } from '../../src/codec/kernel.js';
import { tickMs, tickPhases } from '../../src/limits.js';
import type { MediaFormat } from '../../src/plivo/messages.js';
import { Scratch, StreamCodec } from '../../src/serializer/stream-codec.js';
import { counterBlock, voiceBlock } from '../../src/shard/counters.js';
import type { Outbox } from '../../workers/outbox.js';
import { Playout } from '../../workers/session/playout.js';
import { SessionNotes } from '../../workers/session/session-notes.js';
import type { ShardContext } from '../../workers/shard-context.js';
import { VoiceMeter } from '../../workers/voice/voice-meter.js';

const scratch = new Scratch(new Kernel());
const roomBytes = 64 * 1_024;
const roomAt = scratch.kernel.allocate(roomBytes);
/** A session is ticked on every fourth tick of the shard's clock. */
export const sessionTickMs = tickMs * tickPhases;

/** One message as it left, and when. */
export interface Sent {
  readonly atMs: number;
  readonly event: string;
  readonly name?: string;
  /** Of a `playAudio`: its wire bytes, and milliseconds. */
  readonly wire: Uint8Array;
  readonly ms: number;
}

export interface StageOptions {
  readonly format?: MediaFormat;
  readonly rate?: number;
  readonly leadMs?: number;
  readonly chunkMs?: number;
  readonly queueMs?: number;
}

/** A playout with its clock in hand, and an outbox that keeps what would have left. */
export class PlayoutStage {
  readonly values = counterBlock();
  readonly sent: Sent[] = [];
  readonly codec: StreamCodec;
  readonly playout: Playout;
  nowMs = 10_000;
  /** As if the ring to the front had no room. */
  full = false;
  readonly #rate: number;

  constructor(options: StageOptions = {}) {
    const { format = { encoding: 'mulaw', sampleRate: 8_000 }, rate = 8_000 } = options;
    const { leadMs = 200, chunkMs = 20, queueMs = 60_000 } = options;
    this.#rate = rate;
    this.codec = new StreamCodec(scratch, format, rate);
    const outbox = this.#outbox() as unknown as Outbox;
    const { values } = this;
    const context = {
      ...{ scratch, outbox, values, probe: { active: false } },
      options: { playout: { leadMs, chunkMs, queueMs } },
    } as unknown as ShardContext;
    const notes = new SessionNotes(context, 3, 4, 'calls');
    const { nowMs } = this;
    const rateOut = format.sampleRate;
    const block = voiceBlock(values, 0);
    const meter = new VoiceMeter(block, nowMs, nowMs, rateOut, false, () => {});
    const owner = { slot: 3, generation: 4, notes, adoptions: 0 };
    this.playout = new Playout(context, this.codec, meter, owner, 's-1');
  }

  #outbox(): Pick<Outbox, 'beginAudio' | 'commitAudio' | 'control'> {
    return {
      beginAudio: () => (this.full ? -1 : roomAt),
      commitAudio: (_slot, _generation, bytes) => this.#note(scratch.read(roomAt, bytes)),
      control: (_slot, _generation, text) => {
        if (!this.full) this.#note(text);
        return !this.full;
      },
    };
  }

  #note(text: string): void {
    const message = JSON.parse(text) as {
      event: string;
      name?: string;
      media?: { payload: string };
    };
    const wire = new Uint8Array(Buffer.from(message.media?.payload ?? '', 'base64'));
    const { event, name } = message;
    const ms = wire.length / this.codec.bytesPerMs;
    this.sent.push({ atMs: this.nowMs, event, ...(name !== undefined && { name }), wire, ms });
  }

  play(samples: Int16Array, rate = this.#rate): boolean {
    return this.playout.play(samples, rate, this.nowMs);
  }

  /** Time passes, tick by tick. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= sessionTickMs) {
      this.nowMs += Math.min(left, sessionTickMs);
      this.playout.tick(this.nowMs);
    }
  }

  /** Time passes, and the thread is busy with something else. */
  stall(ms: number): void {
    this.nowMs += ms;
    this.playout.tick(this.nowMs);
  }

  checkpoint(name: string): string | undefined {
    return this.playout.checkpoint(name, this.nowMs);
  }

  get audio(): Sent[] {
    return this.sent.filter(({ event }) => event === 'playAudio');
  }

  /** Milliseconds of audio sent so far. */
  get sentMs(): number {
    return this.audio.reduce((sum, { ms }) => sum + ms, 0);
  }

  get wire(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.audio.map(({ wire }) => wire)));
  }

  /** What the caller hears of a µ-law stream. */
  get heard(): Int16Array {
    return decodeMulaw(this.wire);
  }

  /** Most audio that lay at Plivo at any time, if Plivo plays without a gap from the first byte on. */
  get leadMaxMs(): number {
    let most = 0;
    let endMs = 0;
    for (const { atMs, ms } of this.audio) {
      endMs = Math.max(endMs, atMs) + ms;
      most = Math.max(most, endMs - atMs);
    }
    return most;
  }

  close(): void {
    this.codec.close();
    this.playout.close();
  }
}

/** Samples that differ from each other, and survive µ-law as they are. */
export function speech(ms: number, rate = 8_000): Int16Array {
  const samples = Int16Array.from({ length: (ms * rate) / 1_000 }, (_, i) =>
    Math.round(8_000 * Math.sin(i * 0.21) + 3_000 * Math.sin(i * 0.043)),
  );
  return samples;
}
