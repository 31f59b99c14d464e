import type { Intent } from './intent.js';
import type { HangupOutcome, RequestOutcome } from './outcome.js';

/** What it took to settle a hang-up. */
export interface HangupEffort {
  /** From when it was due. */
  readonly seconds: number;
  readonly attempts: number;
  readonly lastAnswer: string;
}

export interface HangupEvents {
  /** Accepted; `settled` follows, once. One that is refused is settled without it. */
  asked(intent: Intent): void;
  settled(intent: Intent, outcome: HangupOutcome, effort: HangupEffort): void;
  requested(outcome: RequestOutcome): void;
}
