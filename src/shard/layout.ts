import { ringBytesFor } from '../limits.js';
import { counterBytes } from './counters.js';

/**
 * One shared memory per incarnation of a shard. The kernel lives in it too, so that it reads a message where the
 * front put it.
 *
 *        0  64 KiB   static data of the kernel
 *   64 KiB   4 KiB   words: the indices, doorbell words and signs of life below
 *   68 KiB 188 KiB   counters and histograms of the shard (float64)
 *  256 KiB           ingress ring: the front writes, the shard reads
 *                    egress ring: the shard writes, the front reads
 *                    outbox: 128 KiB in which the front lays one outgoing message before it sends it
 *                    the kernel's own area: codec state of the sessions, scratch
 */
const kernelStaticBytes = 64 * 1024;
const wordsBytes = 4 * 1024;
const countersAt = kernelStaticBytes + wordsBytes;
const ringsAt = 256 * 1024;
const outboxBytes = 128 * 1024;
/** Two resamplers and the message templates of one session, with room to spare. */
const kernelBytesPerCall = 12 * 1024;
/** Scratch and the coefficients of every pair of rates. */
const kernelBytesBase = 8 * 1024 * 1024;
const pageBytes = 64 * 1024;

export interface ShardLayout {
  readonly countersAt: number;
  readonly ringBytes: number;
  readonly ingressAt: number;
  readonly egressAt: number;
  readonly outboxAt: number;
  readonly outboxBytes: number;
  readonly kernelAt: number;
  readonly totalBytes: number;
}

export function shardLayout(callsPerShard: number): ShardLayout {
  const ringBytes = ringBytesFor(callsPerShard);
  const egressAt = ringsAt + ringBytes;
  const outboxAt = egressAt + ringBytes;
  const kernelAt = outboxAt + outboxBytes;
  const end = kernelAt + kernelBytesBase + callsPerShard * kernelBytesPerCall;
  const totalBytes = Math.ceil(end / pageBytes) * pageBytes;
  return {
    countersAt,
    ringBytes,
    ingressAt: ringsAt,
    egressAt,
    outboxAt,
    outboxBytes,
    kernelAt,
    totalBytes,
  };
}

/** Shared memory of a fixed size: growing would detach every view. Pages are touched only when used. */
export function shardMemory(layout: ShardLayout): WebAssembly.Memory {
  const pages = layout.totalBytes / pageBytes;
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/**
 * Int32 words, as indices into the memory. Words written by different threads lie 128 bytes apart (two cache lines,
 * which is what the hardware fetches), so that the threads never write to the same line.
 */
const word = (line: number): number => (kernelStaticBytes + line * 128) / 4;

export const words = {
  /** Ring indices: only grow, modulo 2^32. Always: read <= write <= read + ringBytes. */
  ingressWrite: word(0),
  ingressRead: word(1),
  egressWrite: word(2),
  egressRead: word(3),
  /** 1 from the moment the producer rings until the consumer has looked: never rung twice for one look. */
  ingressRung: word(4),
  egressRung: word(5),
  /** ShardState; written by the shard. */
  state: word(6),
  /** Grows with every tick of the shard's clock. */
  heartbeat: word(7),
  /** Slot + 1 of the session whose handler is running, 0 when none. */
  slotInHand: word(8),
  /** Sessions the shard holds. */
  sessions: word(9),
  /** JavaScript heap in use, KiB; written by the shard. */
  heapKib: word(10),
  /** Stamp of the last publication in the ingress ring, written before it. */
  ingressPublished: word(11),
  /** Index behind the record that the shard has in hand: who takes its calls over goes on from there. */
  ingressTaken: word(12),
} as const;

export const ShardState = { Starting: 0, Ready: 1, Drained: 2 } as const;

if (countersAt + counterBytes > ringsAt)
  throw new Error('counters must end before the rings begin');
