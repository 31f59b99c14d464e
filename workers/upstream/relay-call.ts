import type { EndReason } from '../../src/handler.js';
import { messageBytesMax, relayAheadMsMax } from '../../src/limits.js';
import { clearAudioText } from '../../src/plivo/messages.js';
import type { SessionCall } from '../session/call.js';
import type { Outgoing } from './dialect.js';
import { UpstreamCall, type UpstreamParts, type UpstreamRoute } from './upstream-call.js';

const audioMark = Buffer.from('"playAudio"');
const clearMark = Buffer.from('"clearAudio"');
/** Of a `playAudio`, everything but its payload, which is base64. */
const envelopeBytes = 100;
const base64Ratio = 3 / 4;

/**
 * A call whose application speaks Plivo's stream protocol itself: messages pass both ways as they are. The gateway
 * looks at what they are, not into them.
 */
export class RelayCall extends UpstreamCall {
  readonly #bytesPerMs: number;
  /** When all that the application has sent will have been heard. */
  #heardAtMs = 0;

  constructor(call: SessionCall, parts: UpstreamParts, route: UpstreamRoute) {
    super(call, parts, route);
    this.#bytesPerMs = (call.streamRate / 1_000) * (call.encoding === 'l16' ? 2 : 1);
  }

  override connect(): void {
    this.call.tap((message, isMedia, isBinary) => this.#fromCaller(message, isMedia, isBinary));
    super.connect();
  }

  #fromCaller(message: Buffer, isMedia: boolean, isBinary: boolean): void {
    if (!isMedia) return this.leg.send(message, isBinary);
    this.look(this.#heardAtMs - performance.now(), relayAheadMsMax);
    this.leg.audio(message, isBinary);
  }

  override greeting(): readonly Outgoing[] {
    return [this.call.startMessage];
  }

  override message(data: Buffer): void {
    if (data.length > messageBytesMax) return this.overlong(data.length);
    if (data.includes(audioMark)) {
      this.speaks();
      const ms = Math.max(0, ((data.length - envelopeBytes) * base64Ratio) / this.#bytesPerMs);
      this.#ahead(ms);
      return this.call.relay(data, ms);
    }
    if (!data.includes(clearMark)) return this.call.relay(data);
    this.#heardAtMs = 0;
    this.call.relayClear(data);
  }

  /** An application may send faster than it is heard, but not for ever: Plivo's queue is bounded. */
  #ahead(ms: number): void {
    const nowMs = performance.now();
    this.#heardAtMs = Math.max(this.#heardAtMs, nowMs) + ms;
    if (this.#heardAtMs - nowMs > relayAheadMsMax) this.leg.pause();
  }

  /** What it has sent lies at Plivo already. */
  protected override silence(): void {
    super.silence();
    if (this.#heardAtMs <= performance.now()) return;
    this.call.relayClear(Buffer.from(clearAudioText(this.call.streamId)));
  }

  /** Such an application hangs up by itself, or lets the call go on: its close goes on to Plivo. */
  override ended(): void {
    this.call.leave();
  }

  /** Plivo's close goes on to the application. */
  override over(reason: EndReason): void {
    this.leg.close(undefined, reason === 'stream-dropped' ? 'cut' : 'close');
  }
}
