import { type EndReason, endReasons } from '../../src/errors.js';
import type { Log } from '../../src/log.js';
import type { StartMessage } from '../../src/plivo/messages.js';
import { type DropReason, drop } from '../../src/shard/counters.js';
import type { CallFacts } from '../../src/shard/record.js';

/** What a session counts and logs: a line at its start, one at its end, one per reason for what was dropped. */
export class SessionNotes {
  readonly #log: Log;
  readonly #values: Float64Array;
  readonly #route: string;
  readonly #openedMs: number;
  readonly #logged = new Set<DropReason>();
  callId: string | undefined;
  mediaIn = 0;
  /** Audio messages of the application that were passed on as they were. */
  relayed = 0;
  drops = 0;

  constructor(log: Log, values: Float64Array, route: string, openedMs: number) {
    this.#log = log;
    this.#values = values;
    this.#route = route;
    this.#openedMs = openedMs;
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

  ended(reason: EndReason, closeCode: number, framesPlayed: number, nowMs: number): void {
    const { callId, mediaIn } = this;
    const mediaOut = framesPlayed + this.relayed;
    const seconds = (nowMs - this.#openedMs) / 1_000;
    const { drops } = this;
    const fault = endReasons[reason];
    this.#log.info(
      { callId, reason, fault, closeCode, seconds, mediaIn, mediaOut, drops },
      'call ended',
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

  /** Counts what is put aside; answers false, as whoever asked for it is told. */
  drop(reason: DropReason, detail: string): false {
    this.#values[drop[reason]]! += 1;
    this.drops += 1;
    if (!this.#logged.has(reason)) {
      this.#logged.add(reason);
      const { callId } = this;
      this.#log.warn({ callId, reason }, `dropped: ${detail} (logged once per call)`);
    }
    return false;
  }
}
