import type { SignedMethod } from '../../src/plivo/signature.js';
import type { CallEndReason } from '../caller-options.js';
import { shownUrl } from '../shown-url.js';
import type { HangupCause } from './call-fields.js';
import type { WebhookAnswer } from './webhook-sender.js';

/** One webhook that was sent, and what came back. */
export interface SentWebhook {
  /** `answer`, `redirect`, `transfer`, `hangup`, or a stream's event. */
  readonly what: string;
  readonly method: SignedMethod;
  readonly url: string;
  /** Null if there was no answer. */
  readonly status: number | null;
  readonly problem: string | null;
  readonly ms: number;
  readonly tries: number;
}

export interface RanElement {
  readonly element: string;
  readonly detail: string | null;
  readonly afterStream: boolean;
}

/** What happened around the streams of a call that began with its answer webhook. URLs are as `shownUrl` shows them. */
export interface RoundSummary {
  readonly answer: SentWebhook;
  /** Asked for later: by `<Redirect>`, and by transfers. */
  readonly documents: readonly SentWebhook[];
  /** In the order of the XML. */
  readonly ran: readonly RanElement[];
  readonly streams: readonly {
    readonly url: string;
    readonly endReason: CallEndReason;
    readonly tries: number;
  }[];
  readonly callbacks: readonly SentWebhook[];
  readonly hangup: SentWebhook;
  readonly hangupCause: HangupCause;
  /** What is no fault and worth knowing. */
  readonly notes: readonly string[];
}

export function sentWebhook(
  what: string,
  method: SignedMethod,
  url: string,
  { status, problem, ms, tries }: WebhookAnswer,
): SentWebhook {
  const rounded = Math.round(ms * 10) / 10;
  return { what, method, url: shownUrl(url), status, problem, ms: rounded, tries };
}

/** The round for people, as rows of the summary. */
export function roundRows(round: RoundSummary): [string, string][] {
  const { answer, documents, ran, streams, callbacks, hangup, hangupCause, notes } = round;
  const before = ran.filter(({ afterStream }) => !afterStream);
  const after = ran.filter(({ afterStream }) => afterStream);
  return [
    ['answer', `${answer.method} ${answer.url}: ${outcome(answer)}`],
    ['ran', elements(before)],
    ...streams.map(({ url, endReason, tries }): [string, string] => {
      return ['stream', `${url}: ${endReason}${tries > 1 ? `, ${tries} tries to connect` : ''}`];
    }),
    ...(streams.length > 0 ? [['after it', elements(after)] as [string, string]] : []),
    ...documents.map((sent): [string, string] => [sent.what, `${sent.url}: ${outcome(sent)}`]),
    ...callbacks.map((sent): [string, string] => ['callback', `${sent.what}: ${outcome(sent)}`]),
    ['hang-up', `${hangup.url}: ${outcome(hangup)}`],
    ['', `${hangupCause.name} (${hangupCause.code}), by ${hangupCause.source}`],
    ...notes.map((note): [string, string] => ['note', note]),
  ];
}

function elements(list: readonly RanElement[]): string {
  const names = list.map(({ element, detail }) =>
    detail === null ? element : `${element} ${detail}`,
  );
  return names.length === 0 ? 'nothing' : names.join(', ');
}

function outcome({ status, problem, ms, tries }: SentWebhook): string {
  const said = status === null ? `no answer (${problem})` : `HTTP ${status}`;
  return `${said} in ${ms} ms${tries > 1 ? `, ${tries} tries` : ''}`;
}
