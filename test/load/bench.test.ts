import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { cpuMsOf, millisecondsOf, residentBytesOf } from '../../load/bench/process-stat.js';
import { benchRows, benchText, budgets, median } from '../../load/bench/report.js';
import type { RoundResult } from '../../load/bench/round.js';
import { contestants } from '../../load/bench/servers.js';
import { newCounters } from '../../load/generator/meter.js';

describe('what is read of a process', () => {
  it('is its CPU time and its resident bytes', () => {
    const { user, system } = process.cpuUsage();
    expect(Math.abs(cpuMsOf(process.pid) - (user + system) / 1_000)).toBeLessThan(300);
    const ratio = residentBytesOf(process.pid) / process.memoryUsage().rss;
    expect(ratio).toBeGreaterThan(0.8);
    expect(ratio).toBeLessThan(1.25);
  });

  it.each([
    ['00:00:07', 7_000],
    ['1:02.50', 62_500],
    ['1-02:03:04', 93_784_000],
  ])('is understood as ps writes it: %s', (text, milliseconds) => {
    expect(millisecondsOf(text)).toBe(milliseconds);
  });
});

function round(name: string, calls: number, us: number, p99: number): RoundResult {
  const times = { count: 250_000, p50: 1, p90: 2, p99, p999: 20, max: 30 };
  const report = {
    name: `${calls} calls`,
    calls,
    counters: { ...newCounters(), lost: 1 },
    unexpected: 0,
    distributions: { turnaround: times, response: times, connect: times, barge: times, lag: times },
    scenarios: {},
    troubles: {},
    thresholds: [],
    generator: { busiestCores: 0.5, cores: 0.5 },
    serverUsPerPacket: us,
    void: [],
  };
  return { name, calls, report, residentBytes: 100 * 2 ** 20 };
}

describe('the report', () => {
  const rounds = [
    ...[round('floor', 100, 10, 1), round('gateway', 100, 30, 4)],
    ...[round('floor', 2_000, 5, 1), round('gateway', 2_000, 9, 4)],
    ...[round('floor', 2_000, 10, 1), round('gateway', 2_000, 30, 12)],
    ...[round('floor', 2_000, 5, 1), round('gateway', 2_000, 8, 3)],
  ];
  const rows = benchRows(rounds, 10);

  it('takes medians over the rounds and ratios within one, and sums what was lost', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(rows.map(({ name, calls }) => [name, calls])).toEqual([
      ...[
        ['floor', 100],
        ['gateway', 100],
        ['floor', 2_000],
        ['gateway', 2_000],
      ],
    ]);
    expect(rows.at(-1)).toMatchObject({
      packetsPerSecond: 25_000,
      cpuUsPerPacket: 9,
      ratio: 1.8,
      p50: 1,
      p99: 4,
      lost: 3,
      residentMb: 100,
    });
  });

  it('prints figures beside what they are to be', () => {
    const text = benchText({
      machine: { cpu: 'Test CPU', cores: 2, node: 'v20.0.0' },
      rounds: 3,
      seconds: 10,
      rows,
      memory: { from: 500, to: 1_500, kbPerCall: 25.6 },
      budgets,
    });
    expect(text).toMatch(/Test CPU, 2 cores, Node v20.0.0/);
    expect(text).toMatch(/gateway +25000 +9.0 +1.80 +1.0 +4.0/);
    expect(text).toMatch(/gateway at 2000 calls: 1.80 × the floor's CPU \(≤ 1.6: MISSED\), 3 lost/);
    expect(text).toMatch(/CPU per packet at 100 calls 30.0 µs, at 2000 9.0 \(not above: holds\)/);
    expect(text).toMatch(/memory per call, 500 to 1500 calls: 25.6 KB \(≤ 20: MISSED\)/);
  });

  it('says where the generator was the limit in most rounds', () => {
    const busy = (one: RoundResult): RoundResult => ({
      ...one,
      report: { ...one.report, void: ['too busy'] },
    });
    const gateway = () => round('gateway', 100, 30, 4);
    const rowOf = (...of: RoundResult[]) => benchRows(of, 10)[0]!;
    expect(rowOf(gateway(), gateway(), busy(gateway())).isVoid).toBe(false);
    expect(rowOf(gateway(), busy(gateway()), busy(gateway())).isVoid).toBe(true);
  });
});

const builtBench = fileURLToPath(new URL('../../dist/load/bench.js', import.meta.url));
const builtGateway = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));

/** Command lines of the processes that this one has started out of `dist`. */
function childrenOfOurs(): string[] {
  const table = execFileSync('ps', ['-A', '-o', 'ppid=,args='], { encoding: 'utf8' });
  const isOurs = (line: string): boolean =>
    line.trim().startsWith(`${process.pid} `) && line.includes('/dist/');
  return table.split('\n').filter(isOurs);
}

describe.skipIf(!existsSync(builtBench) || !existsSync(builtGateway))('the built bench', () => {
  it('measures floor, gateway and the plain program, and leaves no process behind', async () => {
    const built: typeof import('../../load/bench.js') = await import(
      pathToFileURL(builtBench).href
    );
    const listeners = process.listenerCount('SIGINT');
    const during: string[] = [];
    const report = await built.bench({
      onProgress: () => setTimeout(() => during.push(...childrenOfOurs()), 2_500),
      contestants: contestants.filter(({ name }) =>
        ['floor', 'gateway', 'plain', 'gateway TLS'].includes(name),
      ),
      calls: [60],
      seconds: 1,
      rounds: 1,
      threads: 1,
      memory: undefined,
    });
    expect(report.rows.map(({ name }) => name)).toEqual([
      ...['floor', 'gateway', 'plain', 'gateway TLS'],
    ]);
    for (const row of report.rows) {
      expect(row).toMatchObject({ calls: 60, lost: 0, broken: 0 });
      expect(row.packetsPerSecond).toBeGreaterThan(100);
      expect(row.cpuUsPerPacket).toBeGreaterThan(0);
    }
    expect(during.some((line) => line.includes('plain.js'))).toBe(true);
    expect(childrenOfOurs()).toEqual([]);
    expect(process.listenerCount('SIGINT')).toBe(listeners);
  }, 60_000);
});
