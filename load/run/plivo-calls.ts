import type { CallResult } from '../generator/messages.js';
import type { ScenarioName } from '../generator/scenarios.js';
import type { Generators } from './generators.js';
import type { LoadOptions } from './options.js';
import type { LoadTarget } from './target.js';
import { type AnsweredCall, PlivoWebhooks } from './webhooks.js';

export interface NewCall {
  readonly callId: string;
  readonly scenario: ScenarioName;
  readonly lengthMs?: number;
}

export interface PlivoCallsEvents {
  /** A call that never came to a stream. */
  unanswered(call: NewCall, detail: string): void;
}

/** As Plivo tries a stream that does not connect: twice more (protocol section 7.2). */
const plivoRetries = 2;

/** Plivo's side of calls beside their streams: webhooks before and after, and hang-ups by REST. */
export class PlivoCalls {
  readonly #options: LoadOptions;
  readonly #target: LoadTarget;
  readonly #generators: Generators;
  readonly #events: PlivoCallsEvents;
  readonly #webhooks: PlivoWebhooks | undefined;
  readonly #answered = new Map<string, AnsweredCall>();
  readonly #live = new Set<string>();
  #asking = 0;
  #isEnding = false;
  #hangUps = 0;

  constructor(
    options: LoadOptions,
    target: LoadTarget,
    generators: Generators,
    events: PlivoCallsEvents,
  ) {
    this.#options = options;
    this.#target = target;
    this.#generators = generators;
    this.#events = events;
    if (options.target.kind === 'answer') {
      this.#webhooks = new PlivoWebhooks(options.target, options);
    }
  }

  /** Calls that were begun and are not over. */
  get up(): number {
    return this.#generators.up + this.#asking;
  }

  /** Calls whose stream is up. */
  get live(): number {
    return this.#live.size;
  }

  /** Hang-ups by REST. */
  get hangUps(): number {
    return this.#hangUps;
  }

  dial(call: NewCall): void {
    const { url } = this.#target;
    this.#isEnding = false;
    if (this.#webhooks !== undefined) void this.#ask(this.#webhooks, call);
    else if (url !== undefined) this.#connect(call, url, this.#options.extraHeaders, 0);
  }

  /** All callers hang up, also those whose call is just being answered. */
  endAll(): void {
    this.#isEnding = true;
    this.#generators.endAll();
  }

  started(callId: string, streamId: string): void {
    this.#live.add(callId);
    this.#answered.get(callId)?.started(streamId);
  }

  over(result: CallResult): void {
    this.#live.delete(result.callId);
    this.#target.api?.remove(result.callId);
    this.#answered.get(result.callId)?.over(result);
    this.#answered.delete(result.callId);
  }

  /** Waits, for a moment, for webhooks that are on their way. */
  async close(): Promise<void> {
    await this.#webhooks?.close();
  }

  async #ask(webhooks: PlivoWebhooks, call: NewCall): Promise<void> {
    this.#asking += 1;
    try {
      const answered = await webhooks.answer(call.callId, this.#options.format);
      this.#answered.set(call.callId, answered);
      const asked = this.#isEnding ? { ...call, lengthMs: 0 } : call;
      this.#connect(asked, answered.streamUrl, answered.extraHeaders, plivoRetries);
    } catch (error) {
      this.#events.unanswered(call, error instanceof Error ? error.message : String(error));
    } finally {
      this.#asking -= 1;
    }
  }

  #connect(call: NewCall, url: string, extraHeaders: string, retries: number): void {
    const { accountId, api } = this.#target;
    const { callId } = call;
    api?.add(callId, {
      hangUp: () => {
        const isThere = this.#generators.hangUp(callId);
        api.remove(callId);
        if (isThere) this.#hangUps += 1;
        return isThere;
      },
      transfer: () => true,
    });
    this.#generators.dial({ ...call, url, accountId, extraHeaders, retries });
  }
}
