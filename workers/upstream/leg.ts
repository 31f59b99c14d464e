import { randomBytes } from 'node:crypto';
import type { RawData, WebSocket } from 'ws';
import type { UpstreamConfig } from '../../src/config/types.js';
import { errorText } from '../../src/errors.js';
import {
  upstreamBlockedMs,
  upstreamMessageBytesMax,
  upstreamPayloadBytesMax,
  upstreamPingMs,
  upstreamPongLateMs,
  upstreamProvenMs,
  upstreamQueueFrames,
  upstreamReconnectsMax,
  upstreamSteadyMs,
} from '../../src/limits.js';
import type { UpstreamEvent } from '../../src/shard/upstream-board.js';
import type { Address, AddressBook } from './address-book.js';

/** What a call's leg tells. `ended` or `failed` comes once, as the last. */
export interface LegEvents {
  /** The application is there, for the first time or again: it is to be greeted. */
  opened(isResumed: boolean): void;
  message(data: Buffer, isBinary: boolean): void;
  /** Audio for the application was put aside. */
  dropped(): void;
  /** A message too large to be looked at. */
  overlong(bytes: number): void;
  /** The application closed as it does when the call is to end. */
  ended(): void;
  /** No address took the call in time, or the connection broke and did not come back. */
  failed(reason: 'upstream-failed' | 'upstream-lost', detail: string): void;
}

export interface LegOptions {
  readonly upstream: UpstreamConfig;
  readonly book: AddressBook;
  readonly open: typeof WebSocket;
  readonly ca: Buffer | undefined;
  /** Of the calling number: some balancing goes by it. */
  readonly caller: string;
  readonly reconnects: boolean;
  /** The URL with the call's facts in it. */
  urlOf(address: Address, isResumed: boolean): string;
}

const goneCodes = { onPurpose: 1000, busy: 1013 } as const;

/**
 * The upstream leg of one call: a WebSocket to one of the upstream's addresses. Where one does not take the call, the
 * next is tried, within the budget for all of them.
 */
export class UpstreamLeg {
  readonly #options: LegOptions;
  readonly #events: LegEvents;
  readonly #tried = new Set<number>();
  readonly #traceId = randomBytes(16).toString('hex');
  #socket: WebSocket | undefined = undefined;
  #address: Address | undefined = undefined;
  #untilMs = 0;
  #openedMs = 0;
  #isOpen = false;
  /** It has said something, or stayed long enough: what happens now happens in mid-call. */
  #isProven = false;
  #isResumed = false;
  /** In a row, none of which held for long. */
  #reconnects = 0;
  #isOver = false;
  #why = 'no address is free';
  /** Audio that waits for the application, oldest first. */
  #waiting: Buffer[] = [];
  #pingedMs = 0;
  #pongDue = false;
  #blockedSinceMs = 0;

  constructor(options: LegOptions, events: LegEvents) {
    this.#options = options;
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  connect(): void {
    this.#untilMs = performance.now() + this.#options.upstream.connectMs;
    this.#tried.clear();
    this.#next();
  }

  #next(): void {
    const { book, caller, upstream } = this.#options;
    const leftMs = this.#untilMs - performance.now();
    const address = leftMs <= 0 ? undefined : book.take(caller, this.#tried);
    if (address === undefined) return this.#fail();
    this.#tried.add(address.index);
    this.#address = address;
    if (this.#tried.size > 1) this.#count('failed-over');
    this.#isProven = false;
    // No address may use up the time of the others.
    const withinMs = Math.min(leftMs, Math.max(upstream.connectMs / 3, 100));
    this.#dial(address, Math.ceil(withinMs));
  }

  #dial(address: Address, withinMs: number): void {
    const { open: Socket, upstream, ca, urlOf } = this.#options;
    let socket: WebSocket;
    try {
      socket = new Socket(urlOf(address, this.#isResumed), {
        headers: { ...upstream.headers, traceparent: this.#traceparent() },
        perMessageDeflate: false,
        handshakeTimeout: withinMs,
        maxPayload: upstreamPayloadBytesMax,
        skipUTF8Validation: true,
        ...(ca && { ca }),
      });
    } catch (thrown) {
      this.#unreached('refused', errorText(thrown));
      return;
    }
    this.#socket = socket;
    let trouble = '';
    socket.on('open', () => this.#opened(socket));
    socket.on('message', (data, isBinary) => this.#heard(socket, data, isBinary));
    socket.on('pong', () => {
      this.#pongDue = false;
    });
    socket.on('error', (error) => {
      trouble = errorText(error);
    });
    socket.on('close', (code, reason) => {
      if (socket !== this.#socket) return;
      this.#closed(code, trouble || reason.toString('utf8') || `close code ${code}`);
    });
  }

  /** W3C trace context: one trace per call, one span per connection. */
  #traceparent(): string {
    return `00-${this.#traceId}-${randomBytes(8).toString('hex')}-01`;
  }

  #opened(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    this.#isOpen = true;
    this.#openedMs = performance.now();
    this.#pingedMs = this.#openedMs;
    this.#pongDue = false;
    this.#blockedSinceMs = 0;
    this.#count(this.#isResumed ? 'resumed' : 'connected');
    this.#events.opened(this.#isResumed);
    this.#sendWaiting(socket);
  }

  #heard(socket: WebSocket, data: RawData, isBinary: boolean): void {
    if (socket !== this.#socket) return;
    this.#proven();
    const bytes = data as Buffer;
    if (bytes.length > upstreamMessageBytesMax) this.#events.overlong(bytes.length);
    else this.#events.message(bytes, isBinary);
  }

  #proven(): void {
    if (this.#isProven || this.#address === undefined) return;
    this.#isProven = true;
    this.#options.book.succeeded(this.#address);
  }

  #closed(code: number, detail: string): void {
    const wasOpen = this.#isOpen;
    const isEarly = !this.#isProven && performance.now() - this.#openedMs < upstreamProvenMs;
    if (!wasOpen)
      return this.#unreached(/timed? ?out/i.test(detail) ? 'timeout' : 'refused', detail);
    if (code === goneCodes.onPurpose) return this.#over(() => this.#events.ended());
    if (isEarly) return this.#unreached(code === goneCodes.busy ? 'busy' : 'early-close', detail);
    this.#lost(detail);
  }

  /** This address did not take the call. Being busy is no fault of it. */
  #unreached(event: UpstreamEvent, detail: string): void {
    this.#count(event);
    if (event !== 'busy' && this.#address !== undefined) this.#options.book.failed(this.#address);
    this.#why = `${event}: ${detail}`;
    this.#letGo();
    this.#next();
  }

  #lost(detail: string): void {
    this.#count('lost');
    this.#why = detail;
    this.#letGo();
    if (performance.now() - this.#openedMs > upstreamSteadyMs) this.#reconnects = 0;
    this.#reconnects += 1;
    const mayReturn = this.#options.reconnects && this.#reconnects <= upstreamReconnectsMax;
    if (!mayReturn) return this.#fail('upstream-lost');
    this.#isResumed = true;
    this.connect();
  }

  #fail(reason?: 'upstream-lost'): void {
    const why = reason ?? (this.#isResumed ? 'upstream-lost' : 'upstream-failed');
    this.#over(() => this.#events.failed(why, this.#why));
  }

  #over(tell: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letGo();
    tell();
  }

  /** The connection is over; its place is free. */
  #letGo(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isOpen = false;
    if (this.#address !== undefined) this.#options.book.release(this.#address);
    this.#address = undefined;
    if (socket !== undefined && socket.readyState !== socket.CLOSED) socket.terminate();
  }

  #count(event: UpstreamEvent): void {
    if (this.#address !== undefined) this.#options.book.count(this.#address, event);
  }

  /**
   * Audio waits, up to a bound, for an application that is not there yet or does not read; then the oldest is dropped.
   * `bytes` may be written over afterwards.
   */
  audio(bytes: Buffer): void {
    if (this.#isOver) return;
    const socket = this.#isOpen ? this.#socket : undefined;
    const nowMs = performance.now();
    if (socket !== undefined && !this.#isBlocked(socket, nowMs)) {
      this.#sendWaiting(socket);
      socket.send(bytes, binary);
    } else if (socket !== undefined && nowMs - this.#blockedSinceMs > upstreamBlockedMs) {
      this.#lost('it does not read');
    } else {
      this.#waiting.push(Buffer.from(bytes));
      if (this.#waiting.length <= upstreamQueueFrames) return;
      this.#waiting.shift();
      this.#events.dropped();
    }
  }

  #sendWaiting(socket: WebSocket): void {
    if (this.#waiting.length === 0) return;
    for (const waiting of this.#waiting) socket.send(waiting, binary);
    this.#waiting = [];
  }

  /** Known by a pong that is late: kernel buffers swallow minutes of audio before a send says anything. */
  #isBlocked(socket: WebSocket, nowMs: number): boolean {
    if (!this.#isProven && nowMs - this.#openedMs > upstreamProvenMs) this.#proven();
    if (!this.#pongDue && nowMs - this.#pingedMs >= upstreamPingMs) {
      this.#pingedMs = nowMs;
      this.#pongDue = true;
      socket.ping();
    }
    const isLate = this.#pongDue && nowMs - this.#pingedMs > upstreamPongLateMs;
    if (!isLate) this.#blockedSinceMs = 0;
    else if (this.#blockedSinceMs === 0) this.#blockedSinceMs = nowMs;
    return isLate;
  }

  /** Everything but audio. */
  send(message: Buffer | string): void {
    if (this.#isOpen) this.#socket?.send(message, { binary: typeof message !== 'string' });
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    if (this.#socket?.isPaused) this.#socket.resume();
  }

  get isPaused(): boolean {
    return this.#socket?.isPaused ?? false;
  }

  /** The application has gone wrong: nothing more of it. */
  giveUp(detail: string): void {
    if (this.#isOver || this.#address === undefined) return;
    this.#options.book.failed(this.#address);
    this.#lost(detail);
  }

  /** The call is over: a last word, and a close. Nothing is told any more. */
  close(goodbye: Buffer | string | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const socket = this.#socket;
    if (goodbye !== undefined) this.send(goodbye);
    this.#socket = undefined;
    this.#isOpen = false;
    if (this.#address !== undefined) this.#options.book.release(this.#address);
    this.#address = undefined;
    if (socket?.readyState === socket?.CONNECTING) socket?.terminate();
    else socket?.close(goneCodes.onPurpose);
  }
}

const binary = { binary: true } as const;
