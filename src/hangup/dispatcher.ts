import { errorText, GatewayError } from '../errors.js';
import {
  hangupGiveUpMs,
  hangupPendingMax,
  hangupTickMs,
  restConnections,
  restRequestsMax,
  restWindowMs,
  retryDelayMsMax,
  retryDelayMsMin,
  transferWaitMs,
} from '../limits.js';
import type { Log } from '../log.js';
import { hangupVerdict } from '../plivo/rest.js';
import type { PlivoClient } from './plivo-client.js';
import { SlidingWindow } from './window.js';

/** How an intent was settled; a metric label. */
export const hangupOutcomes = [
  'confirmed',
  'already-ended',
  'refused',
  'gave-up',
  'no-credentials',
  'queue-full',
] as const;
export type HangupOutcome = (typeof hangupOutcomes)[number];

/** A promise that a call will be ended at Plivo. */
interface Intent {
  readonly callId: string;
  readonly reason: string;
  /** When the first request was sent; giving up counts from there. */
  firstTriedMs: number;
  /** Not before, in `performance.now()`. */
  dueMs: number;
  attempts: number;
  inFlight: boolean;
}

export interface TransferResult {
  readonly ok: boolean;
  /** Why not, for a log line. */
  readonly detail: string;
}

/** Whoever ends calls at Plivo. The one below keeps its intents in memory. */
export interface HangupQueue {
  /** Asks for a call to be hung up in `inMs`; asking again makes it due earlier, never a second request. */
  submit(callId: string, reason: string, inMs: number): void;
  /** Intents not yet settled. */
  readonly pending: number;
  /** Makes all due, waits until nothing is pending, or for `deadlineMs`; answers how many are left. */
  drain(deadlineMs: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * Ends calls through Plivo's REST API: one intent per call, dispatched in ticks under the account's rate, tried again
 * on network errors, 429 and 5xx with growing pauses. 204 and 404 are success.
 */
export class HangupDispatcher implements HangupQueue {
  readonly #client: PlivoClient;
  readonly #log: Log;
  readonly #settled: (callId: string, outcome: HangupOutcome, reason: string) => void;
  readonly #attempted: () => void;
  readonly #intents = new Map<string, Intent>();
  readonly #window = new SlidingWindow(restRequestsMax, restWindowMs);
  #inFlight = 0;
  /** Nothing is sent before this: Plivo said so. */
  #pausedUntilMs = 0;
  #ticker: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(
    client: PlivoClient,
    log: Log,
    events: {
      settled(callId: string, outcome: HangupOutcome, reason: string): void;
      attempted(): void;
    },
  ) {
    this.#client = client;
    this.#log = log;
    this.#settled = events.settled;
    this.#attempted = events.attempted;
  }

  get pending(): number {
    return this.#intents.size;
  }

  submit(callId: string, reason: string, inMs: number): void {
    if (this.#isClosed) return;
    const nowMs = performance.now();
    const known = this.#intents.get(callId);
    if (known !== undefined) {
      // After a failed request its back-off stands.
      if (known.attempts === 0) known.dueMs = Math.min(known.dueMs, nowMs + inMs);
    } else if (this.#intents.size >= hangupPendingMax) {
      this.#settle(callId, 'queue-full', { reason });
      return;
    } else {
      const dueMs = nowMs + inMs;
      const fresh = { attempts: 0, inFlight: false, firstTriedMs: 0 };
      this.#intents.set(callId, { callId, reason, dueMs, ...fresh });
    }
    this.#ticker ??= setInterval(() => this.#tick(), hangupTickMs);
    if (inMs <= 0) this.#tick();
  }

  /**
   * Hands a call over, under the same rate as the hang-ups and never tried again: whoever asked decides. Never rejects.
   */
  async transfer(callId: string, url: string): Promise<TransferResult> {
    const untilMs = performance.now() + transferWaitMs;
    while (!this.#mayAsk(performance.now())) {
      if (performance.now() > untilMs) return { ok: false, detail: 'no room within the rate' };
      await new Promise((resolve) => setTimeout(resolve, hangupTickMs));
    }
    try {
      const { status, text, retryAfterMs } = await this.#client.transfer(callId, url);
      if (status === 429) this.#pause(retryAfterMs ?? retryDelayMsMin);
      const ok = status >= 200 && status < 300;
      return { ok, detail: ok ? '' : `status ${status}: ${text}` };
    } catch (thrown) {
      return { ok: false, detail: errorText(thrown) };
    }
  }

  #mayAsk(nowMs: number): boolean {
    return nowMs >= this.#pausedUntilMs && this.#window.take(nowMs);
  }

  /** Forgets an intent whose request has not left: the call goes on elsewhere. */
  withdraw(callId: string): void {
    if (this.#intents.get(callId)?.inFlight === false) this.#intents.delete(callId);
  }

  async drain(deadlineMs: number): Promise<number> {
    const nowMs = performance.now();
    const untilMs = nowMs + deadlineMs;
    // Their sockets are gone: nothing more will be heard, so there is nothing to wait for.
    for (const intent of this.#intents.values()) {
      if (intent.attempts === 0) intent.dueMs = Math.min(intent.dueMs, nowMs);
    }
    while (this.#intents.size > 0 && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, hangupTickMs));
    }
    return this.#intents.size;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    await this.#client.close();
  }

  #tick(): void {
    const nowMs = performance.now();
    if (this.#intents.size === 0) {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
      return;
    }
    for (const intent of this.#intents.values()) {
      if (this.#inFlight >= restConnections || nowMs < this.#pausedUntilMs) return;
      if (intent.inFlight || intent.dueMs > nowMs) continue;
      if (!this.#client.hasCredentials) {
        this.#settle(intent.callId, 'no-credentials', intent);
        continue;
      }
      if (!this.#mayAsk(nowMs)) return;
      void this.#attempt(intent);
    }
  }

  async #attempt(intent: Intent): Promise<void> {
    intent.inFlight = true;
    intent.attempts += 1;
    if (intent.attempts === 1) intent.firstTriedMs = performance.now();
    this.#inFlight += 1;
    this.#attempted();
    try {
      const answer = await this.#client.hangup(intent.callId);
      const verdict = hangupVerdict(answer.status);
      if (verdict !== 'retry') {
        this.#settle(intent.callId, verdict, {
          ...intent,
          status: answer.status,
          answer: answer.text,
        });
      } else {
        if (answer.status === 429) this.#pause(answer.retryAfterMs ?? retryDelayMsMin);
        this.#retry(intent, `status ${answer.status}`, answer.retryAfterMs);
      }
    } catch (thrown) {
      const isOurs = thrown instanceof GatewayError;
      if (isOurs) this.#settle(intent.callId, 'refused', { ...intent, detail: thrown.message });
      else this.#retry(intent, errorText(thrown), undefined);
    } finally {
      intent.inFlight = false;
      this.#inFlight -= 1;
    }
  }

  #pause(ms: number): void {
    const boundedMs = Math.min(ms, retryDelayMsMax);
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, performance.now() + boundedMs);
  }

  #retry(intent: Intent, detail: string, retryAfterMs: number | undefined): void {
    const nowMs = performance.now();
    if (nowMs - intent.firstTriedMs > hangupGiveUpMs) {
      this.#settle(intent.callId, 'gave-up', { ...intent, detail });
      return;
    }
    const growing = retryDelayMsMin * 2 ** Math.min(intent.attempts - 1, 10);
    const jittered = Math.min(retryDelayMsMax, growing) * (0.5 + Math.random() / 2);
    intent.dueMs = nowMs + Math.max(jittered, Math.min(retryAfterMs ?? 0, retryDelayMsMax));
    const { callId, attempts } = intent;
    this.#log.warn({ callId, attempts, detail }, 'hang-up will be tried again');
  }

  #settle(callId: string, outcome: HangupOutcome, facts: object): void {
    this.#intents.delete(callId);
    const { reason, attempts, status, answer, detail } = facts as Record<string, unknown>;
    const line = { callId, outcome, reason, attempts, status, answer, detail };
    if (outcome === 'confirmed' || outcome === 'already-ended') this.#log.debug(line, 'hung up');
    else if (outcome !== 'no-credentials') this.#log.error(line, 'call could not be hung up');
    this.#settled(callId, outcome, String(reason));
  }
}
