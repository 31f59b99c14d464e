import type { Intent } from './intent.js';

export const PendingState = { Writing: 0, Waiting: 1, Ready: 2, InFlight: 3, Settled: 4 } as const;
export type PendingState = (typeof PendingState)[keyof typeof PendingState];

/** An intent on its way, in memory. Times are of `performance.now()`. */
export class Pending {
  intent: Intent;
  /** The lower, the earlier: real ones before speculative ones, then the oldest first. */
  rank: number;
  state: PendingState = PendingState.Writing;
  /** Not to be sent earlier; grows with failures. */
  dueMs: number;
  /** When it was due for the first time: giving up and the metric count from here. */
  firstDueMs: number;
  attempts = 0;
  lastAnswer = '';

  constructor(intent: Intent) {
    this.intent = intent;
    this.rank = rankOf(intent);
    const nowMs = performance.now();
    const inMs = intent.notBefore - Date.now();
    this.dueMs = nowMs + Math.max(0, inMs);
    // One that is overdue from an earlier process keeps its age.
    this.firstDueMs = nowMs + inMs;
  }

  /** It is real after all. */
  confirm(): void {
    this.intent = { ...this.intent, speculative: false };
    this.rank = rankOf(this.intent);
  }

  /** Due now, if it was not tried yet: after a failed request its back-off stands. */
  hasten(nowMs: number): boolean {
    if (this.attempts > 0 || this.dueMs <= nowMs) return false;
    this.dueMs = nowMs;
    this.firstDueMs = nowMs;
    return true;
  }
}

function rankOf({ speculative, requestedAt }: Intent): number {
  return speculative ? requestedAt + Number.MAX_SAFE_INTEGER / 2 : requestedAt;
}
