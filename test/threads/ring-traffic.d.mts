import type { MessagePort } from 'node:worker_threads';
import type { RingPlace } from '../../src/shard/ring.js';

/** One direction of the traffic. Sizes of the records follow from the seed. */
export interface Direction {
  readonly place: RingPlace;
  readonly rungWord: number;
  readonly records: number;
  readonly bodyMax: number;
  readonly seed: number;
}

export function produce(
  memory: SharedArrayBuffer,
  direction: Direction & { readonly port: MessagePort },
): Promise<{ fullTimes: number; pauses: number }>;

export function consume(
  memory: SharedArrayBuffer,
  direction: Direction & { readonly port: MessagePort },
): Promise<{ looks: number }>;
