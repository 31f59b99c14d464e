import type { WebSocket } from 'ws';
import type { UpstreamConfig } from '../../src/config/types.js';
import type { AddressPlace } from '../../src/shard/routing.js';
import type { UpstreamEvent } from '../../src/shard/upstream-board.js';
import type { Addresses } from './address-book.js';
import type { Outgoing } from './dialect.js';

/** What a call's leg tells. `ended` or `failed` comes once, as the last. */
export interface LegEvents {
  /** The application at this address took the call, after so long. */
  reached(address: AddressPlace, ms: number): void;
  /** The application is there, for the first time or again: what it hears first. */
  greeting(isResumed: boolean): readonly Outgoing[];
  message(data: Buffer, isBinary: boolean): void;
  /** An event of the leg, for the call's story; it is counted already. */
  counted(event: UpstreamEvent): void;
  /** Something for the application was put aside. */
  dropped(): void;
  /** A message too large to be looked at. */
  overlong(bytes: number): void;
  /** Our own code failed over a message. */
  defect(thrown: unknown): void;
  /** False once the call is ending: no application is sought for it any more. */
  isLive(): boolean;
  /** The application closed as it does when the call is to end. */
  ended(): void;
  /** No address took the call in time, or the connection broke and did not come back. */
  failed(reason: 'upstream-failed' | 'upstream-lost', detail: string): void;
}

export interface LegOptions {
  readonly upstream: UpstreamConfig;
  readonly book: Addresses;
  readonly open: typeof WebSocket;
  readonly ca: Buffer | undefined;
  /** Of the calling number: some balancing goes by it. */
  readonly caller: string;
  readonly reconnects: boolean;
  /** The application had the call before: so it is told. */
  readonly isResumed: boolean;
  /** The URL with the call's facts in it. */
  urlOf(address: AddressPlace, isResumed: boolean): string;
}
