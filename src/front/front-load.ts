import { egressLookMs, workerHeapMbMax, workerHeapShareMax } from '../limits.js';
import { busyMs, histogram, ringFill } from '../shard/counters.js';
import { observe } from '../shard/histogram.js';
import type { Shard } from '../shard/shard.js';

/** A thread that reaches its limit dies at once, with whatever it has in hand. */
const heapBytesMax = workerHeapMbMax * workerHeapShareMax * 1024 * 1024;

/**
 * Notes how well the front and the rings keep up, whenever the front's timer comes, and gives up the shards that do not
 * live on.
 */
export class FrontLoad {
  readonly #values: Float64Array;
  readonly #giveUp: (shard: Shard, cause: string) => void;
  #lastMs = performance.now();

  constructor(values: Float64Array, giveUp: (shard: Shard, cause: string) => void) {
    this.#values = values;
    this.#giveUp = giveUp;
  }

  look(nowMs: number, shards: readonly Shard[]): void {
    const values = this.#values;
    const lateMs = nowMs - this.#lastMs - egressLookMs;
    this.#lastMs = nowMs;
    observe(values, histogram.delay, Math.max(0, lateMs) * 1_000);
    values[busyMs] = performance.eventLoopUtilization().active;
    for (const shard of shards) {
      if (!shard.open) continue;
      observe(values, ringFill.ingress, shard.ingress.fill);
      observe(values, ringFill.egress, shard.egress.fill);
      shard.watch(nowMs);
      if (shard.hangs) this.#giveUp(shard, 'its clock stands still');
      else if (shard.heapBytes > heapBytesMax) this.#giveUp(shard, 'its heap is nearly full');
    }
  }
}
