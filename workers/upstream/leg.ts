import { randomBytes } from 'node:crypto';
import type { RawData, WebSocket } from 'ws';
import { errorText } from '../../src/errors.js';
import {
  upstreamBlockedMs,
  upstreamBriefMs,
  upstreamCloseMs,
  upstreamMessageBytesMax,
  upstreamPayloadBytesMax,
  upstreamProvenMs,
  upstreamReconnectsMax,
  upstreamRetryMs,
  upstreamSteadyMs,
} from '../../src/limits.js';
import type { AddressPlace } from '../../src/shard/routing.js';
import type { UpstreamEvent } from '../../src/shard/upstream-board.js';
import { lookupOf } from './address-book.js';
import type { Outgoing } from './dialect.js';
import type { LegEvents, LegOptions } from './leg-parts.js';
import { LegQueue } from './leg-queue.js';
import { Pulse } from './pulse.js';

const goneCodes = { onPurpose: 1000, withoutCode: 1005, busy: 1013 } as const;

/** The upstream leg of one call: a WebSocket to an address of the upstream; the next is tried, in time, if it fails. */
export class UpstreamLeg {
  readonly #options: LegOptions;
  readonly #events: LegEvents;
  readonly #tried = new Set<number>();
  readonly #traceId = randomBytes(16).toString('hex');
  #socket: WebSocket | undefined = undefined;
  #address: AddressPlace | undefined = undefined;
  /** Since when an application is sought. */
  #soughtMs = 0;
  #untilMs = 0;
  /** Of the next attempt, of this one, or of the first audio. */
  #timer: NodeJS.Timeout | undefined;
  #openedMs = 0;
  #isOpen = false;
  /** It has said something: from now on it is mid-call, as it is when it has stayed long enough. */
  #isProven = false;
  #isTrusted = false;
  #isResumed: boolean;
  #hasSpoken = false;
  /** In a row, none of which held for long. */
  #reconnects = 0;
  #isOver = false;
  #why = 'no address is free';
  /** What waits for the application. */
  readonly #queue = new LegQueue();
  #pulse = new Pulse(0);

  constructor(options: LegOptions, events: LegEvents) {
    this.#options = options;
    this.#events = events;
    this.#isResumed = options.isResumed;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  connect(): void {
    this.#soughtMs = performance.now();
    this.#untilMs = this.#soughtMs + this.#options.upstream.connectMs;
    this.#next();
  }

  #next(): void {
    if (!this.#events.isLive()) return this.#over(() => {});
    const { book, caller, upstream } = this.#options;
    const leftMs = this.#untilMs - performance.now();
    const address = leftMs <= 0 ? undefined : book.take(caller, this.#tried);
    if (address === undefined) return this.#none(leftMs);
    this.#tried.add(address.index);
    this.#address = address;
    if (this.#tried.size > 1) this.#count('failed-over');
    this.#isProven = false;
    this.#isTrusted = false;
    // No address may use up the time of the others.
    const withinMs = Math.min(leftMs, Math.max(upstream.connectMs / 3, 100));
    this.#dial(address, Math.ceil(withinMs));
  }

  /** An application that broke off may be starting again: within the time for it, all are tried again. */
  #none(leftMs: number): void {
    if (!this.#isResumed || leftMs < upstreamRetryMs) return this.#fail();
    this.#timer = setTimeout(() => {
      this.#tried.clear();
      this.#next();
    }, upstreamRetryMs);
  }

  #dial(address: AddressPlace, withinMs: number): void {
    const { open: Socket, upstream, ca, urlOf } = this.#options;
    let socket: WebSocket;
    try {
      socket = new Socket(urlOf(address, this.#isResumed), {
        headers: { ...upstream.headers, traceparent: this.#traceparent() },
        perMessageDeflate: false,
        maxPayload: upstreamPayloadBytesMax,
        skipUTF8Validation: true,
        ...(ca && { ca }),
        ...(address.ip !== undefined && { lookup: lookupOf(address.ip) }),
      });
    } catch (thrown) {
      this.#unreached('refused', errorText(thrown));
      return;
    }
    this.#socket = socket;
    // The library's own bound starts again with every byte that comes.
    this.#timer = setTimeout(
      () => this.#unreached('timeout', `no connection within ${withinMs} ms`),
      withinMs,
    );
    let trouble = '';
    socket.on('open', () => this.#guarded(() => this.#opened(socket)));
    socket.on('message', (data, isBinary) =>
      this.#guarded(() => this.#heard(socket, data, isBinary)),
    );
    socket.on('pong', () => this.#pulse.beat());
    socket.on('error', (error) => {
      trouble = errorText(error);
    });
    socket.on('close', (code, reason) => {
      if (socket !== this.#socket) return;
      this.#closed(code, trouble || reason.toString('utf8') || `close code ${code}`);
    });
  }

  /** A throw inside the library's callback would leave its receiver deaf. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch (thrown) {
      this.#events.defect(thrown);
    }
  }

  /** W3C trace context: one trace per call, one span per connection. */
  #traceparent(): string {
    return `00-${this.#traceId}-${randomBytes(8).toString('hex')}-01`;
  }

  #opened(socket: WebSocket): void {
    if (socket !== this.#socket) return;
    clearTimeout(this.#timer);
    this.#isOpen = true;
    this.#openedMs = performance.now();
    this.#pulse = new Pulse(this.#openedMs);
    this.#count(this.#isResumed ? 'resumed' : 'connected');
    this.#events.reached(this.#address!, this.#openedMs - this.#soughtMs);
    this.#expectAudio();
    for (const message of this.#events.greeting(this.#isResumed)) write(socket, message);
    this.#queue.empty(socket);
  }

  /** An application that says nothing for too long has not taken the call. */
  #expectAudio(): void {
    const { readyMs, connectMs } = this.#options.upstream;
    if (readyMs === 0 || this.#hasSpoken) return;
    this.#timer = setTimeout(() => {
      this.#untilMs = performance.now() + connectMs;
      this.#unreached('silent', `no audio within ${readyMs / 1_000} s`);
    }, readyMs);
  }

  /** The application has said something to the caller. */
  spoke(): void {
    this.#hasSpoken = true;
    clearTimeout(this.#timer);
  }

  #heard(socket: WebSocket, data: RawData, isBinary: boolean): void {
    if (socket !== this.#socket) return;
    this.#isProven = true;
    const bytes = data as Buffer;
    this.#options.book.received(this.#address!, bytes.length);
    if (bytes.length > upstreamMessageBytesMax) this.#events.overlong(bytes.length);
    else this.#events.message(bytes, isBinary);
  }

  /** What failed before at this address does not count any more. */
  #trust(): void {
    if (this.#isTrusted || this.#address === undefined) return;
    this.#isTrusted = true;
    this.#options.book.succeeded(this.#address);
  }

  #closed(code: number, detail: string): void {
    const wasOpen = this.#isOpen;
    const isEarly = !this.#isProven && performance.now() - this.#openedMs < upstreamProvenMs;
    if (!wasOpen)
      return this.#unreached(/timed? ?out/i.test(detail) ? 'timeout' : 'refused', detail);
    if (code === goneCodes.onPurpose || code === goneCodes.withoutCode) {
      this.#trust();
      return this.#over(() => this.#events.ended());
    }
    if (code === goneCodes.busy && !this.#isProven) return this.#unreached('busy', detail);
    if (isEarly) return this.#unreached('early-close', detail);
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

  /** `isFault`: it went wrong, however long it had gone right. */
  #lost(detail: string, isFault = false): void {
    this.#count('lost');
    this.#why = detail;
    const lastedMs = performance.now() - this.#openedMs;
    this.#tried.clear();
    if ((isFault || lastedMs < upstreamBriefMs) && this.#address !== undefined) {
      this.#tried.add(this.#address.index);
      this.#options.book.failed(this.#address);
    }
    this.#letGo();
    if (lastedMs > upstreamSteadyMs) this.#reconnects = 0;
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
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isOpen = false;
    if (this.#address !== undefined) this.#options.book.release(this.#address);
    this.#address = undefined;
    if (socket !== undefined && socket.readyState !== socket.CLOSED) socket.terminate();
  }

  #count(event: UpstreamEvent): void {
    if (this.#address !== undefined) this.#options.book.count(this.#address, event);
    this.#events.counted(event);
  }

  /**
   * Audio, and whatever else may be put aside: it waits, up to a bound, for an application that is not there yet or does
   * not read; then the oldest is dropped. `bytes` may be written over afterwards.
   */
  audio(bytes: Buffer, isBinary: boolean): void {
    if (this.#isOver) return;
    const socket = this.#isOpen ? this.#socket : undefined;
    const nowMs = performance.now();
    if (socket !== undefined && !this.#isBlocked(socket, nowMs)) {
      this.#queue.empty(socket);
      socket.send(bytes, isBinary ? binary : text);
      this.#options.book.sent(this.#address!, bytes.length);
    } else if (socket !== undefined && this.#pulse.lateMs(nowMs) > upstreamBlockedMs) {
      this.#lost('it does not read');
    } else if (!this.#queue.audio(bytes, isBinary)) this.#dropped();
  }

  /** Everything else, in its place between the audio. */
  send(message: Outgoing, isBinary = typeof message !== 'string'): void {
    if (this.#isOver) return;
    const socket = this.#isOpen ? this.#socket : undefined;
    if (socket !== undefined && !this.#isBlocked(socket, performance.now())) {
      this.#queue.empty(socket);
      socket.send(message, isBinary ? binary : text);
      this.#options.book.sent(this.#address!, message.length);
    } else if (!this.#queue.control(message, isBinary)) this.#dropped();
  }

  #dropped(): void {
    if (this.#address !== undefined) this.#options.book.dropped(this.#address);
    this.#events.dropped();
  }

  #isBlocked(socket: WebSocket, nowMs: number): boolean {
    if (!this.#isTrusted && nowMs - this.#openedMs > upstreamBriefMs) this.#trust();
    // While we do not read, its pongs are not read either.
    if (socket.isPaused) return false;
    return this.#pulse.isLate(socket, nowMs);
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    if (!this.#socket?.isPaused) return;
    this.#pulse = new Pulse(performance.now());
    this.#socket.resume();
  }

  get isPaused(): boolean {
    return this.#socket?.isPaused ?? false;
  }

  /** The application has gone wrong: nothing more of it. */
  giveUp(detail: string): void {
    if (this.#isOver || this.#address === undefined) return;
    this.#lost(detail, true);
  }

  /** The call is over: a last word, and a close. Nothing is told any more. */
  close(goodbye: Outgoing | undefined, how: 'close' | 'cut' = 'close'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    const socket = this.#isOpen ? this.#socket : undefined;
    const dialled = this.#socket;
    if (socket !== undefined) this.#trust();
    this.#socket = undefined;
    this.#isOpen = false;
    if (this.#address !== undefined) this.#options.book.release(this.#address);
    this.#address = undefined;
    if (socket === undefined || how === 'cut') return dialled?.terminate();
    this.#queue.empty(socket);
    if (goodbye !== undefined) write(socket, goodbye);
    // Its own close would not be read.
    socket.resume();
    socket.close(goneCodes.onPurpose);
    setTimeout(() => socket.terminate(), upstreamCloseMs).unref();
  }
}

const binary = { binary: true } as const;
const text = { binary: false } as const;

function write(socket: WebSocket, message: Outgoing): void {
  socket.send(message, typeof message === 'string' ? text : binary);
}
