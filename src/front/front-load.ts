import { egressLookMs } from '../limits.js';
import { busyMs, histogram, ringFill } from '../shard/counters.js';
import { observe } from '../shard/histogram.js';
import type { Shard } from '../shard/shard.js';

/** Notes how well the front and the rings keep up, whenever the front's timer comes. */
export class FrontLoad {
  readonly #values: Float64Array;
  #lastMs = performance.now();

  constructor(values: Float64Array) {
    this.#values = values;
  }

  look(nowMs: number, shards: readonly Shard[]): void {
    const values = this.#values;
    const lateMs = nowMs - this.#lastMs - egressLookMs;
    this.#lastMs = nowMs;
    observe(values, histogram.delay, Math.max(0, lateMs) * 1_000);
    values[busyMs] = performance.eventLoopUtilization().active;
    for (const { open, ingress, egress } of shards) {
      if (!open) continue;
      observe(values, ringFill.ingress, ingress.fill);
      observe(values, ringFill.egress, egress.fill);
    }
  }
}
