import type { Counters, DistributionName } from '../generator/messages.js';
import type { Violation } from '../violations.js';
import type { Distribution, ScenarioTally, Tally } from './tally.js';
import { judge, type Threshold, type ThresholdResult } from './thresholds.js';

/** One second of the run. */
export interface Second {
  /** Since the beginning of the run, ms. */
  readonly atMs: number;
  /** Index in `stages`. */
  readonly stage: number;
  readonly live: number;
  readonly connecting: number;
  readonly counters: Counters;
  readonly turnaround: Distribution;
  readonly response: Distribution;
  readonly lag: Distribution;
  readonly hangUps: number;
  /** Cores: of the busiest generator thread, of the whole load process, of the server if its process is known. */
  readonly generatorCores: number;
  readonly loadCores: number;
  readonly serverCores: number | null;
  readonly serverBytes: number | null;
}

/** A run of its own: the calls came up, were measured, and ended. */
export interface StageReport {
  readonly name: string;
  readonly calls: number;
  readonly counters: Counters;
  readonly unexpected: number;
  readonly distributions: Readonly<Record<DistributionName, Distribution>>;
  readonly scenarios: Readonly<Record<string, ScenarioTally>>;
  /** Why calls failed or ended otherwise than they should, with how often. */
  readonly troubles: Readonly<Record<string, number>>;
  readonly thresholds: readonly ThresholdResult[];
  readonly generator: { readonly busiestCores: number; readonly cores: number };
  /** CPU time of the server per packet while the calls were up, µs. */
  readonly serverUsPerPacket: number | null;
  /** Why nothing of this is to be believed; empty if it is. */
  readonly void: readonly string[];
}

/** What `plivo-gateway load --json` writes. */
export interface LoadReport {
  readonly version: string;
  readonly target: string;
  readonly profile: string;
  readonly startedAt: string;
  readonly seconds: readonly Second[];
  readonly stages: readonly StageReport[];
  readonly violations: readonly Violation[];
  readonly hangUps: number;
  /** Ended by Ctrl-C. */
  readonly isInterrupted: boolean;
  /** What a gateway of our own printed, if it ended before the run did. */
  readonly lastWords: string;
  /** With steps: the last one that kept all objectives. */
  readonly lastGood: number | null;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
}

/** A generator that is busier, or later, than this measures itself. */
export const generatorCoresMax = 0.85;
export const generatorLagP99MsMax = 5;
/** Share of audio beyond an echo above which turnarounds mean nothing. */
const surplusShareMax = 0.1;

export function stageReport(
  name: string,
  calls: number,
  tally: Tally,
  thresholds: readonly Threshold[],
  serverUsPerPacket: number | null,
): StageReport {
  const { busiest, all } = tally.cores;
  const lag = tally.distribution('lag');
  const voidBecause: string[] = [];
  if (busiest > generatorCoresMax) {
    const percent = (busiest * 100).toFixed(0);
    voidBecause.push(`a generator thread used ${percent} % of a core (85 % at most)`);
  }
  if (lag.p99 > generatorLagP99MsMax) {
    voidBecause.push(`the generator sent late: p99 ${lag.p99.toFixed(1)} ms (5 at most)`);
  }
  const { surplus, returned } = tally.counters;
  if (surplus > surplusShareMax * returned) {
    voidBecause.push(
      `the server says more than an echo (${surplus} messages of audio): use --no-echo, turnarounds mean nothing`,
    );
  }
  return {
    name,
    calls,
    counters: tally.counters,
    unexpected: tally.unexpected,
    distributions: {
      turnaround: tally.distribution('turnaround'),
      response: tally.distribution('response'),
      connect: tally.distribution('connect'),
      barge: tally.distribution('barge'),
      lag,
    },
    scenarios: Object.fromEntries(tally.scenarios),
    troubles: Object.fromEntries(tally.troubles),
    thresholds: thresholds.map((threshold) => judge(threshold, tally)),
    generator: { busiestCores: busiest, cores: all },
    serverUsPerPacket,
    void: voidBecause,
  };
}

/** Whether a stage kept everything that was asked of it. */
export function isGood({ thresholds, void: voidBecause, counters }: StageReport): boolean {
  return (
    voidBecause.length === 0 && counters.connected > 0 && thresholds.every(({ holds }) => holds)
  );
}

/** 99 if a threshold failed, 1 if the run says nothing, else 0. */
export function exitCodeOf({ stages, profile }: LoadReport): number {
  // The step that broke is what steps are for.
  const judged = profile.startsWith('steps') ? stages.slice(0, 1) : stages;
  if (judged.some(({ thresholds }) => thresholds.some(({ holds }) => !holds))) return 99;
  const saysNothing = judged.some(
    (stage) => stage.void.length > 0 || stage.counters.connected === 0,
  );
  return saysNothing || judged.length === 0 ? 1 : 0;
}
