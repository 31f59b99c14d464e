import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import { until, waitMsMax } from './wait.js';

/** One message of the gateway, with the time it came. */
export interface Heard {
  readonly event: string;
  readonly atMs: number;
  readonly name?: string;
  readonly dtmf?: string;
  readonly streamId?: string;
  readonly media?: {
    readonly contentType: string;
    readonly sampleRate: number;
    readonly payload: string;
  };
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export interface StreamFormat {
  readonly encoding: 'audio/x-mulaw' | 'audio/x-l16';
  readonly sampleRate: number;
}

export const mulaw8: StreamFormat = { encoding: 'audio/x-mulaw', sampleRate: 8_000 };
export const l16 = (sampleRate: number): StreamFormat => ({ encoding: 'audio/x-l16', sampleRate });

/** Bytes of 20 ms. */
export function frameBytes({ encoding, sampleRate }: StreamFormat): number {
  return (sampleRate / 50) * (encoding === 'audio/x-l16' ? 2 : 1);
}

export interface StartOptions {
  readonly callId?: unknown;
  readonly format?: StreamFormat;
  readonly tracks?: unknown;
  readonly extraHeaders?: unknown;
}

/** Plivo's end of one socket, with no will of its own: it sends what a test says, and notes what comes. */
export class StreamClient {
  readonly socket: WebSocket;
  readonly streamId = randomUUID();
  callId: string = randomUUID();
  format = mulaw8;
  readonly heard: Heard[] = [];
  closed: Closed | undefined;
  #sequence = 0;
  #chunk = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as Omit<Heard, 'atMs'>;
      this.heard.push({ ...message, atMs: performance.now() });
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    socket.on('error', () => {});
  }

  static open(
    url: string,
    protocols: string[] = [],
    headers: Readonly<Record<string, string>> = {},
  ): Promise<StreamClient> {
    return StreamClient.over(new WebSocket(url, protocols, { perMessageDeflate: false, headers }));
  }

  /** Over a socket that is about to open. */
  static over(socket: WebSocket): Promise<StreamClient> {
    const client = new StreamClient(socket);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(client));
      socket.once('error', reject);
    });
  }

  /** A call that has started. */
  static async call(url: string, options: StartOptions = {}): Promise<StreamClient> {
    const client = await StreamClient.open(url);
    client.start(options);
    return client;
  }

  /** Text as it is, bytes as a binary frame, anything else as JSON. */
  send(message: unknown): void {
    if (message instanceof Uint8Array) this.socket.send(message, { binary: true });
    else this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  startMessage(options: StartOptions = {}): object {
    const { callId = this.callId, format = mulaw8, tracks = ['inbound'] } = options;
    const { streamId } = this;
    const accountId = 'MAEXAMPLE0000000000A';
    this.#sequence += 1;
    return {
      event: 'start',
      sequenceNumber: this.#sequence,
      start: { callId, streamId, accountId, tracks, mediaFormat: format },
      extra_headers: options.extraHeaders ?? '',
    };
  }

  start(options: StartOptions = {}): void {
    if (typeof options.callId === 'string') this.callId = options.callId;
    this.format = options.format ?? mulaw8;
    this.send(this.startMessage(options));
  }

  mediaMessage(payload: Uint8Array, track = 'inbound'): object {
    this.#sequence += 1;
    this.#chunk += 1;
    return {
      event: 'media',
      sequenceNumber: this.#sequence,
      streamId: this.streamId,
      media: {
        track,
        timestamp: String(1_764_000_000_000 + this.#chunk * 20),
        chunk: this.#chunk,
        payload: Buffer.from(payload).toString('base64'),
      },
      extra_headers: '',
    };
  }

  media(payload: Uint8Array, track = 'inbound'): void {
    this.send(this.mediaMessage(payload, track));
  }

  /** Cuts audio into messages of 20 ms. */
  say(audio: Uint8Array): void {
    const step = frameBytes(this.format);
    for (let at = 0; at < audio.length; at += step) this.media(audio.subarray(at, at + step));
  }

  dtmf(digit: unknown): void {
    this.#sequence += 1;
    const { streamId } = this;
    const dtmf = { track: 'inbound', digit, timestamp: '1764000001000' };
    this.send({ event: 'dtmf', sequenceNumber: this.#sequence, streamId, dtmf, extra_headers: '' });
  }

  played(name: string): void {
    this.#sequence += 1;
    const { streamId } = this;
    this.send({ event: 'playedStream', sequenceNumber: this.#sequence, streamId, name });
  }

  /** What came under this event. */
  of(event: string): Heard[] {
    return this.heard.filter((message) => message.event === event);
  }

  /** All audio that came, in order. */
  audio(): Buffer {
    const payloads = this.of('playAudio').map(({ media }) => media?.payload ?? '');
    return Buffer.concat(payloads.map((payload) => Buffer.from(payload, 'base64')));
  }

  audioMs(): number {
    return (this.audio().length / frameBytes(this.format)) * 20;
  }

  async waitFor(event: string, count = 1, deadlineMs = waitMsMax): Promise<Heard> {
    return until(`${count} ${event}`, () => this.of(event)[count - 1], deadlineMs);
  }

  waitForAudio(bytes: number, deadlineMs = waitMsMax): Promise<Buffer> {
    const enough = (): Buffer | false => {
      const audio = this.audio();
      return audio.length >= bytes && audio;
    };
    return until(`${bytes} bytes of audio`, enough, deadlineMs);
  }

  waitForClose(deadlineMs = waitMsMax): Promise<Closed> {
    return until('the close of the socket', () => this.closed, deadlineMs);
  }

  /** As Plivo does when the call ends. */
  async hangUp(code = 1000): Promise<void> {
    this.socket.close(code);
    await this.waitForClose();
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }
}
