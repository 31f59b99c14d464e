import {
  type Fields,
  type Headers,
  isSigned,
  nonceHeader,
  type SignedMethod,
  signatureHeaders,
  signerOf,
} from '../plivo/signature.js';
import {
  hangupOf,
  readForm,
  type StreamStatus,
  streamStatusOf,
  webhookBodyBytesMax,
} from '../plivo/webhook.js';
import { hangupXml, type XmlAnswer } from './answers.js';
import type { PublicAddress } from './public-address.js';
import type { SparseLog } from './sparse-log.js';

/** Each is a path of the public port, and a metric label. */
export const webhookKinds = ['answer', 'hangup', 'stream-status'] as const;
export type WebhookKind = (typeof webhookKinds)[number];

/** A metric label. `ignored`: nothing is wrong with it, and nothing follows from it. */
export const webhookOutcomes = ['accepted', 'unsigned', 'unreadable', 'ignored'] as const;
export type WebhookOutcome = (typeof webhookOutcomes)[number];

/** Only verified requests lead to the first three. Plivo may repeat itself, so each may come again. */
export interface WebhookEvents {
  /** A call asks what is to be done with it. */
  answer(webhook: VerifiedWebhook): Promise<XmlAnswer>;
  callEnded(callId: string, cause: string): void;
  streamStatus(status: StreamStatus): void;
  webhook(kind: WebhookKind, outcome: WebhookOutcome): void;
}

export interface WebhookOptions {
  readonly publicAddress: PublicAddress;
  /** Auth tokens, and for each the name of its account; without any nothing can be verified. */
  readonly tokens: readonly string[];
  readonly accounts: readonly string[];
  readonly sparseLog: SparseLog;
  readonly on: WebhookEvents;
}

export interface WebhookRequest {
  readonly method: SignedMethod;
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  /** Those of `webhookHeaders`. */
  readonly headers: Headers;
  /** Whoever reads it may stop above `webhookBodyBytesMax`. */
  readonly body: Uint8Array;
}

/** A webhook that Plivo signed, or that nobody can check because there is no Auth Token. */
export interface VerifiedWebhook extends WebhookRequest {
  readonly fields: Fields;
  readonly host: string | undefined;
  /** The URL that was signed; undefined if nothing was checked. */
  readonly url: string | undefined;
  /** Name of the account that signed; empty if nothing was checked. */
  readonly account: string;
}

export interface WebhookReply {
  readonly status: 200 | 400 | 403 | 413 | 502;
  readonly type: 'text/plain' | 'application/xml';
  readonly text: string;
}

export const webhookHeaders = ['host', nonceHeader, ...signatureHeaders] as const;

const urlCharsMax = 200;

/** What Plivo gets where it looks at the status alone. */
const plainTexts = {
  200: 'ok',
  400: 'no CallUUID in it',
  403: 'not signed by Plivo for an account of this gateway',
  413: 'more than a webhook of Plivo holds',
} as const;
type PlainStatus = keyof typeof plainTexts;

type Verdict =
  | { readonly ok: true; readonly webhook: VerifiedWebhook }
  | { readonly ok: false; readonly status: PlainStatus; readonly outcome: WebhookOutcome };

/** Plivo's webhooks: believes those that are signed, tells what they say, and answers calls. */
export class Webhooks {
  readonly #options: WebhookOptions;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  /** A call's answer may take a while, all others are ready at once. Never rejects. */
  answer(kind: WebhookKind, request: WebhookRequest): WebhookReply | Promise<WebhookReply> {
    const { on } = this.#options;
    const verdict = this.#verify(kind, request);
    if (kind === 'answer') {
      if (verdict.ok) return this.#call(verdict.webhook);
      on.webhook(kind, verdict.outcome);
      return { status: verdict.status, type: 'application/xml', text: hangupXml };
    }
    const [status, outcome] = verdict.ok
      ? this.#tell(kind, verdict.webhook)
      : [verdict.status, verdict.outcome];
    on.webhook(kind, outcome);
    return { status, type: 'text/plain', text: `${plainTexts[status]}\n` };
  }

  async #call(webhook: VerifiedWebhook): Promise<WebhookReply> {
    const { on } = this.#options;
    const { status, xml } = await on.answer(webhook);
    on.webhook('answer', status === 400 ? 'unreadable' : 'accepted');
    return { status, type: 'application/xml', text: xml };
  }

  #tell(
    kind: 'hangup' | 'stream-status',
    { fields, url }: VerifiedWebhook,
  ): readonly [PlainStatus, WebhookOutcome] {
    // Without an Auth Token anybody could end calls with it.
    if (url === undefined) return [200, 'ignored'];
    const { on } = this.#options;
    if (kind === 'hangup') {
      const hangup = hangupOf(fields);
      if (hangup === undefined) return [400, 'unreadable'];
      on.callEnded(hangup.callId, hangup.cause);
      return [200, 'accepted'];
    }
    const status = streamStatusOf(fields);
    if (status === undefined) return [400, 'unreadable'];
    on.streamStatus(status);
    return [200, status.event === 'other' ? 'ignored' : 'accepted'];
  }

  #verify(kind: WebhookKind, request: WebhookRequest): Verdict {
    const { publicAddress, tokens, accounts } = this.#options;
    const { method, path, query, headers, body } = request;
    const unreadable = { ok: false, status: 413, outcome: 'unreadable' } as const;
    if (body.byteLength > webhookBodyBytesMax) return unreadable;
    const fields = readForm(method === 'GET' ? query : body);
    if (fields === undefined) return unreadable;
    const { host } = headers;
    if (tokens.length === 0) {
      return { ok: true, webhook: { ...request, fields, host, url: undefined, account: '' } };
    }
    const urls = publicAddress.urls(host, query === '' ? path : `${path}?${query}`);
    // The fields of a GET are in its URL: given twice they would count twice.
    const params = method === 'GET' ? [] : fields;
    for (const url of urls) {
      const signer = signerOf({ method, url, params, headers, tokens });
      if (signer < 0) continue;
      const account = accounts[signer] ?? '';
      return { ok: true, webhook: { ...request, fields, host, url, account } };
    }
    this.#logRefusal(kind, urls, isSigned(headers));
    return { ok: false, status: 403, outcome: 'unsigned' };
  }

  #logRefusal(kind: WebhookKind, urls: readonly string[], signed: boolean): void {
    const checked = urls.map(withoutQuery).join(' and ') || 'none, for lack of a Host header';
    const why = signed
      ? 'its signature matches no configured auth token'
      : 'it has no X-Plivo-Signature-V3 header, or no nonce';
    this.#options.sparseLog.warn(
      kind,
      { webhook: kind },
      () =>
        `refused a webhook: ${why}; URL checked: ${checked}; if Plivo was given another one, set PUBLIC_URL to its start`,
    );
  }
}

/** A query may hold phone numbers. */
function withoutQuery(url: string): string {
  const [place = '', query] = url.split('?', 2);
  return `${place.slice(0, urlCharsMax)}${query === undefined ? '' : '?…'}`;
}
