/**
 * Plivo's limit, kept exactly: request n leaves when the answer to request n − `requestsMax` is at least `spanMs` old,
 * so that its arrival is older still, whatever connections and networks did to it. A token bucket would let twice the
 * rate through at its edge (protocol reference, section 5.3: 300 per 5 s and account).
 */
export class SlidingWindow {
  /** When the place's last request was answered; Infinity while it is under way. */
  readonly #times: Float64Array;
  readonly #spanMs: number;
  #next = 0;

  /** `requestsMax` of 0: no limit. */
  constructor(requestsMax: number, spanMs: number) {
    this.#times = new Float64Array(requestsMax).fill(Number.NEGATIVE_INFINITY);
    this.#spanMs = spanMs;
  }

  /** Takes the place of one request, if there is one now; it is to be given to `answered`. */
  take(nowMs: number): number | undefined {
    if (this.#times.length === 0) return 0;
    const place = this.#next;
    if (nowMs - this.#times[place]! < this.#spanMs) return undefined;
    this.#times[place] = Number.POSITIVE_INFINITY;
    this.#next = (place + 1) % this.#times.length;
    return place;
  }

  /** The request was answered, or will not be. */
  answered(place: number, nowMs: number): void {
    if (place < this.#times.length) this.#times[place] = nowMs;
  }

  /** Counts as full from now on: Plivo said so, or an earlier process may have used it up. */
  fill(nowMs: number): void {
    for (const [place, time] of this.#times.entries()) {
      if (time < nowMs) this.#times[place] = nowMs;
    }
  }

  /** Requests that could leave now; Infinity without a limit. */
  left(nowMs: number): number {
    if (this.#times.length === 0) return Number.POSITIVE_INFINITY;
    let count = 0;
    for (const time of this.#times) if (nowMs - time >= this.#spanMs) count += 1;
    return count;
  }
}
