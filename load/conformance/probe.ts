import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { ptimeMs } from '../../src/limits.js';
import { readGatewayMessage } from '../gateway-message.js';
import { PlivoSender } from '../plivo-sender.js';
import { upgradeHeaders } from '../signing.js';
import {
  prepareSpeech,
  type Speech,
  type StreamFormatName,
  streamFormats,
} from '../stream-format.js';
import { openStreamSocket } from '../stream-socket.js';
import { testSignal } from '../test-signal.js';
import { type ReportViolation, ViolationLog } from '../violations.js';

export interface ProbeOptions {
  readonly url: string;
  readonly insecure: boolean;
  /** The upgrade is signed with it. */
  readonly authToken?: string | undefined;
  readonly format: StreamFormatName;
  readonly callId?: string;
}

const lookMs = 10;

/** One stream that is opened to see what the server makes of something. */
export class Probe {
  readonly callId: string;
  readonly streamId = randomUUID();
  readonly violations = new ViolationLog();
  readonly sender: PlivoSender;
  readonly #speech: Speech;
  readonly #socket: WebSocket;
  #spoken = 0;
  #messages = 0;
  #audioBytes = 0;
  #pongs = 0;
  #closeCode: number | undefined = undefined;

  private constructor(options: ProbeOptions, socket: WebSocket) {
    const format = streamFormats[options.format];
    this.callId = options.callId ?? randomUUID();
    this.#socket = socket;
    this.#speech = prepareSpeech(testSignal(format.rateHz), format);
    this.sender = new PlivoSender({
      ...{ callId: this.callId, streamId: this.streamId, format },
      accountId: 'MAEXAMPLE0000000000A',
      extraHeaders: 'purpose=conformance',
    });
    socket.on('pong', () => {
      this.#pongs += 1;
    });
  }

  /** Throws an `Error` for people if the stream does not come up. */
  static open(options: ProbeOptions): Promise<Probe> {
    return new Promise((resolve, reject) => {
      let probe: Probe | undefined;
      const report: ReportViolation = (name, detail) => probe?.violations.record(name, detail);
      const socket = openStreamSocket(
        options.url,
        {
          opened: () => {
            if (socket === null) return;
            probe = new Probe(options, socket);
            resolve(probe);
          },
          text: (bytes) => probe?.heard(bytes, streamFormats[options.format]),
          binary: (count) => report('binary-frame', `a message of ${count} bytes`),
          broke: (detail) => report('websocket-error', detail),
          closed: (code) => probe?.closedWith(code),
          failed: (detail) => reject(new Error(detail)),
        },
        {
          insecure: options.insecure,
          headers: upgradeHeaders(options.url, options.authToken),
        },
      );
    });
  }

  heard(bytes: Buffer, format: Speech['format']): void {
    this.#messages += 1;
    const stream = { streamId: this.streamId, format };
    const message = readGatewayMessage(bytes, stream, (name, detail) =>
      this.violations.record(name, detail),
    );
    if (message?.event === 'playAudio') this.#audioBytes += message.audio.byteLength;
    if (message?.event === 'checkpoint') this.text(this.sender.playedStream(message.name));
    if (message?.event === 'clearAudio') this.text(this.sender.clearedAudio());
  }

  closedWith(code: number): void {
    this.#closeCode = code;
  }

  get hasSpoken(): boolean {
    return this.#spoken > 0;
  }

  get messages(): number {
    return this.#messages;
  }

  get audioBytes(): number {
    return this.#audioBytes;
  }

  /** Undefined while the stream is open. */
  get closeCode(): number | undefined {
    return this.#closeCode;
  }

  text(message: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message);
  }

  binary(bytes: Uint8Array): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }

  /** One message in two frames. */
  fragments(message: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const middle = message.length >> 1;
    this.#socket.send(message.slice(0, middle), { fin: false });
    this.#socket.send(message.slice(middle), { fin: true });
  }

  start(): void {
    this.text(this.sender.start());
  }

  /** The next 20 ms of speech as a message. */
  media(): string {
    const { payloads } = this.#speech;
    const payload = payloads[this.#spoken % payloads.length] ?? '';
    this.#spoken += 1;
    return this.sender.media(payload, Date.now());
  }

  /** Speaks in real time; `send` may say each packet in a way of its own. */
  async speak(
    ms: number,
    send: (message: string) => void = (one) => this.text(one),
  ): Promise<void> {
    const beganMs = performance.now();
    const count = ms / ptimeMs;
    for (let i = 0; i < count && this.#closeCode === undefined; i += 1) {
      await sleep(Math.max(0, beganMs + i * ptimeMs - performance.now()));
      send(this.media());
    }
  }

  /** Whether it comes true in time; no later than the stream's end. */
  async until(isTrue: () => boolean, withinMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + withinMs;
    while (!isTrue()) {
      if (performance.now() > deadlineMs || this.#closeCode !== undefined) return isTrue();
      await sleep(lookMs);
    }
    return true;
  }

  /** The server's close code; undefined if it does not close in time. */
  async closes(withinMs: number): Promise<number | undefined> {
    await this.until(() => this.#closeCode !== undefined, withinMs);
    return this.#closeCode;
  }

  async answersPing(withinMs: number): Promise<boolean> {
    this.#socket.ping();
    return this.until(() => this.#pongs > 0, withinMs);
  }

  close(): void {
    this.#socket.close(1000);
  }

  /** Without a word, as a broken network does. */
  cut(): void {
    this.#socket.terminate();
  }
}
