import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { errorText } from '../errors.js';
import {
  recordAttemptsMax,
  recordRetryMsMax,
  recordRetryMsMin,
  recordTimeoutMs,
  recordWebhookConnections,
  recordWebhookWaitingMax,
} from '../limits.js';
import type { Log } from '../log.js';
import type { CallRecord } from './call-record.js';
import type { RecordOutcome, RecordSink } from './record-sinks.js';

export interface RecordWebhookOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly log: Log;
  count(outcome: RecordOutcome): void;
  /** Of tests. */
  readonly retryMs?: number;
}

interface Waiting {
  readonly body: string;
  attempts: number;
  /** `performance.now()` before which it is not tried again. */
  dueMs: number;
}

/**
 * POSTs call records to a service of the user's own, one to a request. Anything but a 2xx is tried again, less and less
 * often, and given up after a while; a 4xx but 408, 425 and 429 at once, as the same would follow.
 */
export class RecordWebhook implements RecordSink {
  readonly #options: RecordWebhookOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent = new Agent({
    connections: recordWebhookConnections,
    connect: { timeout: recordTimeoutMs },
    headersTimeout: recordTimeoutMs,
    bodyTimeout: recordTimeoutMs,
  });
  /** In the order in which they are due. */
  readonly #waiting: Waiting[] = [];
  #underWay = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** What is left has been counted. */
  #isGivenUp = false;
  #isFailing = false;
  #idle: (() => void) | undefined;

  constructor(options: RecordWebhookOptions) {
    this.#options = options;
    this.#headers = { 'content-type': 'application/json', ...options.headers };
  }

  get waiting(): number {
    return this.#waiting.length + this.#underWay;
  }

  write(record: CallRecord): void {
    if (this.#isClosed || this.waiting >= recordWebhookWaitingMax) {
      return this.#options.count('dropped');
    }
    const body = JSON.stringify(record);
    this.#place({ body, attempts: 0, dueMs: performance.now() });
    this.#pump();
  }

  /** Tries what waits once more, at once. */
  async close(withinMs: number): Promise<void> {
    this.#isClosed = true;
    for (const one of this.#waiting) one.dueMs = 0;
    this.#pump();
    if (this.waiting > 0) {
      const idle = new Promise<void>((resolve) => (this.#idle = resolve));
      await Promise.race([idle, sleep(withinMs, undefined, { ref: false })]);
    }
    clearTimeout(this.#timer);
    const lost = this.waiting;
    for (let left = lost; left > 0; left -= 1) this.#options.count('failed');
    this.#isGivenUp = true;
    this.#waiting.length = 0;
    if (lost > 0) this.#options.log.error({ records: lost }, 'call records were not delivered');
    await this.#agent.destroy();
  }

  #place(one: Waiting): void {
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1]!.dueMs > one.dueMs) at -= 1;
    this.#waiting.splice(at, 0, one);
  }

  #pump(): void {
    clearTimeout(this.#timer);
    const nowMs = performance.now();
    while (this.#underWay < recordWebhookConnections) {
      const next = this.#waiting[0];
      if (next === undefined) break;
      if (next.dueMs > nowMs) {
        this.#timer = setTimeout(() => this.#pump(), next.dueMs - nowMs).unref();
        break;
      }
      this.#waiting.shift();
      void this.#send(next);
    }
    if (this.waiting === 0) this.#idle?.();
  }

  async #send(one: Waiting): Promise<void> {
    this.#underWay += 1;
    one.attempts += 1;
    const problem = await this.#post(one.body);
    this.#underWay -= 1;
    if (this.#isGivenUp) return;
    if (problem === undefined) this.#options.count('written');
    else if (problem.isFinal || one.attempts >= recordAttemptsMax || this.#isClosed) {
      this.#options.count('failed');
    } else {
      const { retryMs = recordRetryMsMin } = this.#options;
      one.dueMs = performance.now() + Math.min(retryMs * 2 ** (one.attempts - 1), recordRetryMsMax);
      this.#place(one);
    }
    this.#tell(problem?.detail);
    this.#pump();
  }

  async #post(
    body: string,
  ): Promise<{ readonly detail: string; readonly isFinal: boolean } | undefined> {
    const { url } = this.#options;
    try {
      const answer = await request(url, {
        method: 'POST',
        headers: this.#headers,
        body,
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(recordTimeoutMs),
      });
      const { statusCode } = answer;
      await answer.body.dump();
      if (statusCode >= 200 && statusCode < 300) return undefined;
      const isFinal = statusCode < 500 && ![408, 425, 429].includes(statusCode);
      return { detail: `it answered with status ${statusCode}`, isFinal };
    } catch (thrown) {
      return { detail: errorText(thrown), isFinal: false };
    }
  }

  /** Once when it begins to fail, once when it is well again. */
  #tell(problem: string | undefined): void {
    const isFailing = problem !== undefined;
    if (isFailing === this.#isFailing) return;
    this.#isFailing = isFailing;
    const { log, url } = this.#options;
    const { origin } = new URL(url);
    if (isFailing) {
      log.error(
        { detail: problem },
        `call records do not get through to ${origin}; each is tried for a few minutes`,
      );
    } else log.info(`call records go to ${origin} again`);
  }
}
