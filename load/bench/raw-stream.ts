import { randomBytes, randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { ServerFrames } from './server-frames.js';

/**
 * One µ-law stream on a bare socket, made so that a thousand of them leave the machine to what is
 * measured: messages are copied from a template, the mask is zero (servers unmask all the same),
 * answers are counted in audio and not decoded.
 */
export interface RawStreamOptions {
  readonly port: number;
  /** Called for every media message whose audio has come back, oldest first. */
  readonly onReturn: (sentAtMs: number, nowMs: number) => void;
  readonly onReply: () => void;
  /** The server closed or broke the stream. */
  readonly onClose: () => void;
}

/** Samples, and µ-law bytes, in 20 ms. */
const frameSamples = 160;
/** Media messages on their way at most: over a minute of them. */
const openMax = 4_096;
/** Where numbering begins, so that all numbers are as wide as this one and fit the template. */
const firstNumber = 1_000_000;
const numberWidth = 7;
const timestampWidth = 13;
const frameHeaderBytes = 8;
const upgradeMsMax = 10_000;
/** One for all streams: it is emptied before the next read begins. */
const readBuffer = Buffer.allocUnsafe(64 * 1024);

/** A text frame of a client with an all-zero mask. */
export function textFrame(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  if (bytes < 126 || bytes > 0xffff) throw new RangeError(`a message of ${bytes} bytes`);
  const frame = Buffer.alloc(frameHeaderBytes + bytes);
  frame.writeUInt16BE(0x81fe, 0);
  frame.writeUInt16BE(bytes, 2);
  frame.write(text, frameHeaderBytes, 'latin1');
  return frame;
}

function writeDigits(target: Buffer, offset: number, value: number, width: number): void {
  let rest = value;
  for (let i = offset + width - 1; i >= offset; i -= 1) {
    const next = Math.floor(rest / 10);
    target[i] = 0x30 + rest - next * 10;
    rest = next;
  }
}

export class RawStream {
  readonly #options: RawStreamOptions;
  readonly #streamId = randomUUID();
  readonly #frames: ServerFrames;
  readonly #sentAtMs = new Float64Array(openMax);
  #socket: Socket | null = null;
  /** The next media message: a whole frame, of which numbers and payload are written over. */
  #media: Buffer;
  readonly #sequenceOffset: number;
  readonly #timestampOffset: number;
  readonly #chunkOffset: number;
  readonly #payloadOffset: number;
  #sent = 0;
  #returned = 0;
  #receivedSamples = 0;
  #isClosing = false;

  constructor(options: RawStreamOptions) {
    this.#options = options;
    const text = JSON.stringify({
      event: 'media',
      sequenceNumber: firstNumber,
      streamId: this.#streamId,
      media: {
        track: 'inbound',
        timestamp: '0'.repeat(timestampWidth),
        chunk: firstNumber,
        payload: Buffer.alloc(frameSamples).toString('base64'),
      },
      extra_headers: '',
    });
    this.#media = textFrame(text);
    const after = (key: string): number => this.#media.indexOf(key) + key.length;
    this.#sequenceOffset = after('"sequenceNumber":');
    this.#timestampOffset = after('"timestamp":"');
    this.#chunkOffset = after('"chunk":');
    this.#payloadOffset = after('"payload":"');
    this.#frames = new ServerFrames({
      audio: (sampleCount) => this.#received(sampleCount),
      ping: (payload) => this.#pong(payload),
      close: () => this.#closedByServer(),
    });
  }

  get sent(): number {
    return this.#sent;
  }

  /** Media messages whose audio has come back. */
  get returned(): number {
    return this.#returned;
  }

  /** Connects, upgrades and sends `start`. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`stream not opened: ${why}`));
      const timer = setTimeout(() => fail('no answer to the upgrade'), upgradeMsMax);
      const socket = connect({
        host: '127.0.0.1',
        port: this.#options.port,
        noDelay: true,
        onread: {
          buffer: readBuffer,
          callback: (count, buffer) => {
            const answer = this.#frames.take(Buffer.from(buffer.buffer, buffer.byteOffset, count));
            if (answer === null) return true;
            clearTimeout(timer);
            if (!answer.startsWith('HTTP/1.1 101')) fail(answer);
            else {
              socket.write(this.#start());
              resolve();
            }
            return true;
          },
        },
      });
      this.#socket = socket;
      socket.on('error', (error) => fail(error.message));
      socket.on('close', () => {
        clearTimeout(timer);
        fail('closed');
        this.#closedByServer();
      });
      socket.write(this.#upgrade());
    });
  }

  /** Sends 20 ms; `payload` is the base64 of 160 bytes, as bytes. */
  sendMedia(payload: Buffer, nowMs: number, unixMs: number): void {
    const socket = this.#socket;
    if (socket === null || this.#isClosing || socket.destroyed) return;
    const number = firstNumber + this.#sent;
    writeDigits(this.#media, this.#sequenceOffset, number, numberWidth);
    writeDigits(this.#media, this.#chunkOffset, number, numberWidth);
    writeDigits(this.#media, this.#timestampOffset, Math.floor(unixMs), timestampWidth);
    payload.copy(this.#media, this.#payloadOffset);
    this.#sentAtMs[this.#sent % openMax] = nowMs;
    this.#sent += 1;
    socket.write(this.#media);
    // Not taken by the kernel at once: the buffer is not ours until it is.
    if (socket.writableLength > 0) this.#media = Buffer.from(this.#media);
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    // A close frame with code 1000 and a zero mask.
    this.#socket?.end(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
  }

  #closedByServer(): void {
    if (this.#isClosing) return;
    this.#options.onClose();
    this.close();
  }

  #upgrade(): string {
    const key = randomBytes(16).toString('base64');
    return (
      `GET /stream HTTP/1.1\r\nHost: 127.0.0.1:${this.#options.port}\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${key}\r\n\r\n`
    );
  }

  #start(): Buffer {
    return textFrame(
      JSON.stringify({
        event: 'start',
        sequenceNumber: firstNumber - 1,
        start: {
          callId: randomUUID(),
          streamId: this.#streamId,
          accountId: 'MAEXAMPLE0000000000A',
          tracks: ['inbound'],
          mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8_000 },
        },
        extra_headers: '',
      }),
    );
  }

  #received(sampleCount: number): void {
    const nowMs = performance.now();
    this.#options.onReply();
    this.#receivedSamples += sampleCount;
    while (
      this.#returned < this.#sent &&
      (this.#returned + 1) * frameSamples <= this.#receivedSamples
    ) {
      this.#options.onReturn(this.#sentAtMs[this.#returned % openMax] ?? nowMs, nowMs);
      this.#returned += 1;
    }
  }

  #pong(payload: Buffer): void {
    const header = Buffer.from([0x8a, 0x80 | payload.length, 0, 0, 0, 0]);
    this.#socket?.write(Buffer.concat([header, payload]));
  }
}
