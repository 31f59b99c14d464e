import { lostStreamsMin, lostStreamsShare } from '../limits.js';
import type { Log } from '../log.js';
import type { HangupStore, LiveCall } from './intent.js';

interface Lost {
  readonly call: LiveCall;
  /** `performance.now()` from which its grace counts. */
  lostMs: number;
  /** The brake is on for it: it waits twice as long. */
  held: boolean;
}

export interface LostStreamParts {
  readonly store: HangupStore;
  readonly graceMs: number;
  readonly log: Log;
  /** Calls live now. */
  liveCalls(): number;
  /** What becomes of a lost call of this route: true if it is hung up. */
  hangsUp(route: string): boolean;
  /** Nobody has claimed it. */
  unclaimed(call: LiveCall): void;
}

const lookMs = 250;

/**
 * Calls whose stream broke while nothing said that the call is over. Plivo may connect again (protocol reference,
 * section 7.2); a call that nobody claims within the grace period is hung up. When many are lost at once, the network
 * broke and not the calls: they get twice the time.
 */
export class LostStreams {
  readonly #parts: LostStreamParts;
  readonly #lost = new Map<string, Lost>();
  /** When streams were lost, in the last grace period. */
  #recentMs: number[] = [];
  #looker: NodeJS.Timeout | undefined;
  #isBraking = false;

  constructor(parts: LostStreamParts) {
    this.#parts = parts;
  }

  /** Streams that wait to be claimed. */
  get count(): number {
    return this.#lost.size;
  }

  /** Those of them that the brake holds. */
  get held(): number {
    let count = 0;
    for (const { held } of this.#lost.values()) if (held) count += 1;
    return count;
  }

  /** The calls that an earlier process had when it died. */
  recover(calls: readonly LiveCall[]): void {
    if (calls.length === 0) return;
    this.#parts.log.warn(
      { calls: calls.length, graceSeconds: this.#parts.graceMs / 1_000 },
      'calls were live when the last process died: hung up unless their streams come back',
    );
    for (const call of calls) this.lost(call);
  }

  /** Streams can come back from now on: the grace of those of an earlier process begins. */
  listening(): void {
    const nowMs = performance.now();
    for (const lost of this.#lost.values()) lost.lostMs = nowMs;
    this.#recentMs = this.#recentMs.map(() => nowMs);
  }

  /** A call's stream is here, for the first time or again. */
  started(call: LiveCall): void {
    this.#lost.delete(call.callId);
    this.#parts.store.append({ type: 'live', call });
  }

  /** The call is over, or none of our business any more. */
  over(callId: string): void {
    this.#lost.delete(callId);
    this.#parts.store.append({ type: 'gone', callId });
  }

  lost(call: LiveCall): void {
    if (!this.#parts.hangsUp(call.route)) return this.over(call.callId);
    const lostMs = performance.now();
    const lost: Lost = { call, lostMs, held: false };
    this.#lost.set(call.callId, lost);
    this.#recentMs.push(lostMs);
    this.#brake(lostMs);
    lost.held = this.#isBraking;
    this.#looker ??= setInterval(() => this.#look(), lookMs);
  }

  /** The call, if its stream is lost. */
  get(callId: string): LiveCall | undefined {
    return this.#lost.get(callId)?.call;
  }

  close(): void {
    clearInterval(this.#looker);
    this.#looker = undefined;
  }

  #look(): void {
    const nowMs = performance.now();
    this.#brake(nowMs);
    for (const { call, lostMs, held } of this.#lost.values()) {
      if (nowMs - lostMs < this.#parts.graceMs * (held ? 2 : 1)) continue;
      this.#lost.delete(call.callId);
      this.#parts.unclaimed(call);
      // Behind the intent in the journal, so that the call is in it at any time.
      this.#parts.store.append({ type: 'gone', callId: call.callId });
    }
    if (this.#lost.size === 0) this.close();
  }

  #brake(nowMs: number): void {
    const { graceMs, log } = this.#parts;
    const isRecent = (lostMs: number) => nowMs - lostMs <= graceMs;
    const firstRecent = this.#recentMs.findIndex(isRecent);
    if (firstRecent > 0) this.#recentMs = this.#recentMs.slice(firstRecent);
    else if (firstRecent < 0) this.#recentMs = [];
    const recent = this.#recentMs.length;
    const all = this.#parts.liveCalls() + this.#lost.size;
    const isBraking = recent >= lostStreamsMin && recent > lostStreamsShare * all;
    if (isBraking === this.#isBraking) return;
    this.#isBraking = isBraking;
    if (isBraking) {
      for (const lost of this.#lost.values()) lost.held ||= isRecent(lost.lostMs);
      log.error(
        { lost: recent, calls: all },
        'many streams lost at once: the network broke and not the calls; their hang-ups are held',
      );
    } else log.info({ unclaimed: this.#lost.size }, 'streams are no longer lost by the many');
  }
}
