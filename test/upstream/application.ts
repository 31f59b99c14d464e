import type { IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { until } from '../calls/wait.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** One call as an application behind the gateway sees it. */
export class AppCall {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  readonly texts: string[] = [];
  readonly binaries: Buffer[] = [];
  closed: number | undefined = undefined;

  constructor(socket: WebSocket, request: IncomingMessage) {
    this.socket = socket;
    this.request = request;
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.binaries.push(data);
      else this.texts.push(data.toString('utf8'));
    });
    socket.on('close', (code) => {
      this.closed = code;
    });
    socket.on('error', () => {});
  }

  /** Text messages that are events of this name. */
  events(name: string): Record<string, unknown>[] {
    return this.texts
      .map((text) => JSON.parse(text) as Record<string, unknown>)
      .filter(({ event }) => event === name);
  }

  untilEvent(name: string): Promise<Record<string, unknown>> {
    return until(`the application hears ${name}`, () => this.events(name)[0]);
  }

  send(event: object): void {
    this.socket.send(JSON.stringify(event));
  }

  get pcmBytes(): number {
    return this.binaries.reduce((sum, { length }) => sum + length, 0);
  }
}

/** An application on a port of its own; `onCall` may make it difficult. Closed after the test. */
export class Application {
  readonly calls: AppCall[] = [];
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer) {
    this.#server = server;
  }

  static async open(onCall: (call: AppCall) => void = () => {}): Promise<Application> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    const application = new Application(server);
    server.on('connection', (socket, request) => {
      const call = new AppCall(socket, request);
      application.calls.push(call);
      onCall(call);
    });
    await new Promise((resolve) => server.once('listening', resolve));
    closers.push(() => application.close());
    return application;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  untilCall(count = 1): Promise<AppCall> {
    return until(`call ${count} at the application`, () => this.calls[count - 1]);
  }

  close(): Promise<void> {
    for (const { socket } of this.calls) socket.terminate();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** A port where connections are taken and nothing is ever answered. */
export async function silentPort(): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A port where nobody listens. */
export async function deadPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `ws://127.0.0.1:${port}`;
}
