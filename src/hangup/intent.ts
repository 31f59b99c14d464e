/** A promise that a call will be ended at Plivo. Times are of `Date.now()`, as they outlive the process. */
export interface Intent {
  readonly callId: string;
  /** From `start`; chooses the account together with the route. Empty if it is not known. */
  readonly accountId: string;
  readonly route: string;
  /** Why the call ends: an end reason. */
  readonly reason: string;
  /** The stream was lost, and nothing else says that the call goes on: behind all real ones. */
  readonly speculative: boolean;
  readonly requestedAt: number;
  /** Not to be sent earlier. */
  readonly notBefore: number;
}

/** An intent that was given up, or that Plivo refused for good: kept for an operator to look at. */
export interface FailedIntent extends Intent {
  readonly failedAt: number;
  readonly attempts: number;
  /** Status and start of the last answer, or the error. */
  readonly lastAnswer: string;
}

/** A call that was live; what is needed to hang it up if the process dies or the stream breaks. */
export interface LiveCall {
  readonly callId: string;
  readonly accountId: string;
  readonly route: string;
  readonly startedAt: number;
}

/** One event of the journal. The last one of a call and kind holds. */
export type Entry =
  | { readonly type: 'hangup'; readonly intent: Intent }
  | { readonly type: 'failed'; readonly failed: FailedIntent }
  /** Confirmed, dropped by an operator, or no longer wanted. */
  | { readonly type: 'settled'; readonly callIds: readonly string[] }
  /** The same, and Plivo says that the calls are over: nothing is to be followed up after a crash. */
  | { readonly type: 'over'; readonly callIds: readonly string[] }
  | { readonly type: 'live'; readonly call: LiveCall }
  | { readonly type: 'gone'; readonly callId: string };

/** What a store holds: `settled` ends an intent and a failed one, `failed` makes an intent a failed one. */
export interface Kept {
  readonly intents: ReadonlyMap<string, Intent>;
  readonly failed: ReadonlyMap<string, FailedIntent>;
  readonly calls: ReadonlyMap<string, LiveCall>;
}

/** Where intents outlive the process. */
export interface HangupStore {
  /** What an earlier process left. Valid until the first `append`. */
  readonly recovered: Kept;
  /** Takes an entry in; it is written together with all others of this turn of the event loop. */
  append(entry: Entry): void;
  /**
   * Resolves when all that was appended so far is written, or cannot be: the gateway goes on from memory then, and
   * `degraded` says why. Never rejects. The same promise for everyone who asks in the same turn.
   */
  written(): Promise<void>;
  /** Why entries are not kept now; undefined while all is well. */
  readonly degraded: string | undefined;
  /** Writes the rest and lets go of the files. May be called twice. */
  close(): Promise<void>;
}
