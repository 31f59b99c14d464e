import type { Handler } from '../src/handler.js';
import type { Log } from '../src/log.js';
import type { MediaScan } from '../src/serializer/media-scan.js';
import type { Scratch } from '../src/serializer/stream-codec.js';
import type { CallBoard } from '../src/shard/call-board.js';
import type { ShardRoute } from '../src/shard/routing.js';
import type { ShardOptions } from '../src/shard/shard.js';
import type { ShardClock } from './clock.js';
import type { Outbox } from './outbox.js';
import type { RouteSets } from './routes.js';
import type { StageProbe } from './stage-probe.js';

/** A route with its handler loaded. */
export interface LoadedRoute extends ShardRoute {
  readonly loaded: Handler;
}

/** What all sessions of one shard share. */
export interface ShardContext {
  readonly routes: RouteSets;
  readonly options: ShardOptions;
  readonly scratch: Scratch;
  readonly scan: MediaScan;
  readonly outbox: Outbox;
  readonly clock: ShardClock;
  readonly probe: StageProbe;
  readonly log: Log;
  /** Int32 view of the shard's memory, for the slot in hand. */
  readonly words: Int32Array;
  readonly values: Float64Array;
  /** The part of them that belongs to one route. */
  voiceBlock(area: number): Float64Array;
  readonly calls: CallBoard;
}
