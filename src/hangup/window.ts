/**
 * Plivo's limit, kept exactly: request n leaves when request n − `requestsMax` is at least `spanMs` old. A token
 * bucket would let twice the rate through at its edge (protocol reference, section 5.3: 300 per 5 s and account).
 */
export class SlidingWindow {
  readonly #times: Float64Array;
  readonly #spanMs: number;
  #next = 0;

  constructor(requestsMax: number, spanMs: number) {
    this.#times = new Float64Array(requestsMax).fill(Number.NEGATIVE_INFINITY);
    this.#spanMs = spanMs;
  }

  /** Takes one request's place, if there is one now. */
  take(nowMs: number): boolean {
    if (nowMs - this.#times[this.#next]! < this.#spanMs) return false;
    this.#times[this.#next] = nowMs;
    this.#next = (this.#next + 1) % this.#times.length;
    return true;
  }
}
