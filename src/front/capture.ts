import { createWriteStream, type WriteStream } from 'node:fs';
import { captureBufferedBytesMax, captureBytesMax, captureMsMax } from '../limits.js';

/** Why a capture ended; a metric label. `disk-slow`: more waited to be written than may. */
export const captureEnds = [
  'stopped',
  'call-ended',
  'too-large',
  'too-long',
  'disk-error',
  'disk-slow',
] as const;
export type CaptureEnd = (typeof captureEnds)[number];

/** First line of a capture: what a replay needs to know, and a reader. */
export interface CaptureHeader {
  readonly capture: 'plivo-gateway';
  readonly version: 1;
  readonly gateway: string;
  readonly callId: string;
  readonly streamId: string;
  readonly route: string;
  readonly startedAt: string;
  /** The `start` message as it came. */
  readonly start: string;
}

/**
 * One call's wire messages, a line of JSON for each, as they come and go. Whatever becomes of the file, the call notices
 * nothing of it.
 */
export class Capture {
  readonly file: string;
  readonly header: CaptureHeader;
  readonly #stream: WriteStream;
  readonly #startMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #ended: (end: CaptureEnd, problem: string) => void;
  /** Resolves when the file is complete, or will never be. */
  readonly done: Promise<void>;
  #bytes = 0;
  #messages = 0;
  #isOver = false;

  /** `ended` is called once. */
  constructor(
    file: string,
    header: CaptureHeader,
    ended: (end: CaptureEnd, problem: string) => void,
  ) {
    this.file = file;
    this.header = header;
    this.#ended = ended;
    this.#stream = createWriteStream(file, { flags: 'wx', mode: 0o600 });
    this.done = new Promise((resolve) => this.#stream.once('close', resolve));
    this.#stream.on('error', (error) => this.end('disk-error', error.message));
    this.#timer = setTimeout(() => this.end('too-long'), captureMsMax);
    this.#timer.unref();
    this.#write(header);
  }

  /** From Plivo; the bytes are good until this returns. */
  arrived(message: Uint8Array, isBinary: boolean): void {
    this.#message('plivo', message, isBinary);
  }

  /** To Plivo. */
  sent(message: Uint8Array): void {
    this.#message('gateway', message, false);
  }

  #message(from: 'plivo' | 'gateway', message: Uint8Array, isBinary: boolean): void {
    if (this.#isOver) return;
    this.#messages += 1;
    const { buffer, byteOffset, byteLength } = message;
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    const content = isBinary ? { base64: bytes.toString('base64') } : { text: bytes.toString() };
    this.#write({ ms: this.#ms, from, ...content });
    if (this.#bytes > captureBytesMax) this.end('too-large');
    else if (this.#stream.writableLength > captureBufferedBytesMax) this.end('disk-slow');
  }

  get #ms(): number {
    return Math.round((performance.now() - this.#startMs) * 10) / 10;
  }

  #write(line: object): void {
    const text = `${JSON.stringify(line)}\n`;
    this.#bytes += Buffer.byteLength(text);
    this.#stream.write(text);
  }

  /** The last line says why; only the first end counts. */
  end(end: CaptureEnd, problem = ''): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (end === 'disk-error') this.#stream.destroy();
    else {
      this.#write({ ms: this.#ms, end, messages: this.#messages });
      this.#stream.end();
    }
    this.#ended(end, problem);
  }
}
