import type { Shard } from '../shard/shard.js';

/** The open shard with the fewest live calls, or undefined when all are full or none is ready. */
export function place(shards: readonly Shard[], callsPerShard: number): Shard | undefined {
  let best: Shard | undefined;
  for (const shard of shards) {
    if (!shard.ready || shard.calls >= callsPerShard) continue;
    if (best === undefined || shard.calls < best.calls) best = shard;
  }
  return best;
}
