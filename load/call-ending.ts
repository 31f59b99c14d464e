import type { CallEndReason, CallOutcome } from './caller-options.js';

/** Codes by which a gateway may end a stream in good order. */
const orderlyCloseCodes: readonly number[] = [1000, 1001, 1005];

export function isOrderlyClose(code: number): boolean {
  return orderlyCloseCodes.includes(code);
}

/** Why Plivo would call the stream dropped (protocol section 4.4); null if it ended in order. */
export function dropDetail({ endReason, endDetail, closeCode }: CallOutcome): string | null {
  const isDropped = endReason === 'connect-failed' || endReason === 'dropped';
  const isOdd = endReason === 'gateway-closed' && !isOrderlyClose(closeCode ?? 1005);
  return isDropped || isOdd ? (endDetail ?? endReason) : null;
}

/** How one call ends. The first reason stands, but a hang-up by the gateway goes before all. */
export class CallEnding {
  closeCode: number | null = null;
  transferredTo: string | null = null;
  #isHungUpByGateway = false;
  #reason: CallEndReason | null = null;
  #detail: string | null = null;

  get isHungUpByGateway(): boolean {
    return this.#isHungUpByGateway;
  }

  hangUpByGateway(): void {
    this.#isHungUpByGateway = true;
  }

  keep(reason: CallEndReason, detail: string | null): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#detail = detail;
  }

  /** The whole of it; `keep` has been called by now. */
  outcome(startMs: number, endMs: number): CallOutcome {
    return {
      endReason: this.#isHungUpByGateway ? 'gateway-hangup' : (this.#reason ?? 'caller-hangup'),
      endDetail: this.#isHungUpByGateway ? null : this.#detail,
      closeCode: this.closeCode,
      hungUpByGateway: this.#isHungUpByGateway,
      transferredTo: this.transferredTo,
      startMs,
      endMs: Math.max(startMs, endMs),
    };
  }
}
