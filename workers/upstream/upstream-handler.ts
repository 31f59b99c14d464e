import type { UpstreamConfig } from '../../src/config/types.js';
import type { Call, EndReason, Handler } from '../../src/handler.js';
import { upstreamAheadMsMax, upstreamBadMessagesMax } from '../../src/limits.js';
import type { SessionCall } from '../session/call.js';
import { type Dialect, factsOf, type Outgoing } from './dialect.js';
import { type LegEvents, type LegOptions, UpstreamLeg } from './leg.js';
import { PcmDialect } from './pcm.js';
import { PipecatDialect } from './pipecat.js';

/** What a route says of its upstream. */
export interface UpstreamRoute {
  readonly onUpstreamLost: 'reconnect' | 'fallback' | 'hangup';
  /** Name of the route that takes over; undefined: the call is hung up. */
  readonly fallback: string | undefined;
  readonly autoHangUp: boolean;
}

export type UpstreamParts = Pick<LegOptions, 'upstream' | 'book' | 'open' | 'ca'>;

const member = 'upstream';

function legOf(call: Call): UpstreamCall {
  return call.data[member] as UpstreamCall;
}

/** Leads the calls of a route to the applications of an upstream. */
export function upstreamHandler(parts: UpstreamParts, route: UpstreamRoute): Handler {
  return {
    start: (call) => {
      const leg = new UpstreamCall(call as SessionCall, parts, route);
      call.data[member] = leg;
      leg.connect();
    },
    audio: (call, samples, track) => {
      // The other party's voice would come back to it.
      if (track === 'inbound') legOf(call).audio(samples);
    },
    dtmf: (call, digit) => legOf(call).dtmf(digit),
    played: (call, checkpoint, interrupted) => legOf(call).played(checkpoint, interrupted),
    end: (call, reason) => legOf(call).over(reason),
  };
}

/** One call and its application: what each says reaches the other. */
class UpstreamCall implements LegEvents {
  readonly #call: SessionCall;
  readonly #route: UpstreamRoute;
  readonly #dialect: Dialect;
  readonly #leg: UpstreamLeg;
  #badMessages = 0;

  constructor(call: SessionCall, parts: UpstreamParts, route: UpstreamRoute) {
    const { upstream } = parts;
    this.#call = call;
    this.#route = route;
    this.#dialect = dialectOf(upstream);
    this.#leg = new UpstreamLeg(
      {
        ...parts,
        caller: call.from || call.id,
        reconnects: route.onUpstreamLost === 'reconnect',
        urlOf: ({ url }, isResumed) => filledUrl(url, call, isResumed),
      },
      this,
    );
  }

  connect(): void {
    this.#leg.connect();
  }

  // ---- from the caller -----------------------------------------------------------------------------------------

  audio(samples: Int16Array): void {
    const leg = this.#leg;
    if (leg.isPaused && this.#call.queuedMs < upstreamAheadMsMax / 2) leg.resume();
    leg.audio(this.#dialect.audio(samples));
  }

  dtmf(digit: string): void {
    this.#send(this.#dialect.dtmf(digit));
  }

  played(checkpoint: string, interrupted: boolean): void {
    this.#send(this.#dialect.played(checkpoint, interrupted));
  }

  over(reason: EndReason): void {
    this.#leg.close(this.#dialect.goodbye(reason));
  }

  #send(message: Outgoing | undefined): void {
    if (message !== undefined) this.#leg.send(message);
  }

  // ---- from the application ------------------------------------------------------------------------------------

  opened(isResumed: boolean): void {
    for (const message of this.#dialect.greeting(this.#call, isResumed)) this.#leg.send(message);
  }

  message(data: Buffer, isBinary: boolean): void {
    const wrong = this.#dialect.take(this.#call, data, isBinary);
    if (wrong !== undefined) this.#bad(wrong);
    else if (this.#call.queuedMs > upstreamAheadMsMax) this.#leg.pause();
  }

  overlong(bytes: number): void {
    this.#bad(`a message of ${bytes} bytes`);
  }

  #bad(detail: string): void {
    this.#call.drop('upstream-bad-message', `the upstream sent ${detail}`);
    this.#badMessages += 1;
    if (this.#badMessages > upstreamBadMessagesMax) this.#leg.giveUp(`it sent ${detail}`);
  }

  dropped(): void {
    this.#call.drop(
      'upstream-slow',
      'caller audio, as the upstream does not read, or is not there',
    );
  }

  ended(): void {
    if (this.#route.autoHangUp) this.#call.end();
    else this.#call.leave();
  }

  failed(reason: 'upstream-failed' | 'upstream-lost', detail: string): void {
    const { fallback, onUpstreamLost } = this.#route;
    const mayFallBack = reason === 'upstream-failed' || onUpstreamLost !== 'hangup';
    if (fallback !== undefined && mayFallBack)
      this.#call.handOver(fallback, `${reason}: ${detail}`);
    else this.#call.fail(reason, detail);
  }
}

function dialectOf({ protocol, sampleRate }: UpstreamConfig): Dialect {
  return protocol === 'pipecat' ? new PipecatDialect(sampleRate) : new PcmDialect(sampleRate);
}

/** The facts of the call in place of their names in braces. */
export function filledUrl(template: string, call: Call, isResumed: boolean): string {
  const facts = factsOf(call, isResumed);
  const body = () => Buffer.from(JSON.stringify(facts)).toString('base64');
  const values: Readonly<Record<string, () => string>> = {
    call: () => facts.callId,
    stream: () => facts.streamId,
    account: () => facts.accountId,
    from: () => facts.from,
    to: () => facts.to,
    route: () => facts.route,
    resumed: () => (isResumed ? '1' : '0'),
    body,
  };
  return template.replace(/\{([a-z]+)\}/g, (_, name: string) =>
    encodeURIComponent(values[name]?.() ?? ''),
  );
}
