import { ringReserve } from '../limits.js';
import type { Shard } from '../shard/shard.js';

/** The shard with the fewest live calls among those that are responsive and keep up, or undefined. */
export function place(shards: readonly Shard[], callsPerShard: number): Shard | undefined {
  let best: Shard | undefined;
  for (const shard of shards) {
    if (!shard.responsive || shard.calls >= callsPerShard) continue;
    if (shard.ingress.fill > 1 - ringReserve) continue;
    if (best === undefined || shard.calls < best.calls) best = shard;
  }
  return best;
}
