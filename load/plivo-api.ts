import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText, GatewayError } from '../src/errors.js';
import { PlivoAccountState } from './plivo-account.js';
import { isControl, readOrder } from './plivo-api-control.js';
import { type Violation, ViolationLog } from './violations.js';

/** A call that the stand-in knows. Both answer false if the call is gone: a 404. */
export interface LiveCall {
  hangUp(): boolean;
  transfer(url: string): boolean;
}

export interface PlivoCredentials {
  readonly authId: string;
  readonly authToken: string;
}

/** How a request goes wrong on purpose. With a status, nothing is done to the call. */
export interface ApiFault {
  readonly status?: number;
  readonly retryAfterSeconds?: number;
  /** Waits before anything else. */
  readonly delayMs?: number;
  /** Breaks the connection instead of answering. */
  readonly reset?: boolean;
  /** Answers nothing, and keeps the connection open. */
  readonly silent?: boolean;
  /** Answers with bytes that are no HTTP. */
  readonly garbage?: boolean;
}

export interface PlivoApiOptions {
  /** Every call id is of a live call, until it is hung up. */
  readonly everyCall?: boolean;
  /** Takes orders under `/stand-in/` too, which Plivo does not know. */
  readonly control?: boolean;
}

export interface ApiRequest {
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  /** 0 if there was no answer, on purpose. */
  readonly status: number;
}

const host = '127.0.0.1';
const requestsKeptMax = 300_000;
const bodyBytesMax = 64 * 1024;
/** `/v1/Account/{auth_id}/Call/{call_uuid}/`, with or without its parts (section 5.1). */
const callPath = /^\/v1\/Account\/([^/]+)\/Call(?:\/([^/]*))?(\/?)$/;

export interface ApiSummary {
  readonly requests: number;
  /** Status 0 is no answer, on purpose. */
  readonly byStatus: Readonly<Record<string, number>>;
  /** The most requests within any 5 s: Plivo's limit is 300. */
  readonly mostIn5s: number;
  readonly violations: readonly Violation[];
}

interface Answer {
  readonly status: number;
  readonly body?: object;
  readonly retryAfterSeconds?: number;
}

function failure(status: number, error: string): Answer {
  return { status, body: { api_id: randomUUID(), error } };
}

/** Stand-in for Plivo's REST API (protocol section 5), on loopback: hang-up and transfer. */
export class PlivoApi {
  /** Every request in order, up to a bound. */
  readonly requests: ApiRequest[] = [];
  readonly violations = new ViolationLog();
  /** Its numbers and applications. */
  readonly account = new PlivoAccountState();
  readonly #credentials: PlivoCredentials | null;
  readonly #calls = new Map<string, LiveCall>();
  readonly #faults: ApiFault[] = [];
  readonly #everyCall: boolean;
  readonly #control: boolean;
  readonly #hungUp = new Set<string>();
  #always: ApiFault | undefined = undefined;
  #port = 0;
  #server: Server;

  /** Without credentials any Basic authorization that is not empty will do. */
  constructor(credentials: PlivoCredentials | null = null, options: PlivoApiOptions = {}) {
    this.#credentials = credentials;
    this.#everyCall = options.everyCall === true;
    this.#control = options.control === true;
    this.#server = this.#newServer();
  }

  #newServer(): Server {
    return createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  /** What belongs into `PLIVO_API_URL`. */
  get url(): string {
    return `http://${host}:${this.#port}`;
  }

  /** Listens on 127.0.0.1; port 0 takes a free one. */
  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'EADDRINUSE' ? 'the port is in use' : errorText(error);
        const message = `cannot listen on ${host}:${port}: ${why}`;
        reject(new GatewayError('LISTEN', message, { cause: error }));
      });
      this.#server.listen(port, host, () => {
        this.#port = (this.#server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  /** Takes connections again after `close`, on the same port. */
  reopen(): Promise<void> {
    this.#server = this.#newServer();
    return this.listen(this.#port);
  }

  /** Stops listening and cuts what is open. May be called twice. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  add(callId: string, call: LiveCall): void {
    this.#calls.set(callId, call);
  }

  remove(callId: string): void {
    this.#calls.delete(callId);
  }

  /** Lets the next `count` requests go wrong, after those already asked for. */
  failNext(count: number, fault: ApiFault): void {
    for (let i = 0; i < count; i += 1) this.#faults.push(fault);
  }

  /** Lets every request go wrong from now on; undefined ends it. */
  failAll(fault: ApiFault | undefined): void {
    this.#always = fault;
  }

  /** The most requests that came within any `spanMs`. */
  mostInAny(spanMs: number): number {
    const times = this.requests.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
    let most = 0;
    let from = 0;
    for (const [index, time] of times.entries()) {
      while (time - times[from]! >= spanMs) from += 1;
      most = Math.max(most, index - from + 1);
    }
    return most;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const atMs = performance.now();
    if (this.#control && isControl(request)) {
      write(response, this.#obey(request, await readBody(request)));
      return;
    }
    const fault = this.#faults.shift() ?? this.#always;
    const body = await readBody(request);
    if (fault?.delayMs !== undefined) await sleep(fault.delayMs);
    const isMute = fault?.reset === true || fault?.silent === true || fault?.garbage === true;
    const answer = isMute ? { status: 0 } : this.#answer(request, body, fault);
    if (this.requests.length < requestsKeptMax) {
      const { method = '', url: path = '' } = request;
      this.requests.push({ atMs, method, path, status: answer.status });
    }
    if (fault?.silent === true) return;
    if (fault?.garbage === true) request.socket.end('\u0000\u0001 no HTTP\r\n\r\n');
    else if (answer.status === 0) request.socket.resetAndDestroy();
    else write(response, answer);
  }

  /** An order of whoever runs the stand-in. */
  #obey({ method = '', url = '' }: IncomingMessage, body: string): Answer {
    const order = readOrder(method, url, body);
    switch (order.kind) {
      case 'fail':
        if (order.count === undefined) this.failAll(order.fault);
        else this.failNext(order.count, order.fault);
        return { status: 204 };
      case 'recover':
        this.#faults.length = 0;
        this.failAll(undefined);
        return { status: 204 };
      case 'tell':
        return { status: 200, body: this.summary() };
      case 'refuse':
        return failure(order.status, order.why);
    }
  }

  /** What has been asked of it so far. */
  summary(): ApiSummary {
    const byStatus: Record<string, number> = {};
    for (const { status } of this.requests) byStatus[status] = (byStatus[status] ?? 0) + 1;
    const mostIn5s = this.mostInAny(5_000);
    return {
      requests: this.requests.length,
      byStatus,
      mostIn5s,
      violations: this.violations.list(),
    };
  }

  #answer(request: IncomingMessage, body: string, fault: ApiFault | undefined): Answer {
    if (fault?.status !== undefined) {
      const { status, retryAfterSeconds } = fault;
      const answer = failure(status, 'a failure that was asked for');
      return retryAfterSeconds === undefined ? answer : { ...answer, retryAfterSeconds };
    }
    const { method = '', url = '' } = request;
    const match = callPath.exec(url);
    const ofAccount = match === null && this.account.answer(method, url, body);
    if (ofAccount) {
      const isOwner = this.#isAuthorized(request.headers.authorization);
      return isOwner ? ofAccount : failure(401, 'unauthorized');
    }
    if (match === null) {
      this.violations.record('rest-path-unknown', `${method} ${url} is no path of calls`);
      return failure(404, 'not found');
    }
    const [, account = '', callId = '', slash = ''] = match;
    if (!this.#isAuthorized(request.headers.authorization)) return failure(401, 'unauthorized');
    if (callId === '') return this.#refuseWhole(method, account);
    if (slash === '') {
      this.violations.record(
        'rest-trailing-slash-missing',
        `${method} ${url} must end with a slash`,
      );
      return failure(404, 'not found');
    }
    const call = this.#calls.get(callId) ?? this.#anyCall(callId);
    if (method === 'DELETE') return hangUp(call);
    if (method === 'POST') return transfer(call, body);
    return failure(405, 'method not allowed');
  }

  #anyCall(callId: string): LiveCall | undefined {
    if (!this.#everyCall || this.#hungUp.has(callId)) return undefined;
    return { hangUp: () => this.#hungUp.add(callId).size > 0, transfer: () => true };
  }

  /** The hazard of section 5.1: without a call id, Plivo hangs up every call of the account. */
  #refuseWhole(method: string, account: string): Answer {
    if (method === 'DELETE') {
      const detail = `DELETE of account ${account} without a call id would have hung up every call`;
      this.violations.record('rest-hang-up-all-calls', detail);
      return failure(400, detail);
    }
    return failure(405, 'this stand-in makes no calls');
  }

  #isAuthorized(header: string | undefined): boolean {
    const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? '')?.[1];
    if (encoded === undefined) return false;
    const given = Buffer.from(encoded, 'base64').toString('utf8');
    if (this.#credentials === null) return /^[^:]+:.+$/.test(given);
    return given === `${this.#credentials.authId}:${this.#credentials.authToken}`;
  }
}

function hangUp(call: LiveCall | undefined): Answer {
  return call?.hangUp() === true ? { status: 204 } : failure(404, 'call not found');
}

function transfer(call: LiveCall | undefined, body: string): Answer {
  if (call === undefined) return failure(404, 'call not found');
  let url: unknown;
  try {
    const request = JSON.parse(body) as { aleg_url?: unknown; bleg_url?: unknown };
    url = request.aleg_url ?? request.bleg_url;
  } catch {
    return failure(400, 'the body is not JSON');
  }
  if (typeof url !== 'string' || !URL.canParse(url)) return failure(400, 'aleg_url is no URL');
  if (!call.transfer(url)) return failure(404, 'call not found');
  return { status: 202, body: { message: 'call transfered', api_id: randomUUID() } };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let byteCount = 0;
  for await (const piece of request) {
    byteCount += (piece as Buffer).byteLength;
    if (byteCount > bodyBytesMax) throw new Error('the body is too large');
    pieces.push(piece as Buffer);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function write(response: ServerResponse, answer: Answer): void {
  if (answer.retryAfterSeconds !== undefined) {
    response.setHeader('Retry-After', String(answer.retryAfterSeconds));
  }
  response.statusCode = answer.status;
  if (answer.body === undefined) {
    response.end();
  } else {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(answer.body));
  }
}
