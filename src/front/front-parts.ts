import type { RouteConfig } from '../config/types.js';
import type { EndReason } from '../errors.js';
import type { Log } from '../log.js';
import type { CallBoard } from '../shard/call-board.js';
import type { StampClock } from '../shard/clock.js';
import type { AnswererBody, EndedBody, NoteBody } from '../shard/record.js';
import type { Shard } from '../shard/shard.js';
import type { Admissions, Refusal } from './admission.js';
import type { Connection } from './connections.js';
import type { Credential } from './upgrade-check.js';

/** What the front asks of the rest of the gateway, and tells it. */
export interface FrontEvents {
  started(connection: Connection): void;
  /** `body` is what its shard knows of it; absent if the shard could not tell any more. */
  ended(connection: Connection, reason: EndReason, body: EndedBody | undefined): void;
  /** By which credential a stream came in. */
  admitted(by: Credential): void;
  refused(reason: Refusal): void;
  /** End the call at Plivo, in `inMs` at the latest. */
  hangup(connection: Connection, reason: EndReason, inMs: number): void;
  /** An application took the call, spoke, or another route went on with it. */
  answerer(connection: Connection, body: AnswererBody): void;
  /** Another shard goes on with the call, as the first one died. */
  adopted(connection: Connection): void;
  /** Something for the story of the call. */
  note(connection: Connection, body: NoteBody): void;
  /** Never rejects. */
  transfer(
    connection: Connection,
    url: string,
  ): Promise<{ readonly ok: boolean; readonly detail: string }>;
}

export interface FrontOptions {
  /** Where calls go now. */
  readonly routing: () => { readonly revision: number; readonly routes: readonly RouteConfig[] };
  readonly slots: number;
  readonly callsPerShard: number;
  readonly shards: () => readonly Shard[];
  /** A shard that cannot go on; it is lost at once. */
  readonly giveUp: (shard: Shard, cause: string) => void;
  readonly callBoard: CallBoard;
  /** Counters of this thread. */
  readonly values: Float64Array;
  readonly clock: StampClock;
  readonly admissions: Admissions;
  readonly log: Log;
}
