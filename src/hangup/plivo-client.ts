import { type Dispatcher, Pool } from 'undici';
import { GatewayError } from '../errors.js';
import { restConnections, restTimeoutMs } from '../limits.js';
import { basicAuthorization, type Credentials, callUrl, transferBody } from '../plivo/rest.js';

export interface PlivoAnswer {
  readonly status: number;
  /** Value of `Retry-After`, if Plivo sent one. */
  readonly retryAfterMs: number | undefined;
  /** Start of the body, for a log line. */
  readonly text: string;
}

/** One account at one API. */
export interface PlivoAccount {
  /** Without a trailing slash. */
  readonly apiUrl: string;
  readonly credentials: Credentials | undefined;
}

/** A few kept-alive connections to an API: a cold one costs about a second (protocol reference, section 5.3). */
export function openApiPool(apiUrl: string, connections = restConnections, pipelining = 1): Pool {
  return new Pool(new URL(apiUrl).origin, {
    connections,
    pipelining,
    headersTimeout: restTimeoutMs,
    bodyTimeout: restTimeoutMs,
    connect: { timeout: restTimeoutMs },
  });
}

const expiryLookMs = 250;
const textCharsMax = 200;

/** Plivo's REST API for one account. */
export class PlivoClient {
  readonly #account: PlivoAccount;
  readonly #pool: Pool;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #jsonHeaders: Readonly<Record<string, string>>;
  /** Of the API's address, in front of the paths of calls. */
  readonly #prefix: string;
  readonly #exchanges = new Set<Exchange>();
  #looker: NodeJS.Timeout | undefined;

  /** The pool is closed with the client. */
  constructor(account: PlivoAccount, pool: Pool = openApiPool(account.apiUrl)) {
    this.#account = account;
    this.#pool = pool;
    const authorization = account.credentials ? basicAuthorization(account.credentials) : '';
    this.#headers = { authorization };
    this.#jsonHeaders = { authorization, 'content-type': 'application/json' };
    this.#prefix = new URL(account.apiUrl).pathname.replace(/\/+$/, '');
  }

  /**
   * @throws GatewayError BAD_CALL_ID, MISSING_CREDENTIALS before a request is made; network errors of undici, and a
   * plain error after `restTimeoutMs`
   */
  hangup(callId: string): Promise<PlivoAnswer> {
    return this.#request('DELETE', callId, undefined);
  }

  /** @throws as `hangup` */
  transfer(callId: string, url: string): Promise<PlivoAnswer> {
    return this.#request('POST', callId, transferBody(url));
  }

  /** @throws GatewayError BAD_CALL_ID if no request can be made for this call */
  check(callId: string): void {
    callUrl(this.#prefix, this.#account.credentials?.authId ?? 'none', callId);
  }

  close(): Promise<void> {
    clearInterval(this.#looker);
    this.#looker = undefined;
    return this.#pool.destroy();
  }

  /** Not `async`: the promise it would wrap around costs as much as the rest of it. */
  #request(
    method: 'DELETE' | 'POST',
    callId: string,
    body: string | undefined,
  ): Promise<PlivoAnswer> {
    return new Promise((resolve, reject) => {
      const { credentials } = this.#account;
      if (credentials === undefined) {
        throw new GatewayError('MISSING_CREDENTIALS', 'set PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN');
      }
      const path = callUrl(this.#prefix, credentials.authId, callId);
      const headers = body === undefined ? this.#headers : this.#jsonHeaders;
      // Hanging up twice is as good as once; without `idempotent` undici would not queue DELETEs on one connection.
      const idempotent = method === 'DELETE';
      const exchange = new Exchange(resolve, reject, this.#exchanges);
      this.#exchanges.add(exchange);
      this.#looker ??= setInterval(() => this.#expire(), expiryLookMs);
      this.#pool.dispatch({ method, path, headers, body: body ?? null, idempotent }, exchange);
    });
  }

  /** One look at all requests now and then costs less than a timer and a signal for each. */
  #expire(): void {
    const beforeMs = performance.now() - restTimeoutMs;
    for (const exchange of this.#exchanges) {
      if (exchange.startedMs < beforeMs) exchange.expire();
    }
    if (this.#exchanges.size > 0) return;
    clearInterval(this.#looker);
    this.#looker = undefined;
  }
}

/** One request and its answer. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly startedMs = performance.now();
  readonly #resolve: (answer: PlivoAnswer) => void;
  readonly #reject: (error: Error) => void;
  /** Those under way. */
  readonly #all: Set<Exchange>;
  #controller: Dispatcher.DispatchController | undefined = undefined;
  #expired = false;
  #status = 0;
  #retryAfterMs: number | undefined = undefined;
  #text = '';

  constructor(
    resolve: (answer: PlivoAnswer) => void,
    reject: (error: Error) => void,
    all: Set<Exchange>,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#all = all;
  }

  /** Settles now, also if the request still waits for a connection: it is cut when it gets one. */
  expire(): void {
    this.#expired = true;
    const error = new Error(`no answer within ${restTimeoutMs / 1_000} s`);
    this.#all.delete(this);
    this.#reject(error);
    this.#controller?.abort(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#expired) controller.abort(new Error('too late'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#retryAfterMs = retryAfterMs(headers['retry-after']);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#text.length < textCharsMax) this.#text += chunk.toString('utf8', 0, textCharsMax);
  }

  onResponseEnd(): void {
    this.#all.delete(this);
    this.#resolve({
      status: this.#status,
      retryAfterMs: this.#retryAfterMs,
      text: this.#text.slice(0, textCharsMax),
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#all.delete(this);
    this.#reject(error);
  }
}

/** Seconds, or a date (RFC 9110, section 10.2.3). */
function retryAfterMs(value: string | string[] | undefined): number | undefined {
  if (typeof value !== 'string') return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
