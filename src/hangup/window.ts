/**
 * Plivo's limit, kept exactly: request n leaves when request n − `requestsMax` is at least `spanMs` old. A token
 * bucket would let twice the rate through at its edge (protocol reference, section 5.3: 300 per 5 s and account).
 */
export class SlidingWindow {
  readonly #times: Float64Array;
  readonly #spanMs: number;
  #next = 0;

  /** `requestsMax` of 0: no limit. */
  constructor(requestsMax: number, spanMs: number) {
    this.#times = new Float64Array(requestsMax).fill(Number.NEGATIVE_INFINITY);
    this.#spanMs = spanMs;
  }

  /** Takes one request's place, if there is one now. */
  take(nowMs: number): boolean {
    if (this.#times.length === 0) return true;
    if (nowMs - this.#times[this.#next]! < this.#spanMs) return false;
    this.#times[this.#next] = nowMs;
    this.#next = (this.#next + 1) % this.#times.length;
    return true;
  }

  /** Counts as full from now on: Plivo said so, or an earlier process may have used it up. */
  fill(nowMs: number): void {
    this.#times.fill(nowMs);
  }

  /** Requests that could leave now; Infinity without a limit. */
  left(nowMs: number): number {
    if (this.#times.length === 0) return Number.POSITIVE_INFINITY;
    let count = 0;
    for (const time of this.#times) if (nowMs - time >= this.#spanMs) count += 1;
    return count;
  }
}
