import { decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js';
import {
  type CallEnd,
  type CallResult,
  type Counters,
  counterNames,
  type DistributionName,
  distributionNames,
  type GeneratorInterval,
} from '../generator/messages.js';
import { newCounters, newHistogram } from '../generator/meter.js';
import type { ScenarioName } from '../generator/scenarios.js';

/** Milliseconds; all 0 where nothing was seen. */
export interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What became of the calls of one scenario. */
export interface ScenarioTally {
  calls: number;
  sent: number;
  lost: number;
  /** Ended in a way that this scenario may not. */
  unexpected: number;
  readonly ends: Partial<Record<CallEnd, number>>;
}

/** Words for endings and failures are the peer's to choose: so many are kept apart. */
const kindsMax = 30;

export function distributionOf(microseconds: Histogram): Distribution {
  const at = (percentile: number): number => microseconds.getValueAtPercentile(percentile) / 1_000;
  const count = microseconds.totalCount;
  if (count === 0) return { count, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
  const max = microseconds.maxValue / 1_000;
  return { count, p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max };
}

/** What was seen over some stretch of a run, of all generator threads together. */
export class Tally {
  readonly counters: Counters = newCounters();
  readonly scenarios = new Map<ScenarioName, ScenarioTally>();
  /** Why calls failed or ended early, with how often. */
  readonly troubles = new Map<string, number>();
  readonly #histograms = Object.fromEntries(
    distributionNames.map((name) => [name, newHistogram()]),
  ) as Record<DistributionName, Histogram>;
  readonly #threads = new Map<number, { cpuMs: number; wallMs: number }>();

  /**
   * `isSteady`: the calls are up; only then do the generator's lag and CPU time count. `isTimed`: from then on until the
   * last call is over, so that answers that are still to come when the calls end are turnarounds as well.
   */
  add(thread: number, interval: GeneratorInterval, isSteady: boolean, isTimed: boolean): void {
    for (const name of counterNames) this.counters[name] += interval.counters[name];
    for (const name of distributionNames) {
      const encoded = interval.histograms[name];
      const counts = name === 'lag' ? isSteady : name !== 'turnaround' || isTimed;
      if (counts && encoded !== '') this.#histograms[name].add(decodeFromCompressedBase64(encoded));
    }
    if (!isSteady) return;
    const sum = this.#threads.get(thread) ?? { cpuMs: 0, wallMs: 0 };
    sum.cpuMs += interval.cpuMs;
    sum.wallMs += interval.wallMs;
    this.#threads.set(thread, sum);
  }

  addResult(result: CallResult): void {
    const { scenario, end, detail, isExpected } = result;
    let tally = this.scenarios.get(scenario);
    if (tally === undefined) {
      tally = { calls: 0, sent: 0, lost: 0, unexpected: 0, ends: {} };
      this.scenarios.set(scenario, tally);
    }
    tally.calls += 1;
    tally.sent += result.sent;
    tally.lost += result.lost;
    tally.ends[end] = (tally.ends[end] ?? 0) + 1;
    if (isExpected) return;
    tally.unexpected += 1;
    const [kind = ''] = detail.split('\n');
    this.addTrouble(end === 'connect-failed' ? `connect failed: ${kind}` : `${end}: ${kind}`);
  }

  addTrouble(words: string): void {
    const isKnown = this.troubles.has(words) || this.troubles.size < kindsMax;
    const key = isKnown ? words : 'other';
    this.troubles.set(key, (this.troubles.get(key) ?? 0) + 1);
  }

  get unexpected(): number {
    return [...this.scenarios.values()].reduce((sum, { unexpected }) => sum + unexpected, 0);
  }

  distribution(name: DistributionName): Distribution {
    return distributionOf(this.#histograms[name]);
  }

  /** For any percentile, ms. */
  percentile(name: DistributionName, percentile: number): number {
    return this.#histograms[name].getValueAtPercentile(percentile) / 1_000;
  }

  /** Cores that the busiest generator thread used, and all of them together. */
  get cores(): { readonly busiest: number; readonly all: number } {
    const each = [...this.#threads.values()].map(({ cpuMs, wallMs }) => cpuMs / (wallMs || 1));
    return { busiest: Math.max(0, ...each), all: each.reduce((sum, one) => sum + one, 0) };
  }
}
