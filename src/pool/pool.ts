import { createRequire } from 'node:module';
import { Piscina } from 'piscina';
import { errorText, GatewayError } from '../errors.js';
import {
  adoptTimeoutMs,
  restartDelayMsMax,
  shardReadyTimeoutMs,
  startingMax,
  workerHeapMbMax,
} from '../limits.js';
import type { Log } from '../log.js';
import { addCounters, counterBlock } from '../shard/counters.js';
import { RecordKind } from '../shard/record.js';
import type { AddressPlace, Routing } from '../shard/routing.js';
import { Shard, type ShardOptions, type ShardResult } from '../shard/shard.js';

export interface PoolEvents {
  /** A shard is ready: look at its egress ring from now on. */
  opened(shard: Shard): void;
  /** A shard's thread is gone, or about to go. */
  lost(shard: Shard, cause: string): void;
  /** Another one has taken its place, at once if the spare was ready: it was opened just before. */
  replaced(shard: Shard, by: Shard): void;
}

export interface PoolOptions {
  readonly callsPerShard: number;
  readonly watchdogMs: number;
  /** Of the worker threads. */
  readonly environment: Readonly<Record<string, string>>;
  readonly log: Log;
}

interface Running {
  readonly shard: Shard;
  readonly pool: Piscina;
  readonly abort: AbortController;
  /** Settles when the task has ended, however it did. */
  readonly done: Promise<ShardResult>;
}

const noBody = new Uint8Array(0);

/**
 * Piscina with one long task per shard, and one more: the spare, which has all handlers loaded and takes the place of a
 * shard whose task ends before its time.
 */
export class ShardPool {
  #options: ShardOptions;
  readonly #poolOptions: PoolOptions;
  readonly #log: Log;
  readonly #events: PoolEvents;
  /** By index; one that was lost stays until another takes its place. */
  readonly #running: Running[] = [];
  #spare: Running | undefined = undefined;
  #isSpareComing = false;
  #spareTimer: NodeJS.Timeout | undefined = undefined;
  readonly #seats: (Shard | undefined)[];
  /** Pools that stopped taking tasks, kept until the gateway ends. */
  readonly #pools: Piscina[] = [];
  /** Counts of incarnations that are over. */
  readonly retired = counterBlock();
  restarts = 0;
  #closing = false;

  constructor(options: ShardOptions, poolOptions: PoolOptions, events: PoolEvents) {
    this.#options = options;
    this.#seats = new Array<Shard | undefined>(options.upstreamBoard.seats).fill(undefined);
    this.#poolOptions = poolOptions;
    this.#log = poolOptions.log;
    this.#events = events;
  }

  /** The current incarnation of every shard. */
  get shards(): readonly Shard[] {
    return this.#running.map((running) => running.shard);
  }

  /** The spare included. */
  get #all(): readonly Running[] {
    return this.#spare === undefined ? this.#running : [...this.#running, this.#spare];
  }

  /**
   * Starts all shards, waits until each is ready, and has the spare come.
   * @throws GatewayError HANDLER_LOAD or SHARD_START
   */
  async start(shardCount: number): Promise<void> {
    this.#pools.push(this.#newPool(shardCount + 1));
    for (let first = 0; first < shardCount; first += startingMax) {
      const count = Math.min(startingMax, shardCount - first);
      const group = Array.from({ length: count }, () => this.#run());
      this.#running.push(...group);
      await Promise.all(group.map((running) => this.#whenReady(running)));
    }
    for (const [index, running] of this.#running.entries()) this.#place(running, index, 0);
    this.#fill();
  }

  /**
   * Loads routes in every shard, those that are being started included; calls of the old ones keep theirs.
   * @returns what is wrong with them, or undefined once all shards have them
   */
  async adopt(routing: Routing): Promise<string | undefined> {
    const active = this.#options.routing.revision;
    const asked = new Set<Shard>();
    for (;;) {
      // One that is lost starts again with the routes that are then the newest.
      const all = this.#all.map(({ shard }) => shard);
      const left = all.filter((shard) => !asked.has(shard) && !shard.retired);
      if (left.length === 0) break;
      for (const shard of left) asked.add(shard);
      const answers = left.map((shard) => shard.routing.adopt(routing, active, adoptTimeoutMs));
      const problem = (await Promise.all(answers)).find((answer) => answer !== undefined);
      if (problem !== undefined) return problem;
    }
    this.#options = { ...this.#options, routing };
    return undefined;
  }

  /** The addresses of an upstream have changed. */
  places(upstream: string, places: readonly AddressPlace[]): void {
    const { routing } = this.#options;
    const upstreams = routing.upstreams.map((one) =>
      one.name === upstream ? { ...one, places } : one,
    );
    this.#options = { ...this.#options, routing: { ...routing, upstreams } };
    for (const { shard } of this.#all)
      shard.routing.places({ revision: routing.revision, upstream, places });
  }

  /** A shard that hangs, or is about to run out of memory, is over. */
  giveUp(shard: Shard, cause: string): void {
    const running = this.#running.find((one) => one.shard === shard);
    if (running === undefined || shard.retired) return;
    this.#ended(running, cause);
    running.abort.abort();
  }

  /** Lets every shard return once its last session has ended, then ends the threads. */
  async drain(deadlineMs: number): Promise<void> {
    this.#closing = true;
    for (const { shard } of this.#all) {
      shard.ingress.push(RecordKind.Drain, 0, 0, noBody, 0, true);
      shard.ingress.publish();
      shard.ingressBell.ring();
    }
    const all = Promise.allSettled(this.#all.map((running) => running.done));
    await Promise.race([all, later(deadlineMs)]);
    await this.destroy();
  }

  async destroy(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#spareTimer);
    for (const { shard } of this.#all) this.#retire(shard);
    await Promise.allSettled(this.#pools.map((pool) => pool.destroy()));
  }

  #newPool(threads: number): Piscina {
    const pool = new Piscina({
      filename: createRequire(import.meta.url).resolve('#shard-worker'),
      minThreads: 0,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      env: this.#poolOptions.environment,
      resourceLimits: { maxOldGenerationSizeMb: workerHeapMbMax },
      recordTiming: false,
    });
    pool.on('error', (error) => this.#log.error({ err: error }, 'worker pool'));
    return pool;
  }

  #run(): Running {
    const { callsPerShard, watchdogMs } = this.#poolOptions;
    const seat = this.#seats.indexOf(undefined);
    const shard = new Shard(seat, callsPerShard, watchdogMs);
    this.#seats[seat] = shard;
    const abort = new AbortController();
    const pool = this.#pools.at(-1)!;
    const done = pool.run(shard.start(this.#options), {
      transferList: [...shard.workerPorts],
      signal: abort.signal,
    }) as Promise<ShardResult>;
    done.catch(() => {}).finally(() => this.#stood(shard));
    return { shard, pool, abort, done };
  }

  /** Its thread is gone, or will never be there. */
  #stood(shard: Shard): void {
    if (this.#seats[shard.seat] === shard) this.#seats[shard.seat] = undefined;
  }

  /** Answers once it is; from then on its end is noticed. */
  async #whenReady(running: Running): Promise<void> {
    const { shard, abort, done } = running;
    let heard = (): void => {};
    const ready = new Promise<'ready'>((resolve) => {
      heard = () => {
        if (shard.ready) resolve('ready');
      };
      shard.port.on('message', heard);
    });
    const failed = done.catch(
      (thrown: unknown) => ({ ok: 'failed', problem: errorText(thrown) }) as const,
    );
    const first = await Promise.race([ready, failed, later(shardReadyTimeoutMs)]);
    shard.port.off('message', heard);
    if (first === 'ready') return this.#watch(running);
    if (first === undefined) {
      abort.abort();
      throw new GatewayError(
        'SHARD_START',
        `a shard was not ready in ${shardReadyTimeoutMs / 1_000} s`,
      );
    }
    if (first.ok === false) throw new GatewayError('HANDLER_LOAD', first.problem);
    const why = first.ok === true ? 'its task returned' : first.problem;
    throw new GatewayError('SHARD_START', `a shard ended before it was ready: ${why}`);
  }

  /** Routes may have changed while a shard was started with older ones. */
  async #catchUp(shard: Shard, started: Routing): Promise<void> {
    for (let known = started; known !== this.#options.routing; ) {
      known = this.#options.routing;
      const problem = await shard.routing.adopt(known, known.revision, adoptTimeoutMs);
      if (problem !== undefined) throw new GatewayError('HANDLER_LOAD', problem);
    }
  }

  /** From now on it takes calls. */
  #place(running: Running, index: number, incarnation: number): void {
    const { shard } = running;
    this.#running[index] = running;
    shard.index = index;
    shard.incarnation = incarnation;
    this.#events.opened(shard);
  }

  #watch(running: Running): void {
    running.done.then(
      () => this.#ended(running, 'its task returned'),
      (thrown) => this.#ended(running, errorText(thrown)),
    );
  }
  #ended(running: Running, cause: string): void {
    const { shard } = running;
    if (this.#closing || shard.retired) return;
    if (this.#spare === running) {
      this.#spare = undefined;
      this.#log.error({ cause }, 'the spare shard was lost');
    } else this.#events.lost(shard, cause);
    this.#retire(shard);
    this.#fill();
  }

  /** Gives the spare the place of a shard that was lost, and has another one come. */
  #fill(): void {
    const lost = this.#running.find(({ shard }) => shard.retired)?.shard;
    const spare = this.#spare;
    if (lost !== undefined && spare !== undefined) {
      this.#spare = undefined;
      this.#place(spare, lost.index, lost.incarnation + 1);
      this.restarts += 1;
      this.#events.replaced(lost, spare.shard);
    }
    if (this.#spare !== undefined || this.#isSpareComing) return;
    this.#isSpareComing = true;
    void this.#startSpare(0);
  }

  /** The incarnation is over; its counts live on. */
  #retire(shard: Shard): void {
    if (!shard.retired) addCounters(this.retired, shard.counters);
    shard.retired = true;
    shard.close();
  }

  /** Ends a pool that blocks, unless shards still run in it. */
  #dismiss(pool: Piscina): void {
    if (this.#all.some((other) => other.pool === pool && !other.shard.retired)) return;
    this.#pools.splice(this.#pools.indexOf(pool), 1);
    pool.destroy().catch((thrown: unknown) => this.#log.error({ err: thrown }, 'worker pool'));
  }

  /** One that does not start is tried again, less and less often. */
  async #startSpare(attempt: number): Promise<void> {
    if (this.#closing) return;
    const { routing } = this.#options;
    const running = this.#run();
    try {
      await this.#whenReady(running);
      await this.#catchUp(running.shard, routing);
    } catch (thrown) {
      running.shard.retired = true;
      running.shard.close();
      running.abort.abort();
      // A thread that failed before it was ready may leave its task pending for ever.
      this.#stood(running.shard);
      if (this.#closing) return;
      const delayMs = Math.min(restartDelayMsMax, 500 * 2 ** attempt);
      this.#log.error({ err: thrown, retryInMs: delayMs }, 'a spare shard did not start');
      // And it blocks its pool: go on with a new one.
      this.#pools.push(this.#newPool(this.#running.length + 1));
      this.#dismiss(running.pool);
      this.#spareTimer = setTimeout(() => void this.#startSpare(attempt + 1), delayMs);
      return;
    }
    if (this.#closing) return;
    this.#isSpareComing = false;
    this.#spare = running;
    this.#fill();
  }
}

function later(ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms, undefined).unref();
  });
}
