import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { errorText, GatewayError } from '../errors.js';
import type { UpstreamView } from '../routing/upstreams.js';
import type { CallNumbers } from '../shard/call-board.js';
import { type CaptureSource, captureReply } from './captures.js';
import { type GuardRules, refusalOf } from './guard.js';
import { readStreamFacts, readText, type StreamFacts } from './stream-facts.js';

/** One live call as the API shows it. */
export interface CallView {
  readonly callId: string;
  readonly streamId: string;
  /** The route that took the call, and the one whose handler speaks now: another after a fallback. */
  readonly route: string;
  readonly answeredBy: string;
  /** The upstream that took it, and its address without the facts of the call; empty without one. */
  readonly upstream: string;
  readonly address: string;
  readonly shard: number;
  readonly from: string;
  readonly to: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly ending: string | undefined;
  readonly state: CallNumbers['state'];
  readonly mediaIn: number;
  readonly mediaOut: number;
  readonly drops: number;
  readonly queuedMs: number;
}

/** A hang-up that is not settled. */
export interface HangupView {
  readonly callId: string;
  readonly state: 'pending' | 'in-flight' | 'failed';
  readonly account: string;
  readonly reason: string;
  readonly speculative: boolean;
  readonly requestedAt: string;
  readonly ageSeconds: number;
  readonly attempts: number;
  readonly lastAnswer: string;
}

/** `hangups` may be fewer than the counts say. */
export interface HangupsView {
  readonly pending: number;
  readonly failed: number;
  readonly lostStreams: number;
  readonly degraded: string | undefined;
  readonly hangups: readonly HangupView[];
}

export interface Readiness {
  readonly ready: boolean;
  readonly draining: boolean;
  readonly calls: number;
  readonly hangupsPending: number;
  /** Why hang-ups are not kept on disk now; ready all the same. */
  readonly degraded: string | undefined;
  readonly shards: readonly {
    readonly shard: number;
    readonly ready: boolean;
    readonly calls: number;
  }[];
}

/** What the admin listener shows and may ask for. */
export interface AdminSource extends CaptureSource {
  metrics(request: IncomingHttpHeaders): Promise<{
    readonly type: string;
    readonly encoding: string | undefined;
    readonly body: Buffer;
  }>;
  readiness(): Readiness;
  calls(): readonly CallView[];
  /** The story of a call that is live or has ended; undefined if it is not known, or no longer. */
  call(callId: string): object | undefined;
  /** Ends a call at once; false for a call this gateway does not have. */
  hangup(callId: string): boolean;
  hangups(): HangupsView;
  upstreams(): readonly UpstreamView[];
  /** Takes routes and upstreams from the configuration as it is now. */
  reload(): Promise<{ readonly ok: boolean }>;
  /** A stream URL for XML that is written elsewhere; or why there is none. */
  streamUrl(facts: StreamFacts): object & { readonly problem?: string };
  /** Tries failed hang-ups again, or that of one call; answers how many. */
  retryHangups(callId: string | undefined): number;
  /** Gives a hang-up up; false if there is none, or its request is under way. */
  dropHangup(callId: string): boolean;
}

/**
 * The second listener, on loopback by default: metrics, health, calls. Never reachable through the first. Who may ask
 * is decided in `guard.ts`.
 */
export class AdminServer {
  readonly #rules: GuardRules;
  readonly #source: AdminSource;
  readonly #server: Server;

  constructor(rules: GuardRules, source: AdminSource) {
    this.#rules = rules;
    this.#source = source;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((thrown: unknown) => {
        if (!response.headersSent) json(response, 500, { error: errorText(thrown) });
        else response.destroy();
      });
    });
  }

  /**
   * @returns the port
   * @throws GatewayError LISTEN
   */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'EADDRINUSE' ? 'the port is in use' : error.message;
        const remedy = 'stop the other program or set ADMIN_PORT';
        reject(
          new GatewayError('LISTEN', `cannot listen on ${host}:${port} (admin): ${why}; ${remedy}`),
        );
      });
      this.#server.listen({ host, port, exclusive: true }, () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0]!;
    const method = request.method ?? 'GET';
    const { host, origin, authorization } = request.headers;
    const refusal = refusalOf(this.#rules, { path, host, origin, authorization });
    if (refusal !== undefined) {
      if (refusal.status === 401) response.setHeader('www-authenticate', 'Bearer');
      request.resume();
      return json(response, refusal.status, { error: refusal.error });
    }
    if (path !== '/api/stream-url') request.resume();
    if (path === '/api/reload') return this.#reload(response, method);
    if (path === '/api/stream-url') return this.#streamUrl(request, response);
    const captured = /^\/api\/calls\/([^/]+)\/capture$/.exec(path);
    if (captured !== null) return this.#capture(response, method, captured[1]!);
    const item = /^\/api\/(calls|hangups)\/([^/]+)(\/retry)?$/.exec(path);
    if (item !== null) return this.#item(response, method, item);
    const page = this.#pages[path];
    if (page === undefined) {
      return json(response, 404, { error: `nothing at ${path}`, paths: this.#paths });
    }
    if (method !== 'GET' && method !== 'HEAD') return notAllowed(response, 'GET, HEAD');
    return page(response, request);
  }

  get #paths(): readonly string[] {
    return [
      ...Object.keys(this.#pages),
      ...['/api/calls/<callId>', '/api/calls/<callId>/capture', '/api/hangups/<callId>'],
      ...['/api/reload', '/api/stream-url'],
    ];
  }

  readonly #pages: Readonly<
    Record<string, (response: ServerResponse, request: IncomingMessage) => Promise<void> | void>
  > = {
    '/metrics': async (response, { headers }) => {
      const { type, encoding, body } = await this.#source.metrics(headers);
      response.setHeader('vary', 'accept, accept-encoding');
      if (encoding !== undefined) response.setHeader('content-encoding', encoding);
      response.writeHead(200, { 'content-type': type }).end(body);
    },
    '/livez': (response) => json(response, 200, { live: true }),
    '/readyz': (response) => {
      const readiness = this.#source.readiness();
      json(response, readiness.ready ? 200 : 503, readiness);
    },
    '/api/calls': (response) => json(response, 200, { calls: this.#source.calls() }),
    '/api/upstreams': (response) => json(response, 200, { upstreams: this.#source.upstreams() }),
    '/api/hangups': (response) => json(response, 200, this.#source.hangups()),
  };

  /** `/api/calls/<callId>`, `/api/hangups/<callId>`, `/api/hangups/<callId>/retry`, `/api/hangups/retry`. */
  #item(response: ServerResponse, method: string, [path, group, encoded, retry]: string[]): void {
    const callId = decoded(encoded!);
    if (callId === undefined) return wronglyEncoded(response);
    if (path === '/api/hangups/retry') return this.#retry(response, method, undefined);
    if (group === 'hangups' && retry !== undefined) return this.#retry(response, method, callId);
    if (group === 'calls' && method === 'GET') return this.#call(response, callId);
    if (method !== 'DELETE') {
      return notAllowed(response, group === 'calls' ? 'GET, DELETE' : 'DELETE');
    }
    if (group === 'calls') return this.#hangup(response, callId);
    if (this.#source.dropHangup(callId)) return json(response, 200, { callId, dropped: true });
    return json(response, 404, { error: 'no such hang-up, or its request is under way', callId });
  }

  async #capture(response: ServerResponse, method: string, encoded: string): Promise<void> {
    const callId = decoded(encoded);
    if (callId === undefined) return wronglyEncoded(response);
    const reply = await captureReply(this.#source, method, callId);
    if (reply === undefined) return notAllowed(response, 'POST, DELETE');
    json(response, reply.status, reply.body);
  }

  async #reload(response: ServerResponse, method: string): Promise<void> {
    if (method !== 'POST') return notAllowed(response, 'POST');
    const result = await this.#source.reload();
    json(response, result.ok ? 200 : 422, result);
  }

  async #streamUrl(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') {
      request.resume();
      return notAllowed(response, 'POST');
    }
    const facts = readStreamFacts(await readText(request));
    if (typeof facts === 'string') return json(response, 400, { error: facts });
    const answer = this.#source.streamUrl(facts);
    if (answer.problem !== undefined) return json(response, 409, { error: answer.problem });
    return json(response, 200, answer);
  }

  #retry(response: ServerResponse, method: string, callId: string | undefined): void {
    if (method !== 'POST') return notAllowed(response, 'POST');
    const retried = this.#source.retryHangups(callId);
    if (callId === undefined || retried > 0) return json(response, 202, { retried });
    return json(response, 404, { error: 'no failed hang-up of this call', callId });
  }

  #call(response: ServerResponse, callId: string): void {
    const story = this.#source.call(callId);
    if (story !== undefined) return json(response, 200, story);
    return json(response, 404, { error: 'no such call here, or it ended too long ago', callId });
  }

  #hangup(response: ServerResponse, callId: string): void {
    if (this.#source.hangup(callId)) return json(response, 202, { callId, ending: 'operator' });
    return json(response, 404, { error: 'no such call here', callId });
  }
}

function decoded(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

function wronglyEncoded(response: ServerResponse): void {
  json(response, 400, { error: 'the call id is not percent-encoded as it should be' });
}

function notAllowed(response: ServerResponse, allow: string): void {
  response.setHeader('allow', allow);
  json(response, 405, { error: `use ${allow}` });
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}
