import type { AccountConfig, HangupConfig } from '../config/types.js';
import { errorText, GatewayError } from '../errors.js';
import {
  apiTroubleFailures,
  apiTroublePauseMsMax,
  authProbeMs,
  restWindowMs,
  retryAfterMsMax,
  retryDelayMsMax,
  retryDelayMsMin,
  transferWaitMs,
} from '../limits.js';
import type { Log } from '../log.js';
import { hangupVerdict } from '../plivo/rest.js';
import { Heap } from './heap.js';
import { type HangupOutcome, type RequestOutcome, requestOutcome } from './outcome.js';
import { type Pending, PendingState } from './pending.js';
import type { PlivoAnswer, PlivoClient } from './plivo-client.js';
import { SlidingWindow } from './window.js';

export interface TransferResult {
  readonly ok: boolean;
  /** Why not, for a log line. */
  readonly detail: string;
}

export interface AccountEvents {
  settled(pending: Pending, outcome: HangupOutcome): void;
  /** Resolves when what was settled so far is on disk. */
  written(): Promise<void>;
  requested(outcome: RequestOutcome): void;
}

/** How long settled ones gather for one write, if half of what may be in flight does not settle sooner. */
const gatherMs = 2;

/**
 * The hang-ups of one account: sent when due, within the account's rate, over a few connections, and again after
 * failures. When the API or the credentials are in trouble, one request at a time finds out whether it is over.
 */
export class Account {
  readonly name: string;
  readonly authId: string;
  readonly window: SlidingWindow;
  readonly #client: PlivoClient;
  readonly #events: AccountEvents;
  readonly #log: Log;
  readonly #giveUpMs: number;
  readonly #inFlightMax: number;
  /** An item whose time or state has changed since it was put in is passed over when it comes out. */
  readonly #waiting = new Heap<Pending>((a, b) => a.dueMs < b.dueMs);
  readonly #ready = new Heap<Pending>((a, b) => a.rank < b.rank);
  /** Requests under way, and settled ones not yet on disk: a killed process repeats these and no others. */
  #inFlight = 0;
  /** Of them, settled and not yet being written. */
  #unwritten = 0;
  #writer: NodeJS.Timeout | undefined = undefined;
  /** Nothing is sent before this. */
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  /** Requests in a row that found no working API. */
  #failures = 0;
  #unauthorized = false;
  #isClosed = false;

  constructor(
    { name, credentials }: AccountConfig,
    client: PlivoClient,
    settings: HangupConfig,
    events: AccountEvents,
    log: Log,
  ) {
    this.name = name;
    this.authId = credentials.authId;
    this.window = new SlidingWindow(settings.requestsMax, restWindowMs);
    this.#client = client;
    this.#events = events;
    this.#log = log;
    this.#giveUpMs = settings.giveUpMs;
    this.#inFlightMax = settings.connections * settings.pipelining;
  }

  /** Nothing can leave now, for another reason than the rate. */
  get paused(): boolean {
    return this.#unauthorized || this.#inTrouble || performance.now() < this.#pausedUntilMs;
  }

  get #inTrouble(): boolean {
    return this.#failures >= apiTroubleFailures;
  }

  /** @throws GatewayError BAD_CALL_ID */
  check(callId: string): void {
    this.#client.check(callId);
  }

  /** Takes an intent in, or one whose time has changed. */
  add(pending: Pending): void {
    if (pending.state === PendingState.Settled) return;
    if (pending.dueMs <= performance.now()) this.#isReady(pending);
    else {
      pending.state = PendingState.Waiting;
      this.#waiting.push(pending);
    }
  }

  #isReady(pending: Pending): void {
    pending.state = PendingState.Ready;
    this.#ready.push(pending);
  }

  /** Sends what is due and may leave. */
  pump(): void {
    const nowMs = performance.now();
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (next.state === PendingState.Waiting && next.dueMs > nowMs) break;
      this.#waiting.pop();
      if (next.state === PendingState.Waiting) this.#isReady(next);
    }
    while (this.#mayAsk(nowMs)) {
      const next = this.#nextReady();
      const place = next && this.window.take(nowMs);
      if (next === undefined || place === undefined) return;
      this.#ready.pop();
      this.#attempt(next, place);
    }
  }

  #mayAsk(nowMs: number): boolean {
    if (this.#isClosed || nowMs < this.#pausedUntilMs) return false;
    const isProbing = this.#unauthorized || this.#inTrouble;
    return this.#inFlight < (isProbing ? 1 : this.#inFlightMax);
  }

  #nextReady(): Pending | undefined {
    let next = this.#ready.peek();
    while (next !== undefined && next.state !== PendingState.Ready) {
      this.#ready.pop();
      next = this.#ready.peek();
    }
    return next;
  }

  #attempt(pending: Pending, place: number): void {
    pending.state = PendingState.InFlight;
    pending.attempts += 1;
    this.#inFlight += 1;
    this.#client.hangup(pending.intent.callId).then(
      (answer) => {
        this.window.answered(place, performance.now());
        this.#answered(pending, answer);
        this.#landed(pending);
      },
      (thrown: unknown) => {
        this.window.answered(place, performance.now());
        this.#unanswered(pending, thrown);
        this.#landed(pending);
      },
    );
  }

  #landed(pending: Pending): void {
    if (pending.state !== PendingState.Settled) {
      this.#inFlight -= 1;
      this.pump();
      return;
    }
    this.#unwritten += 1;
    if (this.#unwritten * 2 >= this.#inFlightMax) this.#write();
    else this.#writer ??= setTimeout(() => this.#write(), gatherMs);
  }

  /** Several at a time: a write for each would cost as much as its request. */
  #write(): void {
    clearTimeout(this.#writer);
    this.#writer = undefined;
    const count = this.#unwritten;
    this.#unwritten = 0;
    void this.#events.written().then(() => {
      this.#inFlight -= count;
      this.pump();
    });
  }

  #unanswered(pending: Pending, thrown: unknown): void {
    pending.lastAnswer = errorText(thrown);
    if (thrown instanceof GatewayError) this.#events.settled(pending, 'refused');
    else {
      this.#events.requested('no-answer');
      this.#failed(pending, undefined);
    }
  }

  #answered(pending: Pending, { status, text, retryAfterMs }: PlivoAnswer): void {
    pending.lastAnswer = text === '' ? `status ${status}` : `status ${status} ${text}`;
    this.#events.requested(requestOutcome(status));
    const verdict = hangupVerdict(status);
    if (verdict === 'unauthorized') return this.#refusedCredentials(pending, status);
    this.#authorized();
    if (verdict !== 'retry') {
      this.#recovered();
      this.#events.settled(pending, verdict);
    } else if (status === 429) {
      this.#full(retryAfterMs);
      this.#retry(pending, retryAfterMs);
    } else this.#failed(pending, retryAfterMs);
  }

  /** Plivo has counted more than we did: others share the account. */
  #full(retryAfterMs: number | undefined): void {
    const nowMs = performance.now();
    this.window.fill(nowMs);
    this.#pauseUntil(nowMs + Math.min(retryAfterMs ?? 0, retryAfterMsMax));
  }

  #pauseUntil(untilMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
  }

  #failed(pending: Pending, retryAfterMs: number | undefined): void {
    this.#failures += 1;
    this.#retry(pending, retryAfterMs);
    if (!this.#inTrouble) return;
    if (this.#failures === apiTroubleFailures) {
      const detail = pending.lastAnswer;
      this.#log.error({ account: this.name, detail }, 'Plivo’s API does not answer; hang-ups wait');
    }
    const growing = retryDelayMsMin * 2 ** Math.min(this.#failures - apiTroubleFailures, 10);
    const pauseMs = Math.min(apiTroublePauseMsMax, growing) * (0.5 + Math.random() / 2);
    this.#pauseUntil(performance.now() + pauseMs);
  }

  /** What failed while the API was in trouble need not wait any longer. */
  #recovered(): void {
    const wasInTrouble = this.#inTrouble;
    this.#failures = 0;
    if (!wasInTrouble) return;
    this.#log.info({ account: this.name }, 'Plivo’s API answers again');
    const nowMs = performance.now();
    for (const pending of this.#waiting.takeAll()) {
      if (pending.attempts > 0) pending.dueMs = Math.min(pending.dueMs, nowMs);
      this.#waiting.push(pending);
    }
  }

  /** A wrong token fails every request, and each would cost a place in the account's rate. */
  #refusedCredentials(pending: Pending, status: number): void {
    if (!this.#unauthorized) {
      this.#log.error(
        { account: this.name, authId: this.authId, status },
        `Plivo refuses the credentials of account "${this.name}": no call of it can be hung up; ` +
          `check its Auth ID and Auth Token, and the account's list of allowed addresses. Asking again every ${authProbeMs / 1_000} s`,
      );
    }
    this.#unauthorized = true;
    this.#pauseUntil(performance.now() + authProbeMs);
    this.#again(pending, 0);
  }

  #authorized(): void {
    if (!this.#unauthorized) return;
    this.#unauthorized = false;
    this.#log.info({ account: this.name }, 'Plivo takes the credentials again; hang-ups go on');
  }

  #retry(pending: Pending, retryAfterMs: number | undefined): void {
    const bound = Math.min(
      retryDelayMsMax,
      retryDelayMsMin * 2 ** Math.min(pending.attempts - 1, 10),
    );
    const asked = Math.min(retryAfterMs ?? 0, retryAfterMsMax);
    this.#again(pending, Math.max(asked, bound * Math.random()));
    if (pending.state === PendingState.Settled) return;
    const { intent, attempts, lastAnswer } = pending;
    const { callId } = intent;
    this.#log.debug({ callId, attempts, detail: lastAnswer }, 'hang-up will be tried again');
  }

  #again(pending: Pending, delayMs: number): void {
    const nowMs = performance.now();
    if (nowMs - pending.firstDueMs > this.#giveUpMs) {
      this.#events.settled(pending, 'gave-up');
      return;
    }
    pending.dueMs = nowMs + delayMs;
    this.add(pending);
  }

  /** Under the same rate as the hang-ups, and never tried again: whoever asked decides. Never rejects. */
  async transfer(callId: string, url: string, lookMs: number): Promise<TransferResult> {
    const untilMs = performance.now() + transferWaitMs;
    let place: number | undefined;
    for (;;) {
      const nowMs = performance.now();
      if (nowMs >= this.#pausedUntilMs) place = this.window.take(nowMs);
      if (place !== undefined) break;
      if (nowMs > untilMs) return { ok: false, detail: 'no room within the rate' };
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
    try {
      const { status, text, retryAfterMs } = await this.#client.transfer(callId, url);
      if (status === 429) this.#full(retryAfterMs);
      const ok = status >= 200 && status < 300;
      return { ok, detail: ok ? '' : `status ${status}: ${text}` };
    } catch (thrown) {
      return { ok: false, detail: errorText(thrown) };
    } finally {
      this.window.answered(place, performance.now());
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#writer);
    return this.#client.close();
  }
}
