import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';

const frameMs = 20;
const silence = Buffer.alloc(160, 0xff).toString('base64');

/** A caller: speaks all the time, and notes when it heard nothing. */
export class Listener {
  readonly #socket: WebSocket;
  #timer: NodeJS.Timeout | undefined;
  #chunk = 0;
  /** Until when there is something to be heard; undefined before the first audio. */
  #heardUntilMs: number | undefined = undefined;
  #sinceMs = performance.now();
  #longestMs = 0;

  private constructor(url: string) {
    this.#socket = new WebSocket(url, { perMessageDeflate: false });
    this.#socket.on('error', () => {});
    this.#socket.on('message', (data: Buffer) => this.#heard(data));
  }

  static async call(url: string): Promise<Listener> {
    const listener = new Listener(url);
    await new Promise((resolve, reject) => {
      listener.#socket.once('open', resolve);
      listener.#socket.once('error', reject);
    });
    listener.#speak();
    return listener;
  }

  #send(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  #speak(): void {
    const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8_000 };
    const ids = { callId: randomUUID(), streamId: randomUUID(), accountId: 'MAFAULT' };
    const start = { ...ids, tracks: ['inbound'], mediaFormat };
    this.#send({ sequenceNumber: 0, event: 'start', start });
    this.#sinceMs = performance.now();
    this.#timer = setInterval(() => {
      if (this.#socket.readyState !== WebSocket.OPEN) return;
      this.#chunk += 1;
      const media = { track: 'inbound', timestamp: '1', chunk: this.#chunk, payload: silence };
      this.#send({ sequenceNumber: this.#chunk, event: 'media', media });
    }, frameMs);
  }

  #heard(data: Buffer): void {
    const message = parsed(data.toString('utf8'));
    const nowMs = performance.now();
    if (message.event === 'clearAudio') this.#heardUntilMs = nowMs;
    if (message.event !== 'playAudio' || message.media === undefined) return;
    this.#noteSilence(nowMs);
    const ms = Buffer.byteLength(message.media.payload, 'base64') / 8;
    this.#heardUntilMs = Math.max(this.#heardUntilMs ?? nowMs, nowMs) + ms;
  }

  #noteSilence(nowMs: number): void {
    const silentMs = nowMs - (this.#heardUntilMs ?? this.#sinceMs);
    this.#longestMs = Math.max(this.#longestMs, silentMs);
  }

  /** The longest time without anything to be heard, up to now. */
  get longestSilenceMs(): number {
    this.#noteSilence(performance.now());
    return this.#longestMs;
  }

  /** What came before does not count any more. */
  forgetSilence(): void {
    this.#noteSilence(performance.now());
    this.#longestMs = 0;
  }

  press(digit: string): void {
    this.#send({
      sequenceNumber: 0,
      event: 'dtmf',
      dtmf: { track: 'inbound', digit, timestamp: '1' },
    });
  }

  get isUp(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Something was to be heard within so long. */
  hasHeardWithin(ms: number): boolean {
    return this.#heardUntilMs !== undefined && performance.now() - this.#heardUntilMs < ms;
  }

  hangUp(): void {
    clearInterval(this.#timer);
    this.#socket.close(1000);
  }
}

interface Said {
  readonly event?: string;
  readonly media?: { readonly payload: string };
}

/** What an application sends goes on to Plivo as it is, also what is no JSON. */
function parsed(text: string): Said {
  try {
    return JSON.parse(text) as Said;
  } catch {
    return {};
  }
}
