import type { AddressInfo } from 'node:net';
import { createServer, type Socket, type Server as TcpServer } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export type Protocol = 'pcm' | 'plivo';

const frameMs = 20;
const pcmFrame = Buffer.alloc((16_000 / 50) * 2, 0x11);
const payload = Buffer.alloc(160, 0x21).toString('base64');
const media = { contentType: 'audio/x-mulaw', sampleRate: 8_000, payload };
const plivoFrame = JSON.stringify({ event: 'playAudio', media });

/** One application that speaks without end to whoever calls, in real time, until a scene makes it fail. */
export class Application {
  readonly #protocol: Protocol;
  readonly #calls = new Map<WebSocket, NodeJS.Timeout>();
  #server: WebSocketServer | undefined;
  #port = 0;
  /** What it does with a call instead of speaking. */
  trick: ((socket: WebSocket) => void) | undefined = undefined;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  get calls(): number {
    return this.#calls.size;
  }

  get sockets(): readonly WebSocket[] {
    return [...this.#calls.keys()];
  }

  /** Listens, on the same port as before. */
  async listen(): Promise<void> {
    const server = new WebSocketServer({
      ...{ host: '127.0.0.1', port: this.#port, perMessageDeflate: false },
    });
    this.#server = server;
    server.on('connection', (socket) => this.#take(socket));
    await new Promise((resolve, reject) => {
      server.once('listening', resolve);
      server.once('error', reject);
    });
    this.#port = (server.address() as AddressInfo).port;
  }

  frame(): Buffer | string {
    return this.#protocol === 'pcm' ? pcmFrame : plivoFrame;
  }

  #take(socket: WebSocket): void {
    socket.on('error', () => {});
    const timer = setInterval(() => {
      if (this.trick === undefined) socket.send(this.frame());
    }, frameMs);
    this.#calls.set(socket, timer);
    socket.on('close', () => {
      clearInterval(timer);
      this.#calls.delete(socket);
    });
    this.trick?.(socket);
  }

  /** As a process that dies. */
  async die(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#calls.keys()) socket.terminate();
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }
}

/** A port where connections are taken, and nothing is ever answered. */
export class SilentPort {
  readonly #server: TcpServer;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
    });
  }

  static async open(): Promise<SilentPort> {
    const port = new SilentPort();
    await new Promise<void>((resolve) => port.#server.listen(0, '127.0.0.1', resolve));
    return port;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
