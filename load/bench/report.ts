import type { Paint } from '../run/summary.js';
import type { RoundResult } from './round.js';
import { contestants } from './servers.js';

/** What the gateway is to stay within (in the order of the table's columns). */
export const budgets = {
  /** CPU per message at most so many times the floor's. */
  cpuRatio: 1.6,
  /** At so many calls. */
  turnaroundP99Ms: 20,
  turnaroundCalls: 1_500,
  residentKbPerCall: 20,
  /** The same with an application behind the gateway, both legs together. */
  relayCpuRatio: 3.8,
  pipecatCpuRatio: 4.5,
  /** More than the floor's at so many calls. */
  addedP99Ms: 10,
  addedCalls: 500,
} as const;

/** Medians over the rounds of one contestant at one number of calls; lost is the sum. */
export interface BenchRow {
  readonly name: string;
  readonly calls: number;
  readonly packetsPerSecond: number;
  readonly cpuUsPerPacket: number;
  /** Of CPU per packet, to the floor in the same round. */
  readonly ratio: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly lost: number;
  /** Calls that failed or did not end as they should. */
  readonly broken: number;
  readonly residentMb: number;
  readonly generatorCores: number;
  readonly generatorLagP99: number;
  /** In most rounds the generator was the limit: the times are not the server's. */
  readonly isVoid: boolean;
}

export interface BenchReport {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: readonly BenchRow[];
  /** Slope of the gateway's resident memory between two numbers of calls; null if it was not measured. */
  readonly memory: {
    readonly from: number;
    readonly to: number;
    readonly kbPerCall: number;
  } | null;
  readonly budgets: typeof budgets;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** One row per contestant and number of calls, in the order of the contestants. */
export function benchRows(results: readonly RoundResult[], seconds: number): BenchRow[] {
  const sizes = [...new Set(results.map(({ calls }) => calls))];
  return sizes.flatMap((calls) =>
    contestants.flatMap(({ name, floor }) => {
      const of = (who: string): RoundResult[] =>
        results.filter((result) => result.name === who && result.calls === calls);
      const rounds = of(name);
      return rounds.length === 0 ? [] : [rowOf(name, calls, rounds, of(floor), seconds)];
    }),
  );
}

function rowOf(
  name: string,
  calls: number,
  rounds: readonly RoundResult[],
  floors: readonly RoundResult[],
  seconds: number,
): BenchRow {
  const middle = (pick: (round: RoundResult) => number): number => median(rounds.map(pick));
  const cost = ({ report }: RoundResult): number => report.serverUsPerPacket ?? 0;
  const ratios = rounds.flatMap((round, i) => {
    const floor = floors[i];
    return floor === undefined ? [] : [cost(round) / cost(floor)];
  });
  return {
    name,
    calls,
    packetsPerSecond: middle(({ report }) => report.distributions.lag.count / seconds),
    cpuUsPerPacket: middle(cost),
    ratio: median(ratios),
    p50: middle(({ report }) => report.distributions.turnaround.p50),
    p99: middle(({ report }) => report.distributions.turnaround.p99),
    p999: middle(({ report }) => report.distributions.turnaround.p999),
    lost: sum(rounds.map(({ report }) => report.counters.lost)),
    broken: sum(rounds.map(({ report }) => report.counters.failed + report.unexpected)),
    residentMb: middle(({ residentBytes }) => residentBytes / 2 ** 20),
    generatorCores: middle(({ report }) => report.generator.cores),
    generatorLagP99: middle(({ report }) => report.distributions.lag.p99),
    isVoid: 2 * rounds.filter(({ report }) => report.void.length > 0).length > rounds.length,
  };
}

type Column = readonly [head: string, cell: (row: BenchRow) => string];

const columns: readonly Column[] = [
  ['packets/s', ({ packetsPerSecond }) => packetsPerSecond.toFixed(0)],
  ['µs/packet', ({ cpuUsPerPacket }) => cpuUsPerPacket.toFixed(1)],
  ['× floor', ({ ratio }) => ratio.toFixed(2)],
  ['p50 ms', ({ p50 }) => p50.toFixed(1)],
  ['p99', ({ p99 }) => p99.toFixed(1)],
  ['p99.9', ({ p999 }) => p999.toFixed(1)],
  ['lost', ({ lost }) => String(lost)],
  ['broken', ({ broken }) => String(broken)],
  ['MB', ({ residentMb }) => residentMb.toFixed(0)],
  ['gen cores', ({ generatorCores }) => generatorCores.toFixed(2)],
  ['gen lag p99', ({ generatorLagP99 }) => generatorLagP99.toFixed(1)],
];

/** The report for people. */
export function benchText(report: BenchReport, red: Paint = (text) => text): string {
  const { machine, memory, rows } = report;
  const line = (name: string, cells: readonly string[]): string =>
    `${name.padEnd(14)}${cells.map((cell) => cell.padStart(12)).join('')}`;
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; the generator on the same cores`,
    `medians of ${report.rounds} rounds of ${report.seconds} s in turns; lost and broken are sums`,
  ];
  for (const calls of new Set(rows.map((row) => row.calls))) {
    lines.push(
      '',
      line(
        `${calls} calls`,
        columns.map(([head]) => head),
      ),
    );
    for (const row of rows.filter((one) => one.calls === calls)) {
      const mark = row.isVoid ? red('  VOID: the generator was the limit') : '';
      lines.push(
        `${line(
          row.name,
          columns.map(([, cell]) => cell(row)),
        )}${mark}`,
      );
    }
  }
  lines.push('', ...verdicts(rows), ...upstreamVerdicts(rows));
  if (memory !== null) {
    const { from, to, kbPerCall } = memory;
    const word = verdict(kbPerCall <= budgets.residentKbPerCall);
    const text = `${kbPerCall.toFixed(1)} KB (≤ ${budgets.residentKbPerCall}: ${word})`;
    lines.push(`gateway, resident memory per call, ${from} to ${to} calls: ${text}`);
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function verdict(holds: boolean): string {
  return holds ? 'holds' : 'MISSED';
}

/** Of calls that an application behind the gateway answers. */
function upstreamVerdicts(rows: readonly BenchRow[]): string[] {
  const lines: string[] = [];
  for (const [name, most] of [
    ['relay', budgets.relayCpuRatio],
    ['pipecat', budgets.pipecatCpuRatio],
  ] as const) {
    for (const row of rows.filter((one) => one.name === name)) {
      const cost = `${row.ratio.toFixed(2)} × the floor's CPU (≤ ${most}: ${verdict(row.ratio <= most)})`;
      const floor = rows.find((one) => one.name === 'floor' && one.calls === row.calls);
      const addedMs = row.p99 - (floor?.p99 ?? 0);
      const isJudged = row.calls === budgets.addedCalls && floor !== undefined;
      const word = isJudged
        ? ` (≤ ${budgets.addedP99Ms}: ${verdict(addedMs <= budgets.addedP99Ms)})`
        : '';
      lines.push(
        `${name} at ${row.calls} calls: ${cost}, p99 ${addedMs.toFixed(1)} ms above it${word}`,
      );
    }
  }
  return lines;
}

function verdicts(rows: readonly BenchRow[]): string[] {
  const ofGateway = rows.filter(({ name }) => name === 'gateway');
  const most = ofGateway.at(-1);
  if (most === undefined) return [];
  const { ratio, calls, lost } = most;
  const lines = [
    `gateway at ${calls} calls: ${ratio.toFixed(2)} × the floor's CPU (≤ ${budgets.cpuRatio}: ${verdict(ratio <= budgets.cpuRatio)}), ` +
      `${lost} lost (0: ${verdict(lost === 0)})`,
  ];
  const loaded = ofGateway.find((row) => row.calls === budgets.turnaroundCalls);
  if (loaded !== undefined) {
    const word = verdict(loaded.p99 <= budgets.turnaroundP99Ms);
    lines.push(
      `turnaround p99 at ${loaded.calls} calls ${loaded.p99.toFixed(1)} ms (≤ ${budgets.turnaroundP99Ms}: ${word})`,
    );
  }
  const [least] = ofGateway;
  if (least !== undefined && least !== most) {
    const [few, many] = [least.cpuUsPerPacket.toFixed(1), most.cpuUsPerPacket.toFixed(1)];
    const word = verdict(most.cpuUsPerPacket <= least.cpuUsPerPacket);
    lines.push(
      `CPU per packet at ${least.calls} calls ${few} µs, at ${calls} ${many} (not above: ${word})`,
    );
  }
  return lines;
}
