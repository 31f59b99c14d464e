import { createHash, randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { upgradeHeaders } from '../signing.js';
import { closeFrame, pongFrame } from './frames.js';
import { ServerFrames } from './server-frames.js';

/** Where a stream connects to. */
export interface LinkTarget {
  readonly url: string;
  /** Takes any certificate. */
  readonly insecure: boolean;
  /** The upgrade is signed with it. */
  readonly authToken: string | undefined;
}

/** Either `failed` once, or `opened` and then `closed` once; nothing after `destroy`. */
export interface LinkEvents {
  opened(): void;
  /** The stream never came up; `kind` is one of few words, `detail` a sentence. */
  failed(kind: string, detail: string): void;
  audio(byteCount: number, buffer: Buffer, from: number, until: number): void;
  text(text: string): void;
  binary(byteCount: number): void;
  /** 1006 if the connection broke without a close frame. */
  closed(code: number, detail: string): void;
}

const brokenCode = 1006;
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** One for all streams of the thread: it is emptied before the next read begins. */
const readBuffer = Buffer.allocUnsafe(64 * 1024);

/** Words for what goes wrong at the socket; what is not here keeps its code. */
const failureKinds: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
  ENOTFOUND: 'name unknown',
  EAI_AGAIN: 'name unknown',
};

/**
 * One WebSocket to the server under test, made so that thousands leave the machine to what is measured: it writes whole
 * frames and counts what comes back, and keeps no message.
 */
export class Link {
  readonly #events: LinkEvents;
  readonly #socket: Socket;
  readonly #key = randomBytes(16).toString('base64');
  readonly #frames: ServerFrames;
  /**
   * What the socket writes to. Writing there directly takes 1 µs less of the 10 that a packet and its answer cost than
   * `socket.write`; where there is none (TLS) the socket is written to.
   */
  #descriptor = -1;
  /** The socket holds bytes back, and everything else has to queue behind them. */
  #isFull = false;
  #isEnded = false;
  #isOpen = false;
  #isOver = false;
  #closeCode = brokenCode;

  constructor(target: LinkTarget, events: LinkEvents) {
    this.#events = events;
    this.#frames = new ServerFrames({
      upgraded: (head) => this.#upgraded(head),
      audio: (byteCount, buffer, from, until) => events.audio(byteCount, buffer, from, until),
      text: (text) => events.text(text),
      binary: (byteCount) => events.binary(byteCount),
      ping: (payload) => this.send(pongFrame(payload)),
      close: (code) => this.#closedByServer(code),
      broke: (detail) => this.#brokeProtocol(detail),
    });
    const url = new URL(target.url);
    this.#socket = this.#connect(url, target.insecure);
    // After either the socket destroys itself, and nothing of ours runs in between.
    this.#socket.on('end', () => this.#end());
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#socketFailed(error));
    this.#socket.on('close', () => this.#socketClosed());
    this.#socket.write(this.#upgrade(url, upgradeHeaders(target.url, target.authToken)));
  }

  /** Bytes that the kernel has not taken. */
  get unsentBytes(): number {
    return this.#isFull ? this.#socket.writableLength : 0;
  }

  /** Writes a frame, which may be written over afterwards. */
  send(frame: Buffer): void {
    const socket = this.#socket;
    if (this.#isEnded) return;
    if (this.#isFull && socket.writableLength === 0) this.#isFull = false;
    if (this.#descriptor < 0 || this.#isFull) {
      this.#sendLater(frame);
      return;
    }
    let written = 0;
    try {
      written = writeSync(this.#descriptor, frame, 0, frame.length);
    } catch (error) {
      // Full for now; anything else the socket will tell.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
    }
    if (written < frame.length) this.#sendLater(frame.subarray(written));
  }

  #sendLater(bytes: Buffer): void {
    this.#socket.write(Buffer.from(bytes));
    this.#isFull = true;
  }

  /** Asks for the end of the stream; `closed` tells when the server has agreed. */
  close(code: number): void {
    this.send(closeFrame(code));
  }

  /** From now on nothing is read, and the kernel's buffers fill up. */
  stopReading(): void {
    this.#socket.pause();
  }

  /** At once, without a word to either side. */
  destroy(): void {
    this.#isOver = true;
    this.#end();
    this.#socket.destroy();
  }

  /** Nothing is written any more: the descriptor may soon be somebody else's. */
  #end(): void {
    this.#isEnded = true;
    this.#descriptor = -1;
  }

  #connect(url: URL, insecure: boolean): Socket {
    const isTls = url.protocol === 'wss:';
    // The brackets of an IPv6 address belong to the URL alone.
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const port = Number(url.port || (isTls ? 443 : 80));
    if (isTls) {
      const name = isIP(host) === 0 ? { servername: host } : {};
      const socket = connectTls({ host, port, rejectUnauthorized: !insecure, ...name });
      socket.setNoDelay(true);
      socket.on('data', (bytes: Buffer) => this.#frames.take(bytes, bytes.length));
      return socket;
    }
    const socket = connectTcp({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (count) => {
          this.#frames.take(readBuffer, count);
          return true;
        },
      },
    });
    return socket;
  }

  #upgrade(url: URL, headers: Readonly<Record<string, string>>): string {
    const others = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return (
      `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${this.#key}\r\n${others.join('')}\r\n`
    );
  }

  #upgraded(head: string): boolean {
    const [line = '', ...fields] = head.split('\r\n');
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1];
    if (status === undefined) return this.#fail('garbage', 'the server speaks no HTTP');
    if (status !== '101') return this.#fail(`HTTP ${status}`, `the server answered ${line}`);
    const accept = createHash('sha1').update(`${this.#key}${acceptGuid}`).digest('base64');
    const hasAccepted = fields.some((field) => {
      const [name = '', value = ''] = field.split(/:\s*/, 2);
      return name.toLowerCase() === 'sec-websocket-accept' && value.trim() === accept;
    });
    if (!hasAccepted) return this.#fail('garbage', 'the server upgraded with a wrong accept key');
    this.#isOpen = true;
    const { _handle: handle } = this.#socket as { _handle?: { fd?: number } | null };
    if (!('encrypted' in this.#socket)) this.#descriptor = handle?.fd ?? -1;
    this.#events.opened();
    return !this.#isOver;
  }

  #fail(kind: string, detail: string): false {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#events.failed(kind, detail);
    }
    this.#end();
    this.#socket.destroy();
    return false;
  }

  #brokeProtocol(detail: string): void {
    if (this.#isOpen) this.#over(brokenCode, `the server broke the WebSocket protocol: ${detail}`);
    else this.#fail('garbage', `the server speaks no WebSocket: ${detail}`);
    this.#end();
    this.#socket.destroy();
  }

  /** Its close frame is answered, and then its end of the connection awaited. */
  #closedByServer(code: number): void {
    this.#closeCode = code;
    this.close(code < 1000 || code === 1005 ? 1000 : code);
    this.#over(code, `the server closed with code ${code}`);
    this.#end();
    this.#socket.end();
    // A server that does not close its own end keeps nobody waiting.
    this.#socket.setTimeout(1_000, () => this.#socket.destroy());
  }

  #socketFailed(error: NodeJS.ErrnoException): void {
    this.#end();
    if (this.#isOpen) return;
    const code = error.code ?? error.name;
    const kind = failureKinds[code] ?? (/CERT|SSL|TLS/.test(code) ? 'certificate' : code);
    this.#fail(kind, error.message || code);
  }

  #socketClosed(): void {
    this.#end();
    if (this.#isOpen) this.#over(this.#closeCode, 'the connection broke without a close frame');
    else this.#fail('closed at once', 'the connection closed during the upgrade');
  }

  #over(code: number, detail: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.closed(code, detail);
  }
}
