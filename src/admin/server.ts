import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { errorText, GatewayError } from '../errors.js';

/** One live call as the API shows it. */
export interface CallView {
  readonly callId: string;
  readonly streamId: string;
  readonly route: string;
  readonly shard: number;
  readonly from: string;
  readonly to: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly ending: string | undefined;
}

export interface Readiness {
  readonly ready: boolean;
  readonly draining: boolean;
  readonly calls: number;
  readonly hangupsPending: number;
  readonly shards: readonly {
    readonly shard: number;
    readonly ready: boolean;
    readonly calls: number;
  }[];
}

/** What the admin listener shows and may ask for. */
export interface AdminSource {
  metrics(): Promise<{ readonly type: string; readonly text: string }>;
  readiness(): Readiness;
  calls(): readonly CallView[];
  /** Ends a call at once; false for a call this gateway does not have. */
  hangup(callId: string): boolean;
}

/** The second listener, on loopback by default: metrics, health, calls. Never reachable through the first. */
export class AdminServer {
  readonly #source: AdminSource;
  readonly #server: Server;

  constructor(source: AdminSource) {
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
    request.resume();
    if (path.startsWith('/api/calls/') && path.length > '/api/calls/'.length) {
      if (method !== 'DELETE') return notAllowed(response, 'DELETE');
      return this.#hangup(response, path.slice('/api/calls/'.length));
    }
    const page = this.#pages[path];
    if (page === undefined) {
      return json(response, 404, { error: `nothing at ${path}`, paths: Object.keys(this.#pages) });
    }
    if (method !== 'GET' && method !== 'HEAD') return notAllowed(response, 'GET, HEAD');
    return page(response);
  }

  readonly #pages: Readonly<Record<string, (response: ServerResponse) => Promise<void> | void>> = {
    '/metrics': async (response) => {
      const { type, text } = await this.#source.metrics();
      response.writeHead(200, { 'content-type': type }).end(text);
    },
    '/livez': (response) => json(response, 200, { live: true }),
    '/readyz': (response) => {
      const readiness = this.#source.readiness();
      json(response, readiness.ready ? 200 : 503, readiness);
    },
    '/api/calls': (response) => json(response, 200, { calls: this.#source.calls() }),
  };

  #hangup(response: ServerResponse, encoded: string): void {
    let callId: string;
    try {
      callId = decodeURIComponent(encoded);
    } catch {
      return json(response, 400, { error: 'the call id is not percent-encoded as it should be' });
    }
    if (this.#source.hangup(callId)) return json(response, 202, { callId, ending: 'operator' });
    return json(response, 404, { error: 'no such call here', callId });
  }
}

function notAllowed(response: ServerResponse, allow: string): void {
  response.setHeader('allow', allow);
  json(response, 405, { error: `use ${allow}` });
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}
