import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { makeCertificate } from './bench/certificate.js';
import { withChildren } from './bench/children.js';
import { memorySlope } from './bench/memory.js';
import { type BenchReport, benchRows, benchText, budgets } from './bench/report.js';
import { type RoundResult, runRound } from './bench/round.js';
import { type Contestant, contestants } from './bench/servers.js';
import { wholeNumber } from './flags.js';
import { paintFor } from './run/summary.js';

export interface BenchOptions {
  readonly contestants: readonly Contestant[];
  readonly calls: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  readonly threads: number;
  /** Measure resident memory per call between these two numbers of calls. */
  readonly memory: readonly [from: number, to: number] | undefined;
  /** Told what is being done. */
  readonly onProgress?: (text: string) => void;
}

const memoryCalls = [500, 1_500] as const;
const usualCalls = [100, 500, 1_000, 1_500, 2_000];
const upstreamCalls = [100, 500];

/** All contestants in turns, with the same generator; then the gateway's memory if asked for. */
export async function bench(options: BenchOptions): Promise<BenchReport> {
  const { seconds, rounds, threads } = options;
  const say = options.onProgress ?? (() => {});
  const wantsTls = options.contestants.some(({ isTls }) => isTls);
  const certificate = wantsTls ? await makeCertificate() : undefined;
  if (wantsTls && certificate === undefined) say('without selfsigned installed there is no TLS');
  const present = options.contestants.filter(({ isTls }) => !isTls || certificate !== undefined);
  try {
    return await withChildren(async (children) => {
      const results: RoundResult[] = [];
      for (const calls of options.calls) {
        for (let round = 1; round <= rounds; round += 1) {
          for (const contestant of present) {
            const result = await runRound(children, contestant, certificate, {
              ...{ calls, seconds, threads },
            });
            if (result === undefined) {
              if (round === 1) say(`without ${contestant.name} installed there is no row of it`);
              continue;
            }
            results.push(result);
            say(`${calls} calls, round ${round} of ${rounds}: ${progress(result)}`);
          }
        }
      }
      const { memory } = options;
      if (memory !== undefined) say(`memory: ${memory.join(', then ')} calls`);
      return {
        machine: { cpu: cpus()[0]?.model ?? '?', cores: cpus().length, node: process.version },
        rounds,
        seconds,
        rows: benchRows(results, seconds),
        memory: memory === undefined ? null : await memorySlope(children, ...memory, threads),
        budgets,
      };
    });
  } finally {
    await certificate?.remove();
  }
}

function progress({ name, report }: RoundResult): string {
  const cost = report.serverUsPerPacket?.toFixed(1) ?? '?';
  const { turnaround, lag } = report.distributions;
  return `${name}, ${cost} µs, p99 ${turnaround.p99.toFixed(1)} ms (generator late by ${lag.p99.toFixed(1)})`;
}

function sizes(text: string): readonly number[] {
  return text.split(',').map((part) => wholeNumber(1, 10_000)(part.trim()));
}

function someOf(text: string): readonly Contestant[] {
  return text.split(',').map((part) => {
    const found = contestants.find(({ name }) => name === part.trim());
    if (found !== undefined) return found;
    const names = contestants.map(({ name }) => name).join(', ');
    throw new InvalidArgumentError(`There is no "${part.trim()}"; there are ${names}.`);
  });
}

interface BenchFlags {
  readonly calls?: readonly number[];
  readonly only?: readonly Contestant[];
  readonly upstreams?: true;
  readonly duration: number;
  readonly rounds: number;
  readonly threads: number;
  readonly memory: boolean;
  readonly json?: string;
}

async function runBench(flags: BenchFlags): Promise<number> {
  const { upstreams = false, duration, rounds, threads, json } = flags;
  const { calls = upstreams ? upstreamCalls : usualCalls } = flags;
  const { only = contestants.filter(({ behind }) => (behind !== undefined) === upstreams) } = flags;
  const [floor] = contestants;
  const memory = flags.memory && !upstreams;
  const report = await bench({
    contestants: upstreams && !only.includes(floor!) ? [floor!, ...only] : only,
    calls,
    seconds: duration,
    rounds,
    threads,
    memory: memory ? memoryCalls : undefined,
    onProgress: (text) => process.stderr.write(`${text}\n`),
  });
  if (json !== undefined && json !== '-') await writeFile(json, `${JSON.stringify(report)}\n`);
  process.stdout.write(
    json === '-' ? `${JSON.stringify(report)}\n` : benchText(report, paintFor(process.stdout)),
  );
  const ours = report.rows.filter(({ name }) => /^(gateway|relay|pipecat)/.test(name));
  return ours.every(({ lost, broken }) => lost === 0 && broken === 0) ? 0 : 1;
}

/** The sub-command `bench`. */
export function benchCommand(): Command {
  return new Command('bench')
    .description(
      'measure the gateway beside a bare uWebSockets.js server and the program one would write first, in turns and with ' +
        'the same generator; exits 1 if the gateway lost a packet or a call',
    )
    .option('--calls <n,n,…>', `concurrent calls; if left out ${usualCalls}`, sizes)
    .addOption(
      new Option('--only <name,…>', contestants.map(({ name }) => name).join(', ')).argParser(
        someOf,
      ),
    )
    .option(
      '--upstreams',
      'calls that applications behind the gateway answer, and relays beside it',
    )
    .option('--duration <s>', 'measured part of a round', wholeNumber(1, 3_600), 10)
    .option('--rounds <n>', 'rounds of each', wholeNumber(1, 100), 3)
    .option('--threads <n>', 'generator threads', wholeNumber(1, 64), 1)
    .option('--no-memory', `leave out resident memory per call, ${memoryCalls.join(' to ')} calls`)
    .option('--json <file>', 'write the report as JSON; - prints it')
    .action(async (flags: BenchFlags) => {
      process.exitCode = await runBench(flags);
    });
}
