import type { StreamFormatName } from '../stream-format.js';
import type { Violation } from '../violations.js';
import type { ScenarioName } from './scenarios.js';

/** All that crosses between the main thread and a generator thread. Nothing of it is per packet. */

/** What a generator thread is started with. */
export interface GeneratorOptions {
  readonly format: StreamFormatName;
  /** Base64 of 20 ms each, what callers say. */
  readonly payloads: readonly string[];
  readonly insecure: boolean;
  /** Upgrades are signed with it. */
  readonly authToken: string | undefined;
  /** The application plays back what it hears: turnarounds and losses can be counted. */
  readonly isEcho: boolean;
  readonly seed: number;
}

/** One call that is to be made now. */
export interface Dial {
  readonly callId: string;
  readonly url: string;
  readonly scenario: ScenarioName;
  readonly accountId: string;
  readonly extraHeaders: string;
  /** From `start` until the caller hangs up; left out, until the end of the run. */
  readonly lengthMs?: number;
  /** How often a failed connect is tried again (protocol section 7.2). */
  readonly retries: number;
}

/** Main thread to generator thread. */
export type GeneratorOrder =
  | { readonly type: 'dial'; readonly dials: readonly Dial[] }
  /** A hang-up through Plivo's REST API. */
  | { readonly type: 'hangUp'; readonly callId: string }
  /** All callers hang up. */
  | { readonly type: 'end' }
  | { readonly type: 'stop' };

export const callEnds = [
  /** The caller hung up: by the end of its time or of the run. */
  'completed',
  /** Plivo's REST API was asked to hang up. */
  'hung-up',
  'server-closed',
  /** The connection broke, or the server stopped reading. */
  'dropped',
  'connect-failed',
] as const;
export type CallEnd = (typeof callEnds)[number];

/** What became of one call. */
export interface CallResult {
  readonly callId: string;
  readonly scenario: ScenarioName;
  readonly end: CallEnd;
  /** Of few words for `connect-failed`; for the others, why. */
  readonly detail: string;
  readonly closeCode: number;
  /** It ended as this scenario may. */
  readonly isExpected: boolean;
  readonly lastedMs: number;
  readonly sent: number;
  /** Packets whose audio never came back. */
  readonly lost: number;
}

/** Names of what is counted, and what the figures say. */
export const counterNames = [
  'dialled',
  'connected',
  'failed',
  'ended',
  'sent',
  'received',
  'returned',
  /** Messages with audio that a pure echo would not have sent: all that was said had come back. */
  'surplus',
  'lost',
  'late',
  'gaps',
  'overflows',
  'turns',
  'answered',
  'checkpoints',
  'clears',
  'clearedMs',
  'violations',
] as const;
export type CounterName = (typeof counterNames)[number];
export type Counters = Record<CounterName, number>;

export const distributionNames = ['turnaround', 'response', 'connect', 'barge', 'lag'] as const;
export type DistributionName = (typeof distributionNames)[number];

/** What one thread saw since its last such report. */
export interface GeneratorInterval {
  readonly type: 'interval';
  readonly live: number;
  readonly connecting: number;
  readonly counters: Counters;
  /** HDR histograms of microseconds, compressed, base64. */
  readonly histograms: Readonly<Record<DistributionName, string>>;
  /** CPU time of this thread, ms, and how long the stretch was. */
  readonly cpuMs: number;
  readonly wallMs: number;
}

/** Generator thread to main thread. */
export type GeneratorNotice =
  | { readonly type: 'started'; readonly callId: string; readonly streamId: string }
  | { readonly type: 'over'; readonly result: CallResult }
  | GeneratorInterval
  | { readonly type: 'stopped'; readonly violations: readonly Violation[] };
