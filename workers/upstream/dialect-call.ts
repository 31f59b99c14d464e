import type { UpstreamConfig } from '../../src/config/types.js';
import type { EndReason } from '../../src/handler.js';
import type { SessionCall } from '../session/call.js';
import type { Dialect, Outgoing, Voice } from './dialect.js';
import { PcmDialect } from './pcm.js';
import { PipecatDialect } from './pipecat.js';
import { UpstreamCall, type UpstreamParts, type UpstreamRoute } from './upstream-call.js';

/** A call whose application hears and says PCM. */
export class DialectCall extends UpstreamCall {
  readonly #dialect: Dialect;

  constructor(call: SessionCall, parts: UpstreamParts, route: UpstreamRoute) {
    super(call, parts, route);
    this.#dialect = dialectOf(parts.upstream, {
      play: (samples, rate) => {
        this.speaks();
        call.play(samples, rate);
      },
      end: () => {
        this.stopsWaiting();
        call.end();
      },
    });
  }

  // ---- from the caller -----------------------------------------------------------------------------------------

  audio(samples: Int16Array): void {
    this.look(this.call.queuedMs, this.route.aheadMsMax);
    this.leg.audio(this.#dialect.audio(samples), true);
  }

  dtmf(digit: string): void {
    this.#send(this.#dialect.dtmf(digit));
  }

  played(checkpoint: string, interrupted: boolean): void {
    this.#send(this.#dialect.played(checkpoint, interrupted));
  }

  override over(reason: EndReason): void {
    this.leg.close(this.#dialect.goodbye(reason));
  }

  #send(message: Outgoing | undefined): void {
    if (message !== undefined) this.leg.send(message);
  }

  // ---- from the application ------------------------------------------------------------------------------------

  override greeting(isResumed: boolean): readonly Outgoing[] {
    return this.#dialect.greeting(this.call, isResumed);
  }

  override message(data: Buffer, isBinary: boolean): void {
    const wrong = this.#dialect.take(this.call, data, isBinary);
    if (wrong !== undefined) this.bad(wrong);
    else if (this.call.queuedMs > this.route.aheadMsMax) this.leg.pause();
  }

  override ended(): void {
    this.stopsWaiting();
    if (this.route.autoHangUp) this.call.end();
    else this.call.leave();
  }
}

function dialectOf({ protocol, sampleRate }: UpstreamConfig, voice: Voice): Dialect {
  return protocol === 'pipecat'
    ? new PipecatDialect(sampleRate, voice)
    : new PcmDialect(sampleRate, voice);
}
