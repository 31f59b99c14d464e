import type { AccountConfig, HangupConfig, RouteConfig } from '../config/types.js';
import { errorText } from '../errors.js';
import { hangupPendingMax } from '../limits.js';
import type { Log } from '../log.js';
import { Account, type TransferResult } from './account.js';
import { AccountChoice } from './account-choice.js';
import type { HangupEvents } from './events.js';
import { FailedIntents } from './failed.js';
import type { HangupStore, Intent } from './intent.js';
import { type HangupOutcome, isOver, type RequestOutcome } from './outcome.js';
import { Pending, PendingState } from './pending.js';
import type { PlivoClient } from './plivo-client.js';

/** A wish to end a call. */
export interface HangupRequest {
  readonly callId: string;
  /** Empty if `start` named none. */
  readonly accountId: string;
  readonly route: string;
  /** An end reason. */
  readonly reason: string;
  readonly inMs: number;
  /** For a lost stream: behind all others. */
  readonly speculative: boolean;
}

/** An intent as an operator sees it. */
export interface HangupView {
  readonly callId: string;
  readonly state: 'pending' | 'in-flight' | 'failed';
  /** Name of the account; empty if none fits. */
  readonly account: string;
  readonly reason: string;
  readonly speculative: boolean;
  readonly requestedAt: string;
  readonly ageSeconds: number;
  readonly attempts: number;
  readonly lastAnswer: string;
}

export interface HangupParts {
  readonly accounts: readonly { readonly config: AccountConfig; readonly client: PlivoClient }[];
  readonly routes: readonly Pick<RouteConfig, 'name' | 'account'>[];
  readonly settings: HangupConfig;
  readonly store: HangupStore;
  readonly log: Log;
  readonly events: HangupEvents;
}

const keptAsFailed: ReadonlySet<HangupOutcome> = new Set(['gave-up', 'refused', 'no-account']);

/**
 * Ends calls through Plivo's REST API. An intent is one per call, counts once it is written, and outlives the process
 * until Plivo has confirmed it, or an operator dropped it.
 */
export class HangupDispatcher {
  readonly accounts: readonly Account[];
  readonly store: HangupStore;
  readonly choice: AccountChoice;
  readonly #log: Log;
  readonly #events: HangupEvents;
  readonly #tickMs: number;
  readonly #pending = new Map<string, Pending>();
  readonly #failed: FailedIntents;
  /** Not yet written; all of one turn are written at once. */
  #fresh: Pending[] = [];
  #ticker: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor({ accounts, routes, settings, store, log, events }: HangupParts) {
    this.store = store;
    this.#failed = new FailedIntents(store);
    this.#log = log;
    this.#events = events;
    this.#tickMs = settings.tickMs;
    const settled = (pending: Pending, outcome: HangupOutcome) => this.#settle(pending, outcome);
    const requested = (outcome: RequestOutcome) => events.requested(outcome);
    const told = { settled, written: () => store.written(), requested };
    const accountOf = ({ config, client }: HangupParts['accounts'][number]) =>
      new Account(config, client, settings, told, log);
    this.accounts = accounts.map(accountOf);
    this.choice = new AccountChoice(this.accounts);
    this.choice.adopt(routes);
  }

  /** Intents not yet settled. */
  get pending(): number {
    return this.#pending.size;
  }

  get failed(): number {
    return this.#failed.count;
  }

  get oldestSeconds(): number {
    let oldest = Date.now();
    for (const { intent } of this.#pending.values()) oldest = Math.min(oldest, intent.requestedAt);
    return (Date.now() - oldest) / 1_000;
  }

  /** Takes up what an earlier process left; it may have used the whole rate just now. */
  recover(): void {
    const { intents, failed } = this.store.recovered;
    this.#failed.recover(failed.values());
    const recovered = [...intents.values()];
    if (recovered.length === 0) return;
    this.#log.warn({ hangups: recovered.length }, 'hang-ups of an earlier process are taken up');
    for (const { window } of this.accounts) window.fill(performance.now());
    for (const intent of recovered) {
      const pending = new Pending(intent);
      this.#pending.set(intent.callId, pending);
      this.#place(pending);
    }
    this.#pump();
  }

  /** Asks for a call to be hung up; asking again makes it due earlier, never a second request. */
  submit(request: HangupRequest): void {
    if (this.#isClosed) return;
    const { callId, inMs, speculative } = request;
    const known = this.#pending.get(callId);
    if (known !== undefined) this.#hasten(known, inMs, speculative);
    else {
      const { accountId, route, reason } = request;
      const requestedAt = Date.now();
      const notBefore = requestedAt + Math.max(0, inMs);
      this.#accept(
        new Pending({ callId, accountId, route, reason, speculative, requestedAt, notBefore }),
        inMs > 0,
      );
    }
    this.#ticker ??= setInterval(() => this.#pump(), this.#tickMs);
  }

  #hasten(known: Pending, inMs: number, speculative: boolean): void {
    const changesKind = known.intent.speculative && !speculative;
    if (changesKind) {
      known.confirm();
      this.store.append({ type: 'hangup', intent: known.intent });
    }
    const isMoved = known.hasten(performance.now() + Math.max(0, inMs)) || changesKind;
    if (!isMoved || known.state === PendingState.Writing) return;
    if (known.state === PendingState.InFlight) return;
    this.#place(known);
    if (inMs <= 0) this.#pump();
  }

  #accept(pending: Pending, isEarly: boolean): void {
    const { callId } = pending.intent;
    const refusal = this.#refusal(pending);
    // Whoever asks before it is due, for the last word's sake, asks again when it is.
    if (refusal !== undefined) return isEarly ? undefined : this.#refuse(pending, refusal);
    this.#failed.replaced(callId);
    this.#pending.set(callId, pending);
    this.store.append({ type: 'hangup', intent: pending.intent });
    this.#events.asked(pending.intent);
    if (this.#fresh.push(pending) > 1) return;
    void this.store.written().then(() => this.#accepted());
  }

  #refusal(pending: Pending): HangupOutcome | undefined {
    if (this.#pending.size >= hangupPendingMax) return 'queue-full';
    const [account] = this.accounts;
    if (account === undefined) return 'no-credentials';
    try {
      account.check(pending.intent.callId);
      return undefined;
    } catch (thrown) {
      pending.lastAnswer = errorText(thrown);
      return 'refused';
    }
  }

  /** Written: now they are promises. */
  #accepted(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const pending of fresh) {
      if (pending.state === PendingState.Writing) this.#place(pending);
    }
    this.#pump();
  }

  #place(pending: Pending): void {
    const account = this.choice.of(pending.intent);
    if (account !== undefined) return account.add(pending);
    const { accountId } = pending.intent;
    pending.lastAnswer = `no account of this gateway has the Auth ID ${JSON.stringify(accountId)}`;
    this.#settle(pending, 'no-account');
  }

  #pump(): void {
    if (this.#pending.size === 0) {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
      return;
    }
    if (this.#isClosed) return;
    this.#ticker ??= setInterval(() => this.#pump(), this.#tickMs);
    for (const account of this.accounts) account.pump();
  }

  /** Hands a call over, under the same rate as the hang-ups and never tried again. Never rejects. */
  async transfer(
    call: Pick<Intent, 'callId' | 'route' | 'accountId'>,
    url: string,
  ): Promise<TransferResult> {
    const account = this.choice.of(call);
    if (account === undefined) return { ok: false, detail: 'no credentials for this call' };
    return account.transfer(call.callId, url, this.#tickMs);
  }

  /** The call goes on: forgets an intent whose request has not left. */
  withdraw(callId: string, only: { readonly speculative: boolean } | 'any'): void {
    const pending = this.#pending.get(callId);
    if (pending === undefined || pending.state === PendingState.InFlight) return;
    if (only !== 'any' && pending.intent.speculative !== only.speculative) return;
    this.#settle(pending, 'withdrawn');
  }

  /** Plivo said that the call is over: no request is needed any more. */
  callEnded(callId: string): void {
    const pending = this.#pending.get(callId);
    if (pending !== undefined && pending.state !== PendingState.InFlight) {
      this.#settle(pending, 'already-ended');
    }
    this.#failed.settle(callId);
  }

  // ---- for operators -------------------------------------------------------------------------------------------

  /** The first `max` of them, failed ones first. */
  list(max: number): HangupView[] {
    const views: HangupView[] = [];
    for (const failed of this.#failed.of(undefined)) {
      if (views.length >= max) return views;
      views.push(this.#view(failed, 'failed', failed.attempts, failed.lastAnswer));
    }
    for (const { intent, state, attempts, lastAnswer } of this.#pending.values()) {
      if (views.length >= max) return views;
      const shown = state === PendingState.InFlight ? 'in-flight' : 'pending';
      views.push(this.#view(intent, shown, attempts, lastAnswer));
    }
    return views;
  }

  #view(
    intent: Intent,
    state: HangupView['state'],
    attempts: number,
    lastAnswer: string,
  ): HangupView {
    const { callId, reason, speculative, requestedAt } = intent;
    return {
      callId,
      state,
      account: this.choice.of(intent)?.name ?? '',
      reason,
      speculative,
      requestedAt: new Date(requestedAt).toISOString(),
      ageSeconds: Math.round((Date.now() - requestedAt) / 100) / 10,
      attempts,
      lastAnswer,
    };
  }

  /** Tries failed intents again, or only that of one call; answers how many. */
  retry(callId?: string): number {
    const chosen = this.#failed.of(callId);
    for (const { accountId, route, reason, speculative, ...failed } of chosen) {
      this.submit({ callId: failed.callId, accountId, route, reason, speculative, inMs: 0 });
    }
    return chosen.length;
  }

  /** Gives an intent up, failed or pending; false if there is none or its request is under way. */
  drop(callId: string): boolean {
    const pending = this.#pending.get(callId);
    if (pending?.state === PendingState.InFlight) return false;
    if (pending === undefined) return this.#failed.settle(callId);
    this.#settle(pending, 'dropped');
    return true;
  }

  // ---- endings -------------------------------------------------------------------------------------------------

  /** Makes all due, waits until nothing is pending, or for `deadlineMs`; answers how many are left. */
  async drain(deadlineMs: number): Promise<number> {
    const nowMs = performance.now();
    const untilMs = nowMs + deadlineMs;
    // Their sockets are gone: nothing more will be heard, so there is nothing to wait for.
    for (const pending of this.#pending.values()) {
      if (pending.state === PendingState.Waiting && pending.hasten(nowMs)) this.#place(pending);
    }
    this.#pump();
    while (this.#pending.size > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, this.#tickMs));
    }
    return this.#pending.size;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    await Promise.all(this.accounts.map((account) => account.close()));
    await this.store.close();
  }

  /** Never became a promise. */
  #refuse(pending: Pending, outcome: HangupOutcome): void {
    pending.state = PendingState.Settled;
    this.#tell(pending, outcome);
  }

  #settle(pending: Pending, outcome: HangupOutcome): void {
    if (pending.state === PendingState.Settled) return;
    pending.state = PendingState.Settled;
    const { callId } = pending.intent;
    this.#pending.delete(callId);
    if (keptAsFailed.has(outcome)) this.#failed.keep(pending);
    else this.store.append({ type: isOver(outcome) ? 'over' : 'settled', callIds: [callId] });
    this.#tell(pending, outcome);
  }

  #tell({ intent, attempts, lastAnswer, firstDueMs }: Pending, outcome: HangupOutcome): void {
    const isFailure = keptAsFailed.has(outcome) || outcome === 'queue-full';
    const isLogged = isFailure || this.#log.isLevelEnabled('debug');
    if (isLogged && outcome !== 'no-credentials') {
      const { callId, reason } = intent;
      const line = { callId, outcome, reason, attempts, detail: lastAnswer };
      if (isFailure) this.#log.error(line, 'call could not be hung up');
      else this.#log.debug(line, 'hang-up settled');
    }
    const seconds = Math.max(0, performance.now() - firstDueMs) / 1_000;
    this.#events.settled(intent, outcome, { seconds, attempts, lastAnswer });
  }
}
