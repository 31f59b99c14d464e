import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { errorText } from '../src/errors.js';
import { withChildren } from './bench/children.js';
import { measureMemory } from './bench/memory.js';
import { type BenchReport, benchText, budgets, median, reportTarget } from './bench/report.js';
import { type RoundResult, runRound, targets } from './bench/round.js';
import { prepareSpeech, streamFormats } from './stream-format.js';
import { testSignal } from './test-signal.js';
import { readWav } from './wav.js';

export interface BenchOptions {
  readonly calls: number;
  /** Of the measured part of a round. */
  readonly seconds: number;
  /** 0 leaves the speed out. */
  readonly rounds: number;
  readonly warmUpSeconds: number;
  readonly memory: boolean;
  /** Told what is being done. */
  readonly onProgress?: (text: string) => void;
}

const memoryCallsFew = 100;
const memoryCallsMany = 500;

/** Floor and gateway in turns, with the same generator; then the gateway's memory if asked for. */
export async function bench(options: BenchOptions): Promise<BenchReport> {
  const payloads = await speechPayloads();
  const say = options.onProgress ?? (() => {});
  return withChildren(async (children) => {
    const results: RoundResult[] = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const target of targets) {
        say(`round ${round} of ${options.rounds}: ${target}, ${options.calls} calls`);
        const result = await runRound(children, target, {
          calls: options.calls,
          warmUpMs: options.warmUpSeconds * 1_000,
          measureMs: options.seconds * 1_000,
          payloads,
        });
        results.push(result);
        say(`  ${result.cpuUsPerMedia.toFixed(2)} µs CPU, p99 ${result.turnaroundMs.p99} ms`);
      }
    }
    if (options.memory) say(`memory: ${memoryCallsFew} calls, then ${memoryCallsMany}`);
    const memory = options.memory
      ? await measureMemory(children, payloads, memoryCallsFew, memoryCallsMany)
      : null;
    return {
      machine: { cpu: cpus()[0]?.model ?? '?', cores: cpus().length, node: process.version },
      rounds: options.rounds,
      seconds: options.seconds,
      floor: reportTarget(results, 'floor'),
      gateway: reportTarget(results, 'gateway'),
      cpuRatio: cpuRatioOf(results),
      memory,
      budgets,
    };
  });
}

/** Median over the rounds of each round's ratio: both sides of one round saw the same machine. */
function cpuRatioOf(results: readonly RoundResult[]): number | null {
  const costs = targets.map((target) =>
    results.filter((result) => result.target === target).map((result) => result.cpuUsPerMedia),
  );
  const [floor = [], gateway = []] = costs;
  return floor.length === 0 ? null : median(gateway.map((cost, i) => cost / (floor[i] ?? cost)));
}

/** µ-law speech of the fixture where there is one, else of the built-in signal. */
async function speechPayloads(): Promise<readonly string[]> {
  const format = streamFormats.mulaw8;
  const fixture = fileURLToPath(new URL('../../test/fixtures/speech.wav', import.meta.url));
  const samples = existsSync(fixture)
    ? (await readWav(fixture)).samples
    : testSignal(format.rateHz);
  return prepareSpeech(samples, format).payloads;
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

interface BenchFlags {
  readonly calls: number;
  readonly duration: number;
  readonly rounds: number;
  readonly warmUp: number;
  readonly memory?: true;
  readonly json?: true;
}

async function runBench(flags: BenchFlags): Promise<number> {
  try {
    const report = await bench({
      calls: flags.calls,
      seconds: flags.duration,
      rounds: flags.rounds,
      warmUpSeconds: flags.warmUp,
      memory: flags.memory === true,
      onProgress: (text) => process.stderr.write(`${text}\n`),
    });
    process.stdout.write(flags.json === true ? `${JSON.stringify(report)}\n` : benchText(report));
    const isWhole = [report.floor, report.gateway].every(
      (target) => target === null || (target.lost === 0 && target.closed === 0),
    );
    return isWhole ? 0 : 1;
  } catch (error) {
    process.stderr.write(`error: ${errorText(error)}\n`);
    return 1;
  }
}

/** The sub-command `bench`. */
export function benchCommand(): Command {
  return new Command('bench')
    .description(
      'measure the gateway beside a bare uWebSockets.js server, with the same generator; ' +
        'exits 1 if a frame was lost',
    )
    .option('--calls <n>', 'concurrent calls', wholeNumber(1, 5_000), 500)
    .option('--duration <s>', 'measured part of a round', wholeNumber(1, 3_600), 30)
    .option('--warm-up <s>', 'unmeasured part of a round', wholeNumber(0, 600), 5)
    .option('--rounds <n>', 'rounds of both; 0 leaves the speed out', wholeNumber(0, 100), 3)
    .option('--memory', 'measure resident bytes per call too (some minutes)')
    .option('--json', 'print the report as one line of JSON')
    .action(async (flags: BenchFlags) => {
      process.exitCode = await runBench(flags);
    });
}
