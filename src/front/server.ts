import type * as native from 'uWebSockets.js';
import type {
  HttpRequest,
  HttpResponse,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
} from 'uWebSockets.js';
import { type GatewayConfig, streamPaths } from '../config/types.js';
import { GatewayError } from '../errors.js';
import { payloadBytesMax, socketIdleSeconds } from '../limits.js';
import type { SignedMethod } from '../plivo/signature.js';
import { webhookBodyBytesMax } from '../plivo/webhook.js';
import type { Admission } from './admission.js';
import type { Connection, SocketData } from './connections.js';
import {
  type WebhookKind,
  type WebhookStatus,
  type Webhooks,
  webhookHeaders,
  webhookKinds,
} from './webhooks.js';

/** The library's DISABLED, which its types do not export as a value. */
const compressionDisabled = 0;

/** What the sockets lead to. */
export interface SocketEvents {
  admit(path: string, query: string): Admission;
  /** Makes the connection of an admitted upgrade; undefined if that turned out impossible. */
  connect(admission: Extract<Admission, { admitted: true }>): Connection | undefined;
  message(connection: Connection, message: ArrayBuffer, isBinary: boolean): void;
  writable(connection: Connection): void;
  pong(connection: Connection): void;
  closed(connection: Connection, code: number): void;
}

type ServerConfig = Pick<GatewayConfig, 'host' | 'port' | 'tls'>;

/** What a webhook is answered with; Plivo looks at the status alone. */
const webhookAnswers: Readonly<Record<WebhookStatus, readonly [status: string, text: string]>> = {
  200: ['200 OK', 'ok'],
  400: ['400 Bad Request', 'no CallUUID in it'],
  403: ['403 Forbidden', 'not signed by Plivo for an account of this gateway'],
  413: ['413 Content Too Large', 'more than a webhook of Plivo holds'],
};

/** The public listener: WebSocket routes and webhooks, each a line into the events. */
export class Server {
  readonly #native: typeof native;
  readonly #config: ServerConfig;
  readonly #events: SocketEvents;
  readonly #webhooks: Webhooks | undefined;
  #listening: us_listen_socket | undefined;

  constructor(
    library: typeof native,
    config: ServerConfig,
    events: SocketEvents,
    webhooks?: Webhooks,
  ) {
    this.#native = library;
    this.#config = config;
    this.#events = events;
    this.#webhooks = webhooks;
  }

  /**
   * Listens; a second process on the same port fails instead of sharing it.
   * @returns the port
   * @throws GatewayError LISTEN
   */
  listen(): Promise<number> {
    const { host, port } = this.#config;
    const { LIBUS_LISTEN_EXCLUSIVE_PORT, us_socket_local_port } = this.#native;
    const app = this.#app();
    return new Promise((resolve, reject) => {
      app.listen(host, port, LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
        if (socket === false) {
          reject(
            new GatewayError(
              'LISTEN',
              `cannot listen on ${host}:${port}: the port is in use, or not ours to take; stop the other program or set PORT`,
            ),
          );
          return;
        }
        this.#listening = socket;
        resolve(us_socket_local_port(socket));
      });
    });
  }

  /** Takes no new sockets; those that are open go on. */
  stopListening(): void {
    if (this.#listening !== undefined) this.#native.us_listen_socket_close(this.#listening);
    this.#listening = undefined;
  }

  #app(): native.TemplatedApp {
    const app = this.#bareApp();
    for (const path of streamPaths) app.ws<SocketData>(path, this.#behavior(path));
    if (this.#webhooks !== undefined) this.#addWebhooks(app, this.#webhooks);
    app.any('/*', (response, request) => this.#notFound(response, request));
    return app;
  }

  #bareApp(): native.TemplatedApp {
    const { tls } = this.#config;
    if (tls === undefined) return this.#native.App();
    try {
      return this.#native.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile });
    } catch (thrown) {
      throw new GatewayError(
        'LISTEN',
        `cannot use the certificate ${tls.certFile} with the key ${tls.keyFile}: not PEM, or not a pair`,
        { cause: thrown },
      );
    }
  }

  #addWebhooks(app: native.TemplatedApp, webhooks: Webhooks): void {
    for (const kind of webhookKinds) {
      const take = (method: SignedMethod) => (response: HttpResponse, request: HttpRequest) =>
        takeWebhook(webhooks, kind, method, response, request);
      app.get(`/${kind}`, take('GET'));
      app.post(`/${kind}`, take('POST'));
    }
  }

  #behavior(path: string): native.WebSocketBehavior<SocketData> {
    return {
      compression: compressionDisabled,
      maxPayloadLength: payloadBytesMax,
      // The library would drop the newest message, which may be a clearAudio: the bound is in egress.ts.
      maxBackpressure: 0,
      idleTimeout: socketIdleSeconds,
      sendPingsAutomatically: true,
      upgrade: (response, request, context) => this.#upgrade(path, response, request, context),
      open: (socket) => {
        socket.getUserData().connection.socket = socket;
      },
      message: (socket, message, isBinary) => {
        this.#events.message(socket.getUserData().connection, message, isBinary);
      },
      drain: (socket: WebSocket<SocketData>) =>
        this.#events.writable(socket.getUserData().connection),
      pong: (socket) => this.#events.pong(socket.getUserData().connection),
      close: (socket, code) => {
        const { connection } = socket.getUserData();
        connection.socket = undefined;
        this.#events.closed(connection, code);
      },
    };
  }

  #upgrade(
    path: string,
    response: HttpResponse,
    request: HttpRequest,
    context: us_socket_context_t,
  ): void {
    const key = request.getHeader('sec-websocket-key');
    const extensions = request.getHeader('sec-websocket-extensions');
    // An offered sub-protocol is echoed, none is invented (protocol reference, section 7.1).
    const protocol = request.getHeader('sec-websocket-protocol').split(',')[0]!.trim();
    const admission = this.#events.admit(path, request.getQuery() ?? '');
    if (!admission.admitted) {
      refuse(response, admission);
      return;
    }
    const connection = this.#events.connect(admission);
    if (connection === undefined) {
      refuse(response, {
        status: '503 Service Unavailable',
        retryAfterSeconds: 1,
        text: 'the worker has no room',
      });
      return;
    }
    response.upgrade<SocketData>({ connection }, key, protocol, extensions, context);
  }

  #notFound(response: HttpResponse, request: HttpRequest): void {
    const isStream = (streamPaths as readonly string[]).includes(request.getUrl());
    response.writeStatus(isStream ? '426 Upgrade Required' : '404 Not Found');
    response.writeHeader('Content-Type', 'text/plain');
    if (isStream) response.writeHeader('Upgrade', 'websocket');
    response.end(
      isStream
        ? 'This path takes WebSocket connections.\n'
        : `Nothing here. Streams: ${streamPaths.join(', ')} (WebSocket).\n`,
    );
  }
}

function refuse(
  response: HttpResponse,
  refusal: { status: string; retryAfterSeconds: number | undefined; text: string },
): void {
  response.cork(() => {
    response.writeStatus(refusal.status);
    if (refusal.retryAfterSeconds !== undefined) {
      response.writeHeader('Retry-After', String(refusal.retryAfterSeconds));
    }
    response.writeHeader('Content-Type', 'text/plain');
    response.end(`${refusal.text}\n`);
  });
}

/** The request is gone when this returns, so all that is needed of it is copied. */
function takeWebhook(
  webhooks: Webhooks,
  kind: WebhookKind,
  method: SignedMethod,
  response: HttpResponse,
  request: HttpRequest,
): void {
  const path = request.getUrl();
  const query = request.getQuery() ?? '';
  const headers = Object.fromEntries(webhookHeaders.map((name) => [name, request.getHeader(name)]));
  readBody(response, webhookBodyBytesMax, (body) => {
    const [status, text] =
      webhookAnswers[webhooks.answer(kind, { method, path, query, headers, body })];
    response.cork(() => {
      response.writeStatus(status);
      response.writeHeader('Content-Type', 'text/plain');
      response.end(`${text}\n`);
    });
  });
}

/** Calls back once: with the whole body, or with more than the bound as soon as there is more. Not if it broke off. */
function readBody(
  response: HttpResponse,
  bytesMax: number,
  done: (body: Uint8Array) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let over = false;
  response.onAborted(() => {
    over = true;
  });
  response.onData((chunk, isLast) => {
    if (over) return;
    bytes += chunk.byteLength;
    // The library takes the chunk back, so it is copied.
    chunks.push(Buffer.from(new Uint8Array(chunk)));
    if (!isLast && bytes <= bytesMax) return;
    over = true;
    done(Buffer.concat(chunks));
  });
}
