import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { LogConfig, PlayoutConfig, Privacy } from '../config/types.js';
import { egressLookMs } from '../limits.js';
import { counterBlock } from './counters.js';
import { Doorbell } from './doorbell.js';
import { type ShardLayout, ShardState, shardLayout, shardMemory, words } from './layout.js';
import { type MemoryViews, RingReader, RingWriter, viewsOf } from './ring.js';
import { type Routing, RoutingPort } from './routing.js';

export interface ShardOptions {
  /** As it was when the shard was started. */
  readonly routing: Routing;
  /** Memory of the board of the upstreams' addresses, and for how many threads it was made. */
  readonly upstreamBoard: { readonly memory: SharedArrayBuffer; readonly seats: number };
  /** Memory of the board of live calls. */
  readonly callBoard: SharedArrayBuffer;
  readonly playout: PlayoutConfig;
  readonly log: LogConfig;
  readonly privacy: Privacy;
  /** Slots of the whole process: a session table has so many. */
  readonly slots: number;
}

/** All that a worker gets when its task begins. */
export interface ShardStart {
  /** Its row on the board of the upstreams. */
  readonly seat: number;
  readonly memory: WebAssembly.Memory;
  readonly layout: ShardLayout;
  /** Both doorbells: a message means "look". */
  readonly port: MessagePort;
  readonly routingPort: MessagePort;
  /** `performance.timeOrigin` of the front. */
  readonly epochMs: number;
  readonly options: ShardOptions;
}

/** Rows on the boards: for each shard and the spare, and as many again for threads that take their time to end. */
export function seatsFor(shards: number): number {
  return 2 * (shards + 1);
}

/** How a shard's task ended, unless it died. */
export type ShardResult = { readonly ok: true } | { readonly ok: false; readonly problem: string };

/** Both rings as one side sees them. */
function ringPlaces(layout: ShardLayout) {
  const { ringBytes: bytes } = layout;
  return {
    ingress: {
      at: layout.ingressAt,
      bytes,
      writeWord: words.ingressWrite,
      readWord: words.ingressRead,
    },
    egress: {
      at: layout.egressAt,
      bytes,
      writeWord: words.egressWrite,
      readWord: words.egressRead,
    },
  } as const;
}

/** A record that the shard never took; its body lies in the memory of that shard. */
export interface UnreadRecord {
  readonly kind: number;
  readonly slot: number;
  readonly generation: number;
  readonly body: Uint8Array;
}

/** One incarnation of a shard as the front holds it: memory, its ends of the rings, the bell. */
export class Shard {
  /** Which shard it is, and its how-manieth incarnation; -1 while it is the spare. */
  index = -1;
  incarnation = 0;
  /** Its row on the board of the upstreams: no other thread that lives has the same. */
  readonly seat: number;
  readonly layout: ShardLayout;
  readonly memory: WebAssembly.Memory;
  readonly views: MemoryViews;
  readonly ingress: RingWriter;
  readonly egress: RingReader;
  readonly ingressBell: Doorbell;
  readonly egressBell: Doorbell;
  readonly counters: Float64Array;
  readonly port: MessagePort;
  readonly routing: RoutingPort;
  /** Given to the worker with the task. */
  readonly workerPorts: readonly [doorbell: MessagePort, routing: MessagePort];
  #beat = 0;
  #lookedMs = 0;
  /** Looks in a row, each in time, at the same heartbeat. */
  #still = 0;
  readonly #stillMax: number;
  /** Calls placed here; kept by the front. */
  calls = 0;
  /** False once the thread is gone or about to go: nothing is placed here. */
  open = true;
  /** Its counters were added to those of the incarnations that are over. */
  retired = false;

  /** @param watchdogMs it hangs when its clock stands still for so long */
  constructor(seat: number, callsPerShard: number, watchdogMs: number) {
    this.seat = seat;
    this.#stillMax = Math.max(2, Math.round(watchdogMs / egressLookMs));
    this.layout = shardLayout(callsPerShard);
    this.memory = shardMemory(this.layout);
    this.views = viewsOf(this.memory);
    const places = ringPlaces(this.layout);
    this.ingress = new RingWriter(this.views, places.ingress);
    this.egress = new RingReader(this.views, places.egress);
    this.counters = counterBlock(this.memory.buffer, this.layout.countersAt);
    const bell = new MessageChannel();
    const routing = new MessageChannel();
    this.port = bell.port1;
    this.routing = new RoutingPort(routing.port1);
    this.workerPorts = [bell.port2, routing.port2];
    this.ingressBell = new Doorbell(this.views.words, words.ingressRung, this.port);
    this.egressBell = new Doorbell(this.views.words, words.egressRung, this.port);
  }

  start(options: ShardOptions): ShardStart {
    return {
      seat: this.seat,
      memory: this.memory,
      layout: this.layout,
      port: this.workerPorts[0],
      routingPort: this.workerPorts[1],
      epochMs: performance.timeOrigin,
      options,
    };
  }

  /** The task has begun and every handler is loaded. */
  get ready(): boolean {
    return this.open && Atomics.load(this.views.words, words.state) === ShardState.Ready;
  }

  /** Ready, and its clock ticks. */
  get responsive(): boolean {
    return this.ready && !this.hangs;
  }

  /** Its clock stands still. */
  get hangs(): boolean {
    return this.#still >= this.#stillMax;
  }

  /**
   * Looks at the shard's heartbeat; called by the front every 100 ms. A look that comes late says nothing: the machine
   * may have stood still as a whole.
   */
  watch(nowMs: number): void {
    const isInTime = nowMs - this.#lookedMs < 2 * egressLookMs;
    this.#lookedMs = nowMs;
    const beat = Atomics.load(this.views.words, words.heartbeat);
    if (beat !== this.#beat || !this.ready) {
      this.#beat = beat;
      this.#still = 0;
    } else if (isInTime) this.#still += 1;
  }

  /** What the front has published, the shard never took, and is worth keeping; for when its thread is gone. */
  unread(isKept: (kind: number, body: Buffer) => boolean): UnreadRecord[] {
    const taken = Atomics.load(this.views.words, words.ingressTaken) >>> 0;
    const ring = new RingReader(this.views, ringPlaces(this.layout).ingress, taken);
    const memory = Buffer.from(this.memory.buffer);
    const records: UnreadRecord[] = [];
    while (ring.next()) {
      const { kind, slot, generation, at, bytes } = ring;
      const body = memory.subarray(at, at + bytes);
      if (isKept(kind, body)) records.push({ kind, slot, generation, body });
    }
    return records;
  }

  /** JavaScript heap in use. */
  get heapBytes(): number {
    return Atomics.load(this.views.words, words.heapKib) * 1_024;
  }

  /** Slot whose handler was running, or -1. */
  get slotInHand(): number {
    return Atomics.load(this.views.words, words.slotInHand) - 1;
  }

  /** The incarnation is over: its rings are never looked at again. */
  close(): void {
    this.open = false;
    this.port.close();
    this.routing.close();
  }
}

/** The shard's ends of the same things, in the worker. */
export function openShardSide(start: ShardStart) {
  const views = viewsOf(start.memory);
  const places = ringPlaces(start.layout);
  return {
    views,
    ingress: new RingReader(views, places.ingress),
    egress: new RingWriter(views, places.egress),
    ingressBell: new Doorbell(views.words, words.ingressRung, start.port),
    egressBell: new Doorbell(views.words, words.egressRung, start.port),
    counters: counterBlock(start.memory.buffer, start.layout.countersAt),
  };
}
