import { addCounters, counterBlock } from '../shard/counters.js';
import type { Shard } from '../shard/shard.js';

/** Where the counts of all threads are. */
export interface CountedThreads {
  /** Current incarnations. */
  readonly shards: () => readonly Shard[];
  /** Counters of the front. */
  readonly front: Float64Array;
  /** Counters of incarnations that are over. */
  readonly retired: Float64Array;
}

/** Adds the counters of all threads up, once for each scrape. */
export class Fold {
  readonly #threads: CountedThreads;
  #now: { readonly total: Float64Array; readonly shards: Float64Array } | undefined;

  constructor(threads: CountedThreads) {
    this.#threads = threads;
  }

  /** Of all threads, incarnations that are over included. */
  get total(): Float64Array {
    return this.#read().total;
  }

  /** Without the front. */
  get shards(): Float64Array {
    return this.#read().shards;
  }

  /** One scrape asks for all metrics in one go. */
  #read() {
    if (this.#now !== undefined) return this.#now;
    const { front, retired, shards: current } = this.#threads;
    const shards = counterBlock();
    addCounters(shards, retired);
    for (const shard of current()) if (!shard.retired) addCounters(shards, shard.counters);
    const total = shards.slice();
    addCounters(total, front);
    this.#now = { total, shards };
    queueMicrotask(() => {
      this.#now = undefined;
    });
    return this.#now;
  }
}
