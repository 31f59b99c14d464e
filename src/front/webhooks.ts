import type { Log } from '../log.js';
import {
  type Fields,
  type Headers,
  isSigned,
  nonceHeader,
  type SignedMethod,
  signatureHeaders,
  verifyV3,
} from '../plivo/signature.js';
import { hangupOf, readForm, streamStatusOf, webhookBodyBytesMax } from '../plivo/webhook.js';

/** Each is a path of the public port, and a metric label. */
export const webhookKinds = ['hangup', 'stream-status'] as const;
export type WebhookKind = (typeof webhookKinds)[number];

/** A metric label. `ignored`: nothing is wrong with it, and nothing follows from it. */
export const webhookOutcomes = ['accepted', 'unsigned', 'unreadable', 'ignored'] as const;
export type WebhookOutcome = (typeof webhookOutcomes)[number];

/** Only verified requests lead to the first two. Plivo may repeat itself, so each may come again. */
export interface WebhookEvents {
  callEnded(callId: string, cause: string): void;
  streamEnded(callId: string, streamId: string, how: 'stopped' | 'dropped'): void;
  webhook(kind: WebhookKind, outcome: WebhookOutcome): void;
}

export interface WebhookOptions {
  /** Without a trailing slash. */
  readonly publicUrl: string | undefined;
  /** Auth tokens of the accounts; without any nothing can be verified. */
  readonly tokens: readonly string[];
  readonly log: Log;
  readonly on: WebhookEvents;
  /** Monotonic, for tests. */
  readonly nowMs?: () => number;
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

export type WebhookStatus = 200 | 400 | 403 | 413;

export const webhookHeaders = ['host', nonceHeader, ...signatureHeaders] as const;

/** Anybody can send unsigned requests; they may not fill the log. */
const refusalLogMs = 10_000;
const urlCharsMax = 200;

/** Plivo's webhooks about calls and streams: believes those that are signed, and tells what they say. */
export class Webhooks {
  readonly #options: WebhookOptions;
  readonly #nowMs: () => number;
  #refusedSinceLog = 0;
  #loggedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  answer(kind: WebhookKind, request: WebhookRequest): WebhookStatus {
    const { on, tokens } = this.#options;
    const [status, outcome] = this.#judge(kind, request, tokens);
    on.webhook(kind, outcome);
    return status;
  }

  #judge(
    kind: WebhookKind,
    request: WebhookRequest,
    tokens: readonly string[],
  ): readonly [WebhookStatus, WebhookOutcome] {
    const { method, query, headers, body } = request;
    if (body.byteLength > webhookBodyBytesMax) return [413, 'unreadable'];
    if (tokens.length === 0) return [200, 'ignored'];
    const fields = readForm(method === 'GET' ? query : body);
    if (fields === undefined) return [413, 'unreadable'];
    const urls = this.#urls(request);
    // The fields of a GET are in its URL: given twice they would count twice.
    const params = method === 'GET' ? [] : fields;
    if (!urls.some((url) => verifyV3({ method, url, params, headers, tokens }))) {
      this.#logRefusal(kind, urls, isSigned(headers));
      return [403, 'unsigned'];
    }
    const outcome = kind === 'hangup' ? this.#hangup(fields) : this.#streamStatus(fields);
    return [outcome === 'unreadable' ? 400 : 200, outcome];
  }

  #hangup(fields: Fields): WebhookOutcome {
    const hangup = hangupOf(fields);
    if (hangup === undefined) return 'unreadable';
    this.#options.on.callEnded(hangup.callId, hangup.cause);
    return 'accepted';
  }

  #streamStatus(fields: Fields): WebhookOutcome {
    const status = streamStatusOf(fields);
    if (status === undefined) return 'unreadable';
    const { callId, streamId, event } = status;
    if (event !== 'stopped' && event !== 'dropped') return 'ignored';
    this.#options.on.streamEnded(callId, streamId, event);
    return 'accepted';
  }

  /** What Plivo may have signed. Behind a proxy that ends TLS the scheme cannot be known from the socket. */
  #urls({ path, query, headers }: WebhookRequest): string[] {
    const { publicUrl } = this.#options;
    const rest = query === '' ? path : `${path}?${query}`;
    if (publicUrl !== undefined) return [`${publicUrl}${rest}`];
    const { host } = headers;
    return host ? [`https://${host}${rest}`, `http://${host}${rest}`] : [];
  }

  #logRefusal(kind: WebhookKind, urls: readonly string[], signed: boolean): void {
    this.#refusedSinceLog++;
    const nowMs = this.#nowMs();
    if (nowMs - this.#loggedAtMs < refusalLogMs) return;
    const refused = this.#refusedSinceLog;
    this.#refusedSinceLog = 0;
    this.#loggedAtMs = nowMs;
    const checked = urls.map(withoutQuery).join(' and ') || 'none, for lack of a Host header';
    const why = signed
      ? 'its signature matches no configured auth token'
      : 'it has no X-Plivo-Signature-V3 header, or no nonce';
    this.#options.log.warn(
      { webhook: kind, refused },
      `refused a webhook: ${why}; URL checked: ${checked}; if Plivo was given another one, set PUBLIC_URL to its start`,
    );
  }
}

/** A query may hold phone numbers. */
function withoutQuery(url: string): string {
  const [place = '', query] = url.split('?', 2);
  return `${place.slice(0, urlCharsMax)}${query === undefined ? '' : '?…'}`;
}
