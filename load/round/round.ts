import type { SignedMethod } from '../../src/plivo/signature.js';
import { dropDetail } from '../call-ending.js';
import type { Caller } from '../caller.js';
import type { CallOutcome } from '../caller-options.js';
import type { LiveCall } from '../plivo-api.js';
import { shownUrl } from '../shown-url.js';
import { ViolationLog } from '../violations.js';
import { type AnswerElement, readAnswer } from './answer-document.js';
import { type CallFacts, CallFields, type HangupCause, hangupCauses } from './call-fields.js';
import {
  type RanElement,
  type RoundSummary,
  type SentWebhook,
  sentWebhook,
} from './round-summary.js';
import type { AnswerReport, StreamElement } from './stream-element.js';
import { isSuccess, type WebhookAnswer, WebhookSender } from './webhook-sender.js';

export interface RoundOptions {
  readonly facts: CallFacts;
  readonly answerUrl: string;
  readonly answerMethod: SignedMethod;
  readonly hangupUrl: string;
  readonly authToken: string | undefined;
  /** A caller for this stream, not yet running. */
  readonly callerFor: (
    stream: StreamElement,
    onStart: () => void,
    note: (text: string) => void,
  ) => Promise<Caller>;
}

export interface RanStream {
  readonly caller: Caller;
  readonly outcome: CallOutcome;
}

export interface RoundResult {
  readonly summary: RoundSummary;
  readonly streams: readonly RanStream[];
}

/** A document to go on with, or the end of the call. */
type Next =
  | { readonly what: 'redirect' | 'transfer'; readonly url: string; readonly method: SignedMethod }
  | { readonly what: 'end'; readonly cause: HangupCause };

/** Documents that a call may go on with after its first; more are taken for a circle. */
const documentsMax = 5;

/**
 * Plivo's side of one call from its answer webhook to its hang-up webhook (protocol sections 1, 4.3, 4.4, 7.2, 7.5): runs
 * the XML of the answer, in it the streams, and tells of them. To be run once. Status callbacks go out one after the other,
 * and all of them before the hang-up webhook.
 */
export class Round implements LiveCall {
  readonly violations = new ViolationLog();
  readonly #options: RoundOptions;
  readonly #fields: CallFields;
  readonly #causes: ReturnType<typeof hangupCauses>;
  readonly #sender: WebhookSender;
  readonly #report: AnswerReport;
  readonly #ran: RanElement[] = [];
  readonly #streams: (RanStream & { readonly url: string })[] = [];
  readonly #documents: SentWebhook[] = [];
  readonly #callbacks: SentWebhook[] = [];
  readonly #notes: string[] = [];
  /** Settles when the last status callback has. */
  #told: Promise<void> = Promise.resolve();
  #answeredMs = 0;
  /** The stream that is being called. */
  #caller: Caller | undefined = undefined;
  #transferUrl: string | undefined = undefined;
  #isHungUp = false;
  #isOver = false;

  constructor(options: RoundOptions) {
    this.#options = options;
    this.#fields = new CallFields(options.facts);
    this.#causes = hangupCauses(options.facts.direction);
    this.#sender = new WebhookSender({ authToken: options.authToken });
    this.#report = {
      violation: (name, detail) => this.violations.record(name, detail),
      note: (text) => void (this.#notes.includes(text) || this.#notes.push(text)),
    };
  }

  hangUp(): boolean {
    if (this.#isOver || this.#isHungUp) return false;
    this.#isHungUp = this.#caller?.hangUpByGateway() ?? true;
    return this.#isHungUp;
  }

  transfer(url: string): boolean {
    if (this.#isOver || this.#isHungUp) return false;
    const isTaken = this.#caller?.transferByGateway(url) ?? true;
    if (isTaken) this.#transferUrl = url;
    return isTaken;
  }

  async run(): Promise<RoundResult> {
    try {
      const { answerUrl: url, answerMethod: method } = this.#options;
      const answered = await this.#fetch('answer', method, url);
      this.#answeredMs = performance.now();
      const cause = await this.#goOn(await this.#runDocument(answered));
      this.#isOver = true;
      await this.#told;
      const hangup = await this.#tellHangup(cause);
      return { summary: this.#summary(hangup, cause), streams: this.#streams };
    } finally {
      this.#isOver = true;
      await this.#sender.close();
    }
  }

  /** Follows the call from document to document, to its end. */
  async #goOn(first: Next): Promise<HangupCause> {
    let next = first;
    for (let count = 1; next.what !== 'end'; count += 1) {
      if (count > documentsMax) {
        const detail = `the call went from document to document more than ${documentsMax} times`;
        this.violations.record('xml-redirects-too-many', detail);
        return this.#causes.invalidXml;
      }
      next = await this.#runDocument(await this.#fetch(next.what, next.method, next.url));
    }
    return next.cause;
  }

  async #fetch(what: string, method: SignedMethod, url: string): Promise<WebhookAnswer> {
    const event = what === 'answer' ? 'StartApp' : 'Redirect';
    const answer = await this.#sender.send(method, url, this.#fields.document(event));
    this.#documents.push(sentWebhook(what, method, url, answer));
    this.#judge(`${what} webhook`, answer, answer.status === 200);
    return answer;
  }

  async #runDocument(answer: WebhookAnswer): Promise<Next> {
    if (answer.status !== 200) return { what: 'end', cause: this.#causes.unreachable };
    const elements = readAnswer(answer, this.#report);
    if (elements === undefined) return { what: 'end', cause: this.#causes.invalidXml };
    for (const element of elements) {
      const next = this.#interruption() ?? (await this.#runElement(element));
      if (next !== undefined) return next;
    }
    return this.#interruption() ?? { what: 'end', cause: this.#causes.endOfXml };
  }

  /** What came by REST goes before what the XML says next. */
  #interruption(): Next | undefined {
    if (this.#isHungUp) return { what: 'end', cause: this.#causes.byRest };
    const url = this.#transferUrl;
    this.#transferUrl = undefined;
    return url === undefined ? undefined : { what: 'transfer', url, method: 'POST' };
  }

  /** Undefined: the next element follows. */
  async #runElement(element: AnswerElement): Promise<Next | undefined> {
    const { name } = element;
    switch (element.kind) {
      case 'stream':
        this.#note(name, null);
        return this.#stream(element.stream);
      case 'redirect': {
        const { url, method } = element;
        this.#note(name, url === undefined ? null : shownUrl(url));
        if (url === undefined) return { what: 'end', cause: this.#causes.invalidXml };
        return { what: 'redirect', url, method };
      }
      case 'hangup':
        this.#note(name, element.reason === undefined ? null : `reason="${element.reason}"`);
        return { what: 'end', cause: this.#causes.byXml };
      case 'dial':
        this.#note(name, null);
        return { what: 'end', cause: this.#causes.byPerson };
      case 'other':
        this.#note(name, null);
        this.#report.note(`<${name}> is passed over: streams alone are simulated`);
        return undefined;
    }
  }

  #note(element: string, detail: string | null): void {
    this.#ran.push({ element, detail, afterStream: this.#streams.length > 0 });
  }

  async #stream(stream: StreamElement): Promise<Next | undefined> {
    if (!stream.isDialable) return undefined;
    const caller = await this.#options.callerFor(
      stream,
      () => this.#tell('StartStream', stream, caller, null),
      this.#report.note,
    );
    if (this.#isHungUp) return undefined;
    this.#caller = caller;
    const outcome = await caller.run();
    this.#caller = undefined;
    this.#streams.push({ caller, outcome, url: stream.url });
    for (const { name, detail, count } of caller.violations.list()) {
      this.violations.record(name, detail, count);
    }
    const error = dropDetail(outcome);
    this.#tell(error === null ? 'StopStream' : 'DroppedStream', stream, caller, error);
    const isPutDown = ['caller-hangup', 'time-limit'].includes(outcome.endReason);
    return isPutDown ? { what: 'end', cause: this.#causes.byPerson } : undefined;
  }

  /** A stream's status callback, if it asked for them. */
  #tell(event: string, stream: StreamElement, caller: Caller, error: string | null): void {
    const { statusUrl: url, statusMethod: method } = stream;
    if (url === undefined) return;
    const fields = this.#fields.streamStatus(event, caller.streamId, stream.url, error);
    this.#told = this.#told.then(async () => {
      const answer = await this.#sender.send(method, url, fields);
      this.#callbacks.push(sentWebhook(event, method, url, answer));
      this.#judge(`${event} callback`, answer, isSuccess(answer));
    });
  }

  async #tellHangup(cause: HangupCause): Promise<SentWebhook> {
    const { hangupUrl: url } = this.#options;
    const fields = this.#fields.hangup(cause, performance.now() - this.#answeredMs);
    const answer = await this.#sender.send('POST', url, fields);
    this.#judge('hang-up webhook', answer, isSuccess(answer));
    return sentWebhook('hangup', 'POST', url, answer);
  }

  #judge(what: string, { status, problem, tries }: WebhookAnswer, isGood: boolean): void {
    if (status === null) {
      this.violations.record('webhook-unanswered', `the ${what} got no answer: ${problem}`);
    } else if (!isGood) {
      this.violations.record('webhook-refused', `the ${what} was answered with HTTP ${status}`);
    } else if (tries > 1) {
      this.#report.note(`the ${what} was taken at its try no. ${tries}`);
    }
  }

  #summary(hangup: SentWebhook, hangupCause: HangupCause): RoundSummary {
    const [answer, ...documents] = this.#documents;
    return {
      answer: answer!,
      documents,
      ran: this.#ran,
      streams: this.#streams.map(({ url, caller, outcome: { endReason } }) => {
        return { url: shownUrl(url), endReason, tries: caller.tries };
      }),
      callbacks: this.#callbacks,
      hangup,
      hangupCause,
      notes: this.#notes,
    };
  }
}
