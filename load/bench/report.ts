import { ptimeMs } from '../../src/limits.js';
import type { Distribution } from './generator-messages.js';
import type { MemoryResult } from './memory.js';
import { mediaRate, type RoundResult, type Target, targets } from './round.js';

/** What the gateway is to stay within. */
export const budgets = {
  cpuRatio: 2,
  turnaroundP99Ms: 10,
  residentKbPerCall: 25,
} as const;

/** Medians over the rounds of one target. */
export interface TargetReport {
  readonly calls: number;
  readonly mediaPerSecond: number;
  readonly repliesPerSecond: number;
  /** All rounds together. */
  readonly lost: number;
  readonly closed: number;
  readonly turnaroundMs: Distribution;
  /** Of the rounds that had quiet seconds (see `MeasuredWindow`); null without any. */
  readonly quietTurnaroundMs: Distribution | null;
  /** All rounds together. */
  readonly quietSeconds: number;
  readonly cpuUsPerMedia: number;
  readonly generatorLagMs: Distribution;
  /** Cores that the generator used. */
  readonly generatorCores: number;
  /** Cores that other processes and the machine's own host took; null if it is not known. */
  readonly othersCores: number | null;
}

/** The JSON of `bench --json`. */
export interface BenchReport {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
  readonly rounds: number;
  readonly seconds: number;
  readonly floor: TargetReport | null;
  readonly gateway: TargetReport | null;
  /** CPU per media message, gateway over floor. */
  readonly cpuRatio: number | null;
  readonly memory: MemoryResult | null;
  readonly budgets: typeof budgets;
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return rounded(sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2);
}

function medianOf(distributions: readonly Distribution[]): Distribution {
  return {
    p50: median(distributions.map(({ p50 }) => p50)),
    p99: median(distributions.map(({ p99 }) => p99)),
    p999: median(distributions.map(({ p999 }) => p999)),
    max: median(distributions.map(({ max }) => max)),
  };
}

/** Null without any round of that target. */
export function reportTarget(results: readonly RoundResult[], target: Target): TargetReport | null {
  const rounds = results.filter((result) => result.target === target);
  const first = rounds[0];
  if (first === undefined) return null;
  const quiet = rounds.flatMap(({ quietTurnaroundMs }) => quietTurnaroundMs ?? []);
  const total = (pick: (round: RoundResult) => number): number =>
    rounds.reduce((sum, round) => sum + pick(round), 0);
  return {
    calls: first.calls,
    mediaPerSecond: median(rounds.map((round) => (round.windowSent * 1_000) / round.windowMs)),
    repliesPerSecond: median(rounds.map((round) => (round.windowReplies * 1_000) / round.windowMs)),
    lost: total((round) => round.lost),
    closed: total((round) => round.closed),
    turnaroundMs: medianOf(rounds.map((round) => round.turnaroundMs)),
    quietTurnaroundMs: quiet.length === 0 ? null : medianOf(quiet),
    quietSeconds: total((round) => round.quietSeconds),
    cpuUsPerMedia: median(rounds.map((round) => round.cpuUsPerMedia)),
    generatorLagMs: medianOf(rounds.map((round) => round.lagMs)),
    generatorCores: median(rounds.map((round) => round.cpuMs / round.windowMs)),
    othersCores: rounds.some((round) => round.othersCores === null)
      ? null
      : median(rounds.map((round) => round.othersCores ?? 0)),
  };
}

type Row = readonly [name: string, pick: (report: TargetReport) => string, budget: string];

const rows: readonly Row[] = [
  ['calls', (report) => String(report.calls), ''],
  ['media/s sent', (report) => report.mediaPerSecond.toFixed(0), ''],
  ['replies/s', (report) => report.repliesPerSecond.toFixed(0), ''],
  ['lost', (report) => String(report.lost), '0'],
  ['streams closed', (report) => String(report.closed), '0'],
  ['turnaround p50, ms', (report) => report.turnaroundMs.p50.toFixed(2), ''],
  ['           p99, ms', (report) => report.turnaroundMs.p99.toFixed(2), ''],
  ['         p99.9, ms', (report) => report.turnaroundMs.p999.toFixed(2), ''],
  ['           max, ms', (report) => report.turnaroundMs.max.toFixed(2), ''],
  ['quiet seconds', (report) => String(report.quietSeconds), ''],
  ['p99 in these, ms', (report) => report.quietTurnaroundMs?.p99.toFixed(2) ?? '-', '≤ 10'],
  ['server CPU, µs/media', (report) => report.cpuUsPerMedia.toFixed(2), ''],
  ['generator lag p99, ms', (report) => report.generatorLagMs.p99.toFixed(2), ''],
  ['          max, ms', (report) => report.generatorLagMs.max.toFixed(2), ''],
  ['generator CPU, cores', (report) => report.generatorCores.toFixed(2), ''],
  ['others, cores', (report) => report.othersCores?.toFixed(2) ?? '?', ''],
];

function line(cells: readonly string[]): string {
  const [name = '', ...rest] = cells;
  return `${name.padEnd(24)}${rest.map((cell) => cell.padStart(12)).join('')}`.trimEnd();
}

function verdict(isWithin: boolean): string {
  return isWithin ? 'within' : 'ABOVE';
}

/** The report for people. */
export function benchText(report: BenchReport): string {
  const { machine, floor, gateway, cpuRatio, memory } = report;
  const lines = [`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`];
  if (floor !== null || gateway !== null) {
    lines.push(`median of ${report.rounds} rounds of ${report.seconds} s`, '');
    lines.push(line(['', ...targets, 'budget']));
    for (const [name, pick, budget] of rows) {
      const cells = [floor, gateway].map((target) => (target === null ? '-' : pick(target)));
      lines.push(line([name, ...cells, budget]));
    }
  }
  lines.push('');
  if (cpuRatio !== null) {
    const within = verdict(cpuRatio <= budgets.cpuRatio);
    lines.push(`CPU per media message: ${cpuRatio.toFixed(2)} × the floor (≤ 2.0: ${within})`);
  }
  if (gateway !== null) lines.push(turnaroundLine(gateway));
  for (const target of [floor, gateway]) {
    if (target !== null && wasGeneratorLimit(target)) {
      lines.push('The generator was held up by the machine: doubt the turnarounds of all seconds.');
      break;
    }
  }
  if (memory !== null) lines.push(memoryLine(memory));
  return `${lines.join('\n')}\n`;
}

/** Judged by the quiet seconds where there are any. */
function turnaroundLine(gateway: TargetReport): string {
  const { quietTurnaroundMs, turnaroundMs, quietSeconds } = gateway;
  const { p99 } = quietTurnaroundMs ?? turnaroundMs;
  const within = verdict(p99 <= budgets.turnaroundP99Ms);
  const where = quietTurnaroundMs === null ? 'in all seconds' : `in ${quietSeconds} quiet seconds`;
  return `turnaround p99: ${p99.toFixed(2)} ms ${where} (≤ 10: ${within})`;
}

/** Late by more than a frame, or not all of the media sent. */
function wasGeneratorLimit(report: TargetReport): boolean {
  const isSlow = report.mediaPerSecond < mediaRate(report.calls) * 0.99;
  return isSlow || report.generatorLagMs.p99 > ptimeMs;
}

function memoryLine(memory: MemoryResult): string {
  const kilobytes = memory.bytesPerCall / 1_024;
  const within = verdict(kilobytes <= budgets.residentKbPerCall);
  const megabytes = [memory.fewCallsBytes, memory.manyCallsBytes].map((bytes) =>
    (bytes / 1_024 ** 2).toFixed(1),
  );
  const slope = `${memory.fewCalls} → ${memory.manyCalls} calls, ${megabytes.join(' → ')} MB`;
  return `resident per call: ${kilobytes.toFixed(1)} KB (≤ 25: ${within}; ${slope})`;
}
