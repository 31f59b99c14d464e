import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { build, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';
import { ViolationLog, type ViolationName } from '../violations.js';
import {
  type Counters,
  counterNames,
  type DistributionName,
  distributionNames,
  type GeneratorInterval,
} from './messages.js';

/** An answer later than this after its packet's deadline is late. */
export const lateMs = 100;
const highestUs = 120_000_000;

/** A histogram of microseconds up to two minutes, three digits. */
export function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: highestUs,
    numberOfSignificantValueDigits: 3,
    autoResize: false,
    useWebAssembly: false,
  });
}

export function newCounters(): Counters {
  return Object.fromEntries(counterNames.map((name) => [name, 0])) as Counters;
}

/** What one generator thread counts and times, from one report to the next. */
export class Meter {
  readonly violations = new ViolationLog();
  /** One object for life: V8 has to find its way about a new one anew, for every packet. */
  readonly counters = newCounters();
  /** The two that are timed for every packet. */
  readonly turnaround = new FineTimes();
  readonly lag = new FineTimes();
  readonly #histograms = Object.fromEntries(
    distributionNames.map((name) => [name, newHistogram()]),
  ) as Record<DistributionName, Histogram>;
  readonly #cpu = new ThreadCpu();
  #sinceMs = performance.now();

  record(name: DistributionName, ms: number): void {
    const us = Math.round(ms * 1_000);
    this.#histograms[name].recordValue(us < 0 ? 0 : us > highestUs ? highestUs : us);
  }

  violate(name: ViolationName, detail: string): void {
    this.counters.violations += 1;
    this.violations.record(name, detail);
  }

  /** Everything since the last call. */
  take(nowMs: number, live: number, connecting: number): GeneratorInterval {
    this.turnaround.pourInto(this.#histograms.turnaround);
    this.lag.pourInto(this.#histograms.lag);
    const counters = { ...this.counters };
    for (const name of counterNames) this.counters[name] = 0;
    const histograms = Object.fromEntries(
      distributionNames.map((name) => {
        const histogram = this.#histograms[name];
        const encoded = histogram.totalCount === 0 ? '' : encodeIntoCompressedBase64(histogram);
        if (histogram.totalCount > 0) histogram.reset();
        return [name, encoded];
      }),
    ) as Record<DistributionName, string>;
    const wallMs = nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
    const cpuMs = this.#cpu.sinceLastMs(wallMs);
    return { type: 'interval', live, connecting, counters, histograms, cpuMs, wallMs };
  }
}

const fineUs = 20;
const fineCount = 5_000;

/**
 * Times on their way into an HDR histogram, gathered in steps of 20 µs for a second: recording there takes 0.2 µs, here next
 * to nothing. A time counts as the end of its step, so nothing looks faster than it was.
 */
export class FineTimes {
  readonly #counts = new Uint32Array(fineCount);
  readonly #longUs: number[] = [];

  record(ms: number): void {
    const step = ms <= 0 ? 0 : Math.floor((ms * 1_000) / fineUs);
    if (step < fineCount) this.#counts[step]! += 1;
    else this.#longUs.push(Math.min(highestUs, Math.round(ms * 1_000)));
  }

  pourInto(histogram: Histogram): void {
    for (const [step, count] of this.#counts.entries()) {
      if (count > 0) histogram.recordValueWithCount((step + 1) * fineUs, count);
    }
    for (const us of this.#longUs) histogram.recordValue(us);
    this.#counts.fill(0);
    this.#longUs.length = 0;
  }
}

/** CPU time of the calling thread. */
class ThreadCpu {
  #lastMs = threadCpuMs();
  #lastUtilization = performance.eventLoopUtilization();

  sinceLastMs(wallMs: number): number {
    const nowMs = threadCpuMs();
    if (nowMs === null || this.#lastMs === null) return this.#busyMs(wallMs);
    const sinceMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    return sinceMs;
  }

  /** Where the system does not tell: how long the thread was not waiting. */
  #busyMs(wallMs: number): number {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#lastUtilization);
    this.#lastUtilization = now;
    return utilization * wallMs;
  }
}

function threadCpuMs(): number | null {
  try {
    const [runNs = ''] = readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ');
    return Number(runNs) / 1e6;
  } catch {
    return null;
  }
}
