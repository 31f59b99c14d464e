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
  /** A shard's thread is gone: its calls end. */
  lost(shard: Shard, cause: string): void;
}

interface Running {
  readonly shard: Shard;
  readonly pool: Piscina;
  readonly abort: AbortController;
  /** Settles when the task has ended, however it did. */
  readonly done: Promise<ShardResult>;
}

const noBody = new Uint8Array(0);

/** Piscina with one long task per shard; replaces a shard whose task ends before its time. */
export class ShardPool {
  #options: ShardOptions;
  readonly #callsPerShard: number;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #log: Log;
  readonly #events: PoolEvents;
  readonly #running: Running[] = [];
  /** Pools that stopped taking tasks, kept until the gateway ends. */
  readonly #pools: Piscina[] = [];
  readonly #restarts = new Set<NodeJS.Timeout>();
  /** Counts of incarnations that are over. */
  readonly retired = counterBlock();
  restarts = 0;
  #closing = false;

  /** `environment` is that of the worker threads. */
  constructor(
    options: ShardOptions,
    callsPerShard: number,
    environment: Readonly<Record<string, string>>,
    log: Log,
    events: PoolEvents,
  ) {
    this.#options = options;
    this.#callsPerShard = callsPerShard;
    this.#environment = environment;
    this.#log = log;
    this.#events = events;
  }

  /** The current incarnation of every shard. */
  get shards(): readonly Shard[] {
    return this.#running.map((running) => running.shard);
  }

  /**
   * Starts all shards and waits until each is ready.
   * @throws GatewayError HANDLER_LOAD or SHARD_START
   */
  async start(shardCount: number): Promise<void> {
    this.#pools.push(this.#newPool(shardCount));
    for (let index = 0; index < shardCount; index += startingMax) {
      const count = Math.min(startingMax, shardCount - index);
      const group = Array.from({ length: count }, (_, at) => this.#run(index + at, 0));
      this.#running.push(...group);
      await Promise.all(group.map((running) => this.#whenReady(running)));
    }
    for (const running of this.#running) this.#opened(running);
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
      const left = this.shards.filter((shard) => !asked.has(shard) && !shard.retired);
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
    for (const { routing: port } of this.shards)
      port.places({ revision: routing.revision, upstream, places });
  }

  /** Lets every shard return once its last session has ended, then ends the threads. */
  async drain(deadlineMs: number): Promise<void> {
    this.#closing = true;
    for (const { shard } of this.#running) {
      shard.ingress.push(RecordKind.Drain, 0, 0, noBody, 0, true);
      shard.ingress.publish();
      shard.ingressBell.ring();
    }
    const all = Promise.allSettled(this.#running.map((running) => running.done));
    await Promise.race([all, later(deadlineMs)]);
    await this.destroy();
  }

  async destroy(): Promise<void> {
    this.#closing = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    for (const { shard } of this.#running) this.#retire(shard);
    await Promise.allSettled(this.#pools.map((pool) => pool.destroy()));
  }

  #newPool(threads: number): Piscina {
    const pool = new Piscina({
      filename: createRequire(import.meta.url).resolve('#shard-worker'),
      minThreads: 0,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      env: this.#environment,
      resourceLimits: { maxOldGenerationSizeMb: workerHeapMbMax },
      recordTiming: false,
    });
    pool.on('error', (error) => this.#log.error({ err: error }, 'worker pool'));
    return pool;
  }

  #run(index: number, incarnation: number): Running {
    const shard = new Shard(index, incarnation, this.#callsPerShard);
    const abort = new AbortController();
    const pool = this.#pools.at(-1)!;
    const done = pool.run(shard.start(this.#options), {
      transferList: [...shard.workerPorts],
      signal: abort.signal,
    }) as Promise<ShardResult>;
    done.catch(() => {});
    return { shard, pool, abort, done };
  }

  async #whenReady({ shard, abort, done }: Running): Promise<void> {
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
    if (first === 'ready') return;
    if (first === undefined) {
      abort.abort();
      throw new GatewayError(
        'SHARD_START',
        `shard ${shard.index} was not ready in ${shardReadyTimeoutMs / 1_000} s`,
      );
    }
    if (first.ok === false) throw new GatewayError('HANDLER_LOAD', first.problem);
    const why = first.ok === true ? 'its task returned' : first.problem;
    throw new GatewayError('SHARD_START', `shard ${shard.index} ended before it was ready: ${why}`);
  }

  /** Routes may have changed while a shard was started with older ones. */
  async #catchUp(shard: Shard, started: Routing): Promise<void> {
    for (let known = started; known !== this.#options.routing; ) {
      known = this.#options.routing;
      const problem = await shard.routing.adopt(known, known.revision, adoptTimeoutMs);
      if (problem !== undefined) throw new GatewayError('HANDLER_LOAD', problem);
    }
  }

  #opened(running: Running): void {
    this.#events.opened(running.shard);
    running.done.then(
      () => this.#ended(running, 'its task returned'),
      (thrown) => this.#ended(running, errorText(thrown)),
    );
  }

  #ended({ shard }: Running, cause: string): void {
    if (this.#closing) return;
    this.#events.lost(shard, cause);
    this.#retire(shard);
    void this.#replace(shard.index, shard.incarnation + 1, 0);
  }

  /** The incarnation is over; its counts live on. */
  #retire(shard: Shard): void {
    if (!shard.retired) addCounters(this.retired, shard.counters);
    shard.retired = true;
    shard.close();
  }

  /** Ends a pool that blocks, unless shards still run in it. */
  #dismiss(pool: Piscina): void {
    if (this.#running.some((other) => other.pool === pool && !other.shard.retired)) return;
    this.#pools.splice(this.#pools.indexOf(pool), 1);
    pool.destroy().catch((thrown: unknown) => this.#log.error({ err: thrown }, 'worker pool'));
  }

  /** A shard that cannot be replaced at once is tried again, less and less often. */
  async #replace(index: number, incarnation: number, attempt: number): Promise<void> {
    if (this.#closing) return;
    const { routing } = this.#options;
    const running = this.#run(index, incarnation);
    try {
      await this.#whenReady(running);
      await this.#catchUp(running.shard, routing);
    } catch (thrown) {
      running.shard.close();
      running.abort.abort();
      if (this.#closing) return;
      const delayMs = Math.min(restartDelayMsMax, 500 * 2 ** attempt);
      this.#log.error(
        { shard: index, err: thrown, retryInMs: delayMs },
        'a replacement for a lost shard did not start',
      );
      // A thread that failed before it was ready blocks its pool for ever: go on with a new one.
      this.#pools.push(this.#newPool(this.#running.length));
      this.#dismiss(running.pool);
      const timer = setTimeout(() => {
        this.#restarts.delete(timer);
        void this.#replace(index, incarnation + 1, attempt + 1);
      }, delayMs);
      this.#restarts.add(timer);
      return;
    }
    if (this.#closing) return;
    this.#running[index] = running;
    this.restarts += 1;
    this.#opened(running);
    this.#log.warn({ shard: index, incarnation }, 'shard replaced');
  }
}

function later(ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms, undefined).unref();
  });
}
