import type { Wav } from '../../src/codec/wav.js';
import type { UpstreamConfig } from '../../src/config/types.js';
import { errorText } from '../../src/errors.js';
import type { EndReason } from '../../src/handler.js';
import { upstreamBadMessagesMax } from '../../src/limits.js';
import { type AddressPlace, shownUrl } from '../../src/shard/routing.js';
import type { UpstreamEvent } from '../../src/shard/upstream-board.js';
import type { SessionCall } from '../session/call.js';
import type { Outgoing } from './dialect.js';
import { UpstreamLeg } from './leg.js';
import type { LegEvents, LegOptions } from './leg-parts.js';
import { filledUrl } from './url.js';

/** What a route says of its upstream. */
export interface UpstreamRoute {
  readonly onUpstreamLost: 'reconnect' | 'fallback' | 'hangup';
  /** Name of the route that takes over; undefined: the call is hung up. */
  readonly fallback: string | undefined;
  readonly autoHangUp: boolean;
  /** What the caller hears, again and again, until the application speaks. */
  readonly meanwhile: Wav | undefined;
  /** Audio that an application may queue in one call before it is not read. */
  readonly aheadMsMax: number;
}

export type UpstreamParts = Pick<LegOptions, 'upstream' | 'book' | 'open' | 'ca'>;

/** `meanwhile` is played again when less than this is left of it. */
const meanwhileLowMs = 1_000;

/** One call and its application: what each says reaches the other. */
export abstract class UpstreamCall implements LegEvents {
  protected readonly call: SessionCall;
  protected readonly route: UpstreamRoute;
  protected readonly leg: UpstreamLeg;
  readonly #upstream: UpstreamConfig;
  #badMessages = 0;
  #reachedMs = 0;
  #hasSpoken = false;

  constructor(call: SessionCall, parts: UpstreamParts, route: UpstreamRoute) {
    this.call = call;
    this.route = route;
    this.#upstream = parts.upstream;
    this.leg = new UpstreamLeg(
      {
        ...parts,
        caller: call.from || call.id,
        reconnects: route.onUpstreamLost === 'reconnect',
        isResumed: call.resumed,
        urlOf: ({ url }, isResumed) => filledUrl(url, call, isResumed),
      },
      this,
    );
  }

  abstract greeting(isResumed: boolean): readonly Outgoing[];
  abstract message(data: Buffer, isBinary: boolean): void;
  abstract ended(): void;
  /** The caller, or the gateway, has ended the call. */
  abstract over(reason: EndReason): void;

  connect(): void {
    const { onUpstreamLost, fallback } = this.route;
    const returns =
      onUpstreamLost === 'fallback' ? fallback === undefined : onUpstreamLost === 'reconnect';
    if (this.call.resumed && !returns) return this.failed('upstream-lost', 'its worker died');
    this.#playMeanwhile();
    this.leg.connect();
  }

  /** Called with every frame of the caller: it is the clock of what has to be looked at now and then. */
  protected look(aheadMs: number, aheadMsMax: number): void {
    if (this.leg.isPaused && aheadMs < aheadMsMax / 2) this.leg.resume();
    if (!this.#hasSpoken && this.call.queuedMs < meanwhileLowMs) this.#playMeanwhile();
  }

  /** The application has no more to say: nobody waits for it any longer. */
  protected stopsWaiting(): void {
    if (this.route.meanwhile !== undefined && !this.#hasSpoken) this.call.clear();
  }

  #playMeanwhile(): void {
    const { meanwhile } = this.route;
    if (meanwhile !== undefined) this.call.play(meanwhile.samples, meanwhile.rateHz);
  }

  /** The application is about to be heard. */
  protected speaks(): void {
    if (this.#hasSpoken) return;
    this.#hasSpoken = true;
    this.leg.spoke();
    this.#report('spoke', performance.now() - this.#reachedMs);
    if (this.route.meanwhile !== undefined) this.call.clear();
  }

  reached({ url }: AddressPlace, ms: number): void {
    this.#reachedMs = performance.now();
    this.#report('reached', ms, shownUrl(url));
  }

  counted(event: UpstreamEvent): void {
    // That it was reached is reported with more of it.
    if (event !== 'connected' && event !== 'resumed') this.call.note(`upstream-${event}`);
  }

  #report(what: 'reached' | 'spoke', ms: number, url?: string): void {
    this.call.report({ what, upstream: this.#upstream.name, ms, ...(url && { url }) });
  }

  overlong(bytes: number): void {
    this.bad(`a message of ${bytes} bytes`);
  }

  protected bad(detail: string): void {
    this.call.drop('upstream-bad-message', `the upstream sent ${detail}`);
    this.#badMessages += 1;
    if (this.#badMessages > upstreamBadMessagesMax) this.leg.giveUp(`it sent ${detail}`);
  }

  isLive(): boolean {
    return this.call.isLive;
  }

  defect(thrown: unknown): void {
    this.call.fail('gateway-error', errorText(thrown));
  }

  /** What is still queued of an application that is gone is not for the caller to sit through. */
  protected silence(): void {
    this.call.clear();
  }

  dropped(): void {
    this.call.drop('upstream-slow', 'as the upstream does not read, or is not there');
  }

  failed(reason: 'upstream-failed' | 'upstream-lost', detail: string): void {
    const { fallback, onUpstreamLost } = this.route;
    const mayFallBack = reason === 'upstream-failed' || onUpstreamLost !== 'hangup';
    if (fallback === undefined || !mayFallBack) return this.call.fail(reason, detail);
    this.silence();
    this.call.handOver(fallback, `${reason}: ${detail}`);
  }
}
