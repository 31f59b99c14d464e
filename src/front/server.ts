import type * as native from 'uWebSockets.js';
import type {
  HttpRequest,
  HttpResponse,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
} from 'uWebSockets.js';
import { type GatewayConfig, streamPaths, type TlsConfig } from '../config/types.js';
import { GatewayError } from '../errors.js';
import { payloadBytesMax, socketIdleSeconds } from '../limits.js';
import type { SignedMethod } from '../plivo/signature.js';
import { webhookBodyBytesMax } from '../plivo/webhook.js';
import type { Admission } from './admission.js';
import { type Certificate, readCertificate, readNewCertificate } from './certificate.js';
import type { ClientAddress } from './client-address.js';
import type { Connection, SocketData } from './connections.js';
import type { UpgradeRequest } from './upgrade-check.js';
import {
  type WebhookKind,
  type WebhookReply,
  type Webhooks,
  webhookHeaders,
  webhookKinds,
} from './webhooks.js';

/** The library's DISABLED, which its types do not export as a value. */
const compressionDisabled = 0;

/** What the sockets lead to. */
export interface SocketEvents {
  admit(request: UpgradeRequest): Admission;
  /** Makes the connection of an admitted upgrade; undefined if that turned out impossible. */
  connect(admission: Extract<Admission, { admitted: true }>): Connection | undefined;
  message(connection: Connection, message: ArrayBuffer, isBinary: boolean): void;
  writable(connection: Connection): void;
  pong(connection: Connection): void;
  closed(connection: Connection, code: number): void;
}

type ServerConfig = Pick<GatewayConfig, 'host' | 'port' | 'tls'>;

const statusLines: Readonly<Record<WebhookReply['status'], string>> = {
  200: '200 OK',
  400: '400 Bad Request',
  403: '403 Forbidden',
  413: '413 Content Too Large',
  502: '502 Bad Gateway',
};

/** The public listener: WebSocket routes and webhooks, each a line into the events. */
export class Server {
  readonly #native: typeof native;
  readonly #config: ServerConfig;
  readonly #events: SocketEvents;
  readonly #webhooks: Webhooks | undefined;
  readonly #clientAddress: ClientAddress;
  #listening: us_listen_socket | undefined;
  #app: native.TemplatedApp | undefined = undefined;
  #port = 0;
  #certificate: Certificate | undefined = undefined;

  constructor(
    library: typeof native,
    config: ServerConfig,
    events: SocketEvents,
    clientAddress: ClientAddress,
    webhooks?: Webhooks,
  ) {
    this.#clientAddress = clientAddress;
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
  async listen(): Promise<number> {
    const { tls, port } = this.#config;
    this.#certificate = tls && readCertificate(tls);
    this.#app = this.#newApp(tls);
    this.#port = port;
    this.#port = await this.#listen(this.#app);
    if (tls !== undefined && port === 0) {
      // A port that the system chose is not marked for reuse, and open sockets would keep it from being listened on again.
      this.stopListening();
      await this.#listen(this.#app);
    }
    return this.#port;
  }

  /** The one that new sockets get; undefined without TLS. */
  get certificate(): Certificate | undefined {
    return this.#certificate;
  }

  /**
   * Checks and loads these files, and changes nothing.
   * @returns what listens with them, and answers whether they were others than before; it fails with LISTEN
   * @throws GatewayError CONFIG, LISTEN
   */
  prepareCertificate(tls: TlsConfig): () => Promise<boolean> {
    const certificate = readNewCertificate(tls, this.#certificate);
    if (certificate === undefined) return async () => false;
    const app = this.#newApp(tls);
    return () => this.#renew(app, certificate);
  }

  /** Sockets that are open go on as they are. */
  async #renew(app: native.TemplatedApp, certificate: Certificate): Promise<boolean> {
    if (this.#listening === undefined) return false;
    const before = this.#app!;
    // Certificates of a socket that listens cannot be changed: a new one takes its place, on the same port.
    this.stopListening();
    try {
      await this.#listen(app);
    } catch (thrown) {
      const cannot = `cannot listen with the new certificate ${certificate.file}`;
      await this.#listen(before).catch((cause: unknown) => {
        const text = `${cannot}, nor with the old one: no new streams come in; restart the gateway`;
        throw new GatewayError('LISTEN', text, { cause });
      });
      const text = `${cannot}; the old one stays, reload once more`;
      throw new GatewayError('LISTEN', text, { cause: thrown });
    }
    this.#app = app;
    this.#certificate = certificate;
    return true;
  }

  #listen(app: native.TemplatedApp): Promise<number> {
    const { host } = this.#config;
    const port = this.#port;
    const { LIBUS_LISTEN_EXCLUSIVE_PORT, us_socket_local_port } = this.#native;
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

  #newApp(tls: TlsConfig | undefined): native.TemplatedApp {
    const app = this.#bareApp(tls);
    for (const path of streamPaths) {
      app.ws<SocketData>(path, this.#behavior(path));
      app.ws<SocketData>(`${path}/:token`, this.#behavior(path));
    }
    if (this.#webhooks !== undefined) this.#addWebhooks(app, this.#webhooks);
    app.any('/*', (response, request) => this.#notFound(response, request));
    return app;
  }

  #bareApp(tls: TlsConfig | undefined): native.TemplatedApp {
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
    const admission = this.#events.admit({
      path,
      token: request.getParameter(0) ?? '',
      query: request.getQuery() ?? '',
      headers: headersOf(request),
      address: this.#clientAddress.of(response, request),
    });
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
    const isStream = /^\/(stream|ws)(\/[^/]+)?$/.test(request.getUrl());
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
  const headers = headersOf(request);
  let isGone = false;
  const reply = ({ status, type, text }: WebhookReply): void => {
    if (isGone) return;
    response.cork(() => {
      response.writeStatus(statusLines[status]);
      response.writeHeader('Content-Type', type);
      response.end(text);
    });
  };
  response.onAborted(() => {
    isGone = true;
  });
  readBody(response, webhookBodyBytesMax, (body) => {
    if (isGone) return;
    const answer = webhooks.answer(kind, { method, path, query, headers, body });
    if (answer instanceof Promise) void answer.then(reply);
    else reply(answer);
  });
}

function headersOf(request: HttpRequest): Record<string, string> {
  return Object.fromEntries(webhookHeaders.map((name) => [name, request.getHeader(name)]));
}

/** Calls back once: with the whole body, or with more than the bound as soon as there is more. */
function readBody(
  response: HttpResponse,
  bytesMax: number,
  done: (body: Uint8Array) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let over = false;
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
