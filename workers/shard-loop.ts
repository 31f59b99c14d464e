import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { EndReason } from '../src/errors.js';
import { recordsPerBatchMax, recordsPerFlush, tickMs, tickPhases } from '../src/limits.js';
import { elapsedUs } from '../src/shard/clock.js';
import { busyMs, counter, histogram } from '../src/shard/counters.js';
import { Waiter } from '../src/shard/doorbell.js';
import { observe } from '../src/shard/histogram.js';
import { ShardState, words } from '../src/shard/layout.js';
import {
  type AdoptBody,
  type ClosedBody,
  type EndBody,
  type OpenBody,
  RecordKind,
  type TransferredBody,
} from '../src/shard/record.js';
import type { RingReader } from '../src/shard/ring.js';
import type { openShardSide, ShardStart } from '../src/shard/shard.js';
import { Session } from './session/session.js';
import { SessionTable } from './session/session-table.js';
import type { ShardContext } from './shard-context.js';

/** How often a shard says how busy it is. */
const looksEvery = 1_000 / tickMs;

/** Takes records in batches, hands each to its session, wakes the front once per batch; and ticks. */
export class ShardLoop {
  readonly #context: ShardContext;
  readonly #ingress: RingReader;
  readonly #sessions: SessionTable;
  readonly #waiter: Waiter;
  readonly #ticker: NodeJS.Timeout;
  readonly #drained: () => void;
  #phase = 0;
  #ticks = 0;
  #tickedUs = 0;
  #draining = false;

  /** `drained` is called once, when a drain was asked for and the last session has ended. */
  constructor(
    context: ShardContext,
    side: ReturnType<typeof openShardSide>,
    start: ShardStart,
    drained: () => void,
  ) {
    this.#context = context;
    this.#ingress = side.ingress;
    this.#sessions = new SessionTable(context.options.slots);
    this.#drained = drained;
    this.#waiter = new Waiter(
      side.ingressBell,
      start.port,
      () => this.#look(),
      () => this.#ingress.waiting,
    );
    this.#ticker = setInterval(() => this.#tick(), tickMs);
  }

  #look(): number {
    const { clock, outbox, probe, values, words: shared } = this.#context;
    const ingress = this.#ingress;
    const nowUs = clock.enter();
    probe.batch(nowUs);
    let records = 0;
    while (records < recordsPerBatchMax && ingress.next()) {
      records += 1;
      // Whatever it does to this thread, it does once.
      shared[words.ingressTaken] = ingress.taken;
      observe(values, histogram.ingressWait, elapsedUs(ingress.stampUs, nowUs));
      clock.setCause(ingress.stampUs);
      try {
        this.#record(ingress);
      } catch (thrown) {
        this.#defect(this.#sessions.get(ingress.slot, ingress.generation), thrown);
      }
      // After a stall there is much to do, and what is done need not wait for it.
      if (records % recordsPerFlush === 0) outbox.flush();
    }
    ingress.release();
    outbox.flush();
    const endUs = clock.leave();
    if (records > 0) {
      values[counter.batches]! += 1;
      observe(values, histogram.batchTime, elapsedUs(nowUs, endUs));
    }
    this.#finishDrain();
    return records;
  }

  #record(record: RingReader): void {
    const { kind, slot, generation } = record;
    if (kind === RecordKind.Message || kind === RecordKind.BinaryMessage) {
      const session = this.#sessions.get(slot, generation);
      if (session === undefined) this.#stale();
      else {
        this.#context.probe.message(record.stampUs);
        session.message(record.at, record.bytes, kind === RecordKind.BinaryMessage);
      }
      return;
    }
    this.#life(kind, slot, generation, record);
  }

  #life(kind: number, slot: number, generation: number, record: RingReader): void {
    if (kind === RecordKind.Drain) {
      this.#draining = true;
      return;
    }
    const body = JSON.parse(this.#context.scratch.read(record.at, record.bytes)) as unknown;
    if (kind === RecordKind.Open) {
      const open = body as OpenBody;
      const session = this.#open(slot, generation, open);
      // It was admitted by routes that are not here: other handlers are none of its business.
      if (this.#context.routes.get(open.revision) === undefined) session.defect();
      return;
    }
    if (kind === RecordKind.Adopt) {
      const adopt = body as AdoptBody;
      this.#open(slot, generation, adopt).adopted(adopt);
      return;
    }
    const session = this.#sessions.get(slot, generation);
    if (session === undefined) {
      this.#stale();
      return;
    }
    switch (kind) {
      case RecordKind.End:
        return session.ended((body as EndBody).reason as EndReason);
      case RecordKind.Transferred:
        return session.transferred((body as TransferredBody).ok);
      case RecordKind.Closed:
        session.closed(body as ClosedBody);
        this.#sessions.remove(session);
        this.#countSessions();
        return;
    }
  }

  #open(slot: number, generation: number, open: OpenBody): Session {
    const { routes } = this.#context;
    const set = routes.get(open.revision) ?? routes.latest;
    const session = new Session(this.#context, set, slot, generation, open);
    this.#sessions.put(session);
    this.#countSessions();
    return session;
  }

  #tick(): void {
    const { clock, outbox } = this.#context;
    const { words: shared } = this.#context;
    this.#late(clock.enter());
    this.#phase = (this.#phase + 1) % tickPhases;
    this.#sessions.tick(this.#phase, tickPhases, clock.nowMs(), this.#defect);
    outbox.flush();
    clock.leave();
    Atomics.store(shared, words.heartbeat, (shared[words.heartbeat]! + 1) | 0);
  }

  /** How late this tick is; and now and then, how busy the thread. */
  #late(nowUs: number): void {
    const { values, words: shared } = this.#context;
    if (this.#ticks > 0) {
      const lateUs = elapsedUs(this.#tickedUs, nowUs) - tickMs * 1_000;
      observe(values, histogram.delay, Math.max(0, lateUs));
    }
    this.#tickedUs = nowUs;
    this.#ticks += 1;
    if (this.#ticks % looksEvery !== 1) return;
    values[busyMs] = performance.eventLoopUtilization().active;
    Atomics.store(shared, words.heapKib, getHeapStatistics().used_heap_size / 1_024);
  }

  /** An error of our own costs the call it happened in, and no other. */
  readonly #defect = (session: Session | undefined, thrown: unknown): void => {
    this.#context.log.error(
      { callId: session?.notes.callId, err: thrown },
      'the gateway failed in handling a call; the call ends',
    );
    session?.defect();
  };

  #stale(): void {
    this.#context.values[counter.staleRecords]! += 1;
  }

  #countSessions(): void {
    Atomics.store(this.#context.words, words.sessions, this.#sessions.count);
  }

  #finishDrain(): void {
    if (!this.#draining || this.#sessions.count > 0) return;
    this.#draining = false;
    clearInterval(this.#ticker);
    this.#waiter.stop();
    Atomics.store(this.#context.words, words.state, ShardState.Drained);
    this.#drained();
  }
}
