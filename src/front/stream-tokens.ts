import { reservationLookMs, tokenEndedMax, tokenLifeMs, tokenReservationMs } from '../limits.js';
import {
  mintToken,
  openToken,
  type StreamToken,
  type TokenKey,
  tokenKey,
} from '../plivo/stream-token.js';

/** What is wrong with a token; a part of metric labels. */
export type TokenFault = 'malformed' | 'forged' | 'expired' | 'ended';

export type CheckedToken =
  | { readonly ok: true; readonly token: StreamToken }
  | { readonly ok: false; readonly why: TokenFault };

/**
 * What came of a call that was told to stream to this gateway; a metric label. `stream`: its stream, `no-stream`: none
 * within 10 s, `ended-first`: the caller hung up before. `elsewhere`: a stream whose call another gateway with the same
 * secrets answered.
 */
export const arrivals = ['stream', 'no-stream', 'ended-first', 'elsewhere'] as const;
export type Arrival = (typeof arrivals)[number];

/** What the answer webhook knows of a call. */
export type TokenFacts = Omit<StreamToken, 'issuedMs' | 'expiresMs'>;

export interface StreamTokenOptions {
  /** The first makes tokens, all are believed. At least one. */
  readonly secrets: readonly string[];
  /** Live here, or lost and waited for. */
  isLive(callId: string): boolean;
  arrived?(callId: string, what: Arrival): void;
  /** Unix time, for tests. */
  readonly nowMs?: () => number;
}

/**
 * Tokens of streams: made for calls that are answered, checked at their upgrades. A token is for one call, not for one
 * use (design D8): its age counts until the call's first stream, and after the call's end it is worth nothing. Any
 * gateway with the same secrets takes it; that a call has begun or ended only the one knows that had its streams.
 */
export class StreamTokens {
  readonly #keys: readonly TokenKey[];
  readonly #isLive: (callId: string) => boolean;
  readonly #arrived: (callId: string, what: Arrival) => void;
  readonly #nowMs: () => number;
  /** Calls, and when the youngest of their tokens was made that is worth nothing; the oldest first. */
  readonly #ended = new Map<string, number>();
  /** Until when places are kept for calls that were answered; the oldest first. */
  readonly #reserved = new Map<string, number>();
  /** Calls whose streams did not come in time: one that comes after all is not counted twice. The oldest first. */
  readonly #missed = new Set<string>();
  #looker: NodeJS.Timeout | undefined;

  constructor({ secrets, isLive, arrived, nowMs = Date.now }: StreamTokenOptions) {
    this.#keys = secrets.map(tokenKey);
    this.#isLive = isLive;
    this.#arrived = arrived ?? (() => undefined);
    this.#nowMs = nowMs;
  }

  close(): void {
    clearInterval(this.#looker);
  }

  mint(facts: TokenFacts): string {
    const issuedMs = this.#nowMs();
    return mintToken({ ...facts, issuedMs, expiresMs: issuedMs + tokenLifeMs }, this.#keys[0]!);
  }

  check(text: string): CheckedToken {
    const opened = openToken(text, this.#keys);
    if (!opened.ok) return opened;
    const { callId, issuedMs, expiresMs } = opened.token;
    // A call may come back with another answer after its stream has ended: that answer has a younger token.
    const endedMs = this.#ended.get(callId);
    if (endedMs !== undefined && issuedMs <= endedMs) return { ok: false, why: 'ended' };
    if (this.#isLive(callId)) return opened;
    return this.#nowMs() > expiresMs ? { ok: false, why: 'expired' } : opened;
  }

  /** The call is over. */
  ended(callId: string): void {
    if (this.#reserved.delete(callId)) this.#arrived(callId, 'ended-first');
    this.#end(callId, this.#nowMs());
  }

  /**
   * A stream of the call is over, and with it the token that it came with: Plivo may have asked for another answer, and
   * have a younger one, before it closed this stream (protocol reference, section 4.3).
   */
  streamEnded(callId: string, issuedMs: number): void {
    this.#end(callId, issuedMs);
  }

  #end(callId: string, untilMs: number): void {
    const endedMs = Math.max(untilMs, this.#ended.get(callId) ?? 0);
    this.#ended.delete(callId);
    this.#ended.set(callId, endedMs);
    // What is forgotten has expired long ago, or there are more calls a minute than any gateway takes.
    if (this.#ended.size > tokenEndedMax) this.#ended.delete(firstOf(this.#ended)!);
  }

  /** Keeps a place for a call that is answered now. */
  reserve(callId: string): void {
    this.#reserved.delete(callId);
    this.#reserved.set(callId, this.#nowMs() + tokenReservationMs);
    this.#looker ??= setInterval(() => this.#forget(), reservationLookMs).unref();
  }

  /** Its stream is here; whether a place was kept for it. */
  claim(callId: string): boolean {
    this.#forget();
    const isReserved = this.#reserved.delete(callId);
    if (isReserved) this.#arrived(callId, 'stream');
    else if (!this.#missed.delete(callId) && !this.#isLive(callId)) {
      this.#arrived(callId, 'elsewhere');
    }
    return isReserved;
  }

  isReserved(callId: string): boolean {
    this.#forget();
    return this.#reserved.has(callId);
  }

  /** Places kept for calls whose streams are on their way. */
  get reserved(): number {
    this.#forget();
    return this.#reserved.size;
  }

  #forget(): void {
    const nowMs = this.#nowMs();
    for (const [callId, untilMs] of this.#reserved) {
      if (untilMs > nowMs) return;
      this.#reserved.delete(callId);
      this.#missed.add(callId);
      if (this.#missed.size > tokenEndedMax) this.#missed.delete(firstOf(this.#missed)!);
      this.#arrived(callId, 'no-stream');
    }
  }
}

function firstOf(map: { keys(): Iterable<string> }): string | undefined {
  for (const key of map.keys()) return key;
  return undefined;
}
