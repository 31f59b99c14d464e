import type { Log } from '../../src/log.js';
import type { StartMessage } from '../../src/plivo/messages.js';
import type { CallBoard } from '../../src/shard/call-board.js';
import { type DropReason, drop } from '../../src/shard/counters.js';
import {
  type CallFacts,
  type EndedBody,
  type NoteBody,
  RecordKind,
} from '../../src/shard/record.js';
import type { Outbox } from '../outbox.js';
import type { ShardContext } from '../shard-context.js';
import type { Stream } from './stream.js';

/** How often the numbers of a live call are shown. */
const showEveryMs = 250;
/** Notes for a call's timeline: what comes after so many is not told. */
const notesMax = 100;

/**
 * What a session counts, logs and tells: a line at its start, one per reason for what was dropped, what its timeline
 * shows, and at its end what came of it.
 */
export class SessionNotes {
  readonly #log: Log;
  readonly #values: Float64Array;
  readonly #outbox: Outbox;
  readonly #slot: number;
  readonly #generation: number;
  readonly #route: string;
  readonly #board: CallBoard;
  #showAtMs = 0;
  #told = 0;
  readonly #drops = new Map<DropReason, number>();
  callId: string | undefined;
  mediaIn = 0;
  /** Audio messages of the application that were passed on as they were. */
  relayed = 0;
  drops = 0;

  constructor(
    { log, values, outbox, calls }: ShardContext,
    slot: number,
    generation: number,
    route: string,
  ) {
    this.#log = log;
    this.#values = values;
    this.#outbox = outbox;
    this.#board = calls;
    this.#slot = slot;
    this.#generation = generation;
    this.#route = route;
  }

  started({ callId, streamId, format, tracks }: StartMessage, { from, to }: CallFacts): void {
    this.#log.info(
      {
        callId,
        streamId,
        route: this.#route,
        ...(from !== '' && { from }),
        ...(to !== '' && { to }),
        format: `${format.encoding}/${format.sampleRate}`,
        ...(tracks.includes('outbound') && { tracks: tracks.join(',') }),
      },
      'call started',
    );
  }

  turned(what: string, why: string): void {
    this.#log.warn({ callId: this.callId, route: this.#route, why }, what);
  }

  failed(where: string, err: Error): void {
    const { callId } = this;
    this.#log.error(
      { callId, route: this.#route, err },
      `handler failed in ${where}; its call ends`,
    );
  }

  /** Counts what is put aside and logs it once; answers false, as whoever asked for it is told. */
  drop(reason: DropReason, detail: string): false {
    if (!this.#drops.has(reason)) {
      const { callId } = this;
      this.#log.warn({ callId, reason }, `dropped: ${detail} (logged once per call)`);
    }
    this.count(reason);
    return false;
  }

  /** Counts what is put aside, where nobody is to read of it. */
  count(reason: DropReason): void {
    this.#values[drop[reason]]! += 1;
    this.counted(reason);
  }

  /** The same for what is in the counters of the shard already. */
  counted(reason: DropReason): void {
    this.drops += 1;
    this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + 1);
  }

  /** A line for the call's timeline. */
  readonly tell = (what: string, ms?: number): void => {
    if (this.#told >= notesMax) return;
    this.#told += 1;
    const body: NoteBody = ms === undefined ? { what } : { what, ms };
    this.#outbox.life(RecordKind.Note, this.#slot, this.#generation, body);
  };

  /** For people: a few times a second is enough. Answers whether it was time. */
  show(nowMs: number, state: number, stream: Stream | undefined): boolean {
    if (nowMs < this.#showAtMs) return false;
    this.#showAtMs = nowMs + showEveryMs;
    const mediaOut = this.relayed + (stream?.playout.frames ?? 0);
    const queuedMs = stream?.playout.remainingMs(nowMs) ?? 0;
    this.#board.write(this.#slot, state, this.mediaIn, mediaOut, this.drops, queuedMs);
    return true;
  }

  /** What came of the call. */
  ended(stream: Stream | undefined): EndedBody {
    const { mediaIn } = this;
    const mediaOut = this.relayed + (stream?.playout.frames ?? 0);
    const drops = Object.fromEntries(this.#drops);
    if (stream === undefined) return { mediaIn, mediaOut, drops };
    return { mediaIn, mediaOut, drops, voice: stream.meter.summary() };
  }
}
