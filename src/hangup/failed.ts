import { hangupFailedMax } from '../limits.js';
import type { FailedIntent, HangupStore } from './intent.js';
import type { Pending } from './pending.js';

/** Intents that were given up or refused for good, kept for an operator; the oldest ones go when there are too many. */
export class FailedIntents {
  readonly #store: HangupStore;
  readonly #byCallId = new Map<string, FailedIntent>();

  constructor(store: HangupStore) {
    this.#store = store;
  }

  get count(): number {
    return this.#byCallId.size;
  }

  /** Those of an earlier process. */
  recover(failed: Iterable<FailedIntent>): void {
    for (const intent of failed) this.#byCallId.set(intent.callId, intent);
  }

  keep({ intent, attempts, lastAnswer }: Pending): void {
    const oldest = this.#byCallId.size < hangupFailedMax ? undefined : this.#byCallId.keys().next();
    if (oldest?.value !== undefined) this.settle(oldest.value);
    const failed: FailedIntent = { ...intent, failedAt: Date.now(), attempts, lastAnswer };
    this.#byCallId.set(intent.callId, failed);
    this.#store.append({ type: 'failed', failed });
  }

  /** Forgets one for good; false if there is none. */
  settle(callId: string): boolean {
    if (!this.#byCallId.delete(callId)) return false;
    this.#store.append({ type: 'settled', callIds: [callId] });
    return true;
  }

  /** A new intent takes its place. */
  replaced(callId: string): void {
    this.#byCallId.delete(callId);
  }

  /** All, or that of one call. */
  of(callId: string | undefined): readonly FailedIntent[] {
    return [...this.#byCallId.values()].filter(
      (failed) => callId === undefined || failed.callId === callId,
    );
  }
}
