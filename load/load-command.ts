import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { errorText, GatewayError } from '../src/errors.js';
import { callDefaults } from './call.js';
import { durationMs, notEmpty, perSecond, webSocketUrl, webUrl, wholeNumber } from './flags.js';
import { type ScenarioName, scenarioNames, scenarios } from './generator/scenarios.js';
import { LiveTable } from './run/live.js';
import type { CallLength, LoadOptions, Profile, Target } from './run/options.js';
import { loadPage } from './run/page.js';
import { exitCodeOf, type LoadReport } from './run/report.js';
import { LoadRun } from './run/run.js';
import { loadSummary, paintFor } from './run/summary.js';
import { parseThreshold, type Threshold } from './run/thresholds.js';
import { type StreamFormatName, streamFormatNames } from './stream-format.js';

interface LoadFlags {
  readonly url: string;
  readonly spawn?: true;
  readonly config?: string;
  readonly answerUrl?: string;
  readonly hangupUrl?: string;
  readonly token?: string;
  readonly insecure?: true;
  readonly calls: number;
  readonly cps?: number;
  readonly steps?: readonly number[];
  readonly hold?: number;
  readonly ramp: number;
  readonly duration: number;
  readonly length?: CallLength;
  readonly scenario: ReadonlyMap<ScenarioName, number>;
  readonly format: StreamFormatName;
  readonly wav?: string;
  readonly account: string;
  readonly headers: string;
  readonly echo: boolean;
  readonly threads: number;
  readonly seed: number;
  readonly threshold: readonly Threshold[];
  readonly apiPort: number | 'off';
  readonly serverPid?: number;
  readonly json?: string;
  readonly html?: string;
}

const callsMax = 50_000;
/** A thread carries more than this on most machines, but not with room to spare. */
const callsPerThread = 1_000;
const stepObjectives = ['lost==0', 'failed==0', 'unexpected==0', 'turnaround_p99<50ms'];
/** There are no turnarounds of an application that speaks by itself. */
const stepObjectivesNoEcho = ['failed==0', 'unexpected==0', 'answered>0'];

function steps(text: string): readonly number[] {
  return text.split(',').map((part) => wholeNumber(1, callsMax)(part.trim()));
}

/** `dtmf`, or `conversation=8,jitter=1,malformed=1`. */
function scenarioWeights(text: string): ReadonlyMap<ScenarioName, number> {
  const weights = new Map<ScenarioName, number>();
  for (const part of text.split(',')) {
    const [name = '', weight = '1'] = part.trim().split('=');
    const value = Number(weight);
    if (!(scenarioNames as string[]).includes(name)) {
      throw new InvalidArgumentError(
        `There is no ${name}; scenarios are ${scenarioNames.join(', ')}.`,
      );
    }
    if (!(value > 0)) throw new InvalidArgumentError(`The weight of ${name} must be above 0.`);
    weights.set(name as ScenarioName, value);
  }
  return weights;
}

/** `60s`, `20s-90s`, `exp:60s`. */
function callLength(text: string): CallLength {
  if (text.startsWith('exp:')) return { kind: 'exp', meanMs: durationMs(text.slice(4)) };
  const [from = '', to] = text.split('-');
  if (to === undefined) return { kind: 'fixed', ms: durationMs(from) };
  return { kind: 'uniform', fromMs: durationMs(from), toMs: durationMs(to) };
}

function threshold(text: string, others: readonly Threshold[] = []): readonly Threshold[] {
  try {
    return [...others, ...text.split(',').map(parseThreshold)];
  } catch (error) {
    throw new InvalidArgumentError(errorText(error));
  }
}

function apiPort(text: string): number | 'off' {
  return text === 'off' ? 'off' : wholeNumber(0, 65_535)(text);
}

function profileOf({ calls, cps, steps: callsOf, hold, duration }: LoadFlags): Profile {
  if (cps !== undefined) return { kind: 'arrivals', perSecond: cps, holdMs: duration };
  if (callsOf !== undefined) return { kind: 'steps', calls: callsOf, holdMs: hold ?? 30_000 };
  return { kind: 'hold', calls, holdMs: duration };
}

function targetOf(flags: LoadFlags): Target {
  const { answerUrl, hangupUrl } = flags;
  if (flags.spawn === true) return { kind: 'spawn', config: flags.config };
  if (answerUrl === undefined) return { kind: 'url', url: flags.url };
  return { kind: 'answer', answerUrl, hangupUrl };
}

const arrivalLengthMs = 60_000;

/** For as many calls threads have to be there. */
function callsAtMost(profile: Profile, { calls, length }: LoadFlags): number {
  if (profile.kind === 'steps') return Math.max(...profile.calls);
  if (profile.kind === 'hold') return calls;
  return Math.ceil((profile.perSecond * Math.min(meanMs(length), profile.holdMs)) / 1_000);
}

function meanMs(length: LoadFlags['length']): number {
  switch (length?.kind) {
    case undefined:
      return arrivalLengthMs;
    case 'exp':
      return length.meanMs;
    case 'fixed':
      return length.ms;
    case 'uniform':
      return (length.fromMs + length.toMs) / 2;
  }
}

function optionsOf(flags: LoadFlags): LoadOptions {
  const profile = profileOf(flags);
  const { scenario, format, account, headers, threads, seed } = flags;
  const most = callsAtMost(profile, flags);
  const fitting = Math.max(1, Math.min(cpus().length - 1, Math.ceil(most / callsPerThread)));
  const isSteps = profile.kind === 'steps';
  const usual = flags.echo ? stepObjectives : stepObjectivesNoEcho;
  const objectives = isSteps && flags.threshold.length === 0 ? usual : [];
  return {
    target: targetOf(flags),
    profile,
    length:
      flags.length ??
      (profile.kind === 'arrivals' ? { kind: 'exp', meanMs: arrivalLengthMs } : undefined),
    rampPerSecond: flags.ramp,
    scenarios: scenario,
    format,
    wavPath: flags.wav,
    accountId: account,
    authToken: flags.token,
    extraHeaders: headers,
    insecure: flags.insecure === true,
    isEcho: flags.echo,
    threads: threads === 0 ? fitting : threads,
    seed,
    thresholds: [...flags.threshold, ...objectives.map(parseThreshold)],
    apiPort: flags.apiPort === 'off' ? undefined : flags.apiPort,
    serverPid: flags.serverPid,
  };
}

async function runLoad(flags: LoadFlags): Promise<number> {
  const { json, html } = flags;
  for (const path of [json, html]) if (path !== undefined && path !== '-') await tryFile(path);
  const table = new LiveTable(process.stderr);
  let run: LoadRun | undefined;
  let isAsked = false;
  const onInterrupt = (signal: NodeJS.Signals): void => {
    if (isAsked) process.exit(signal === 'SIGINT' ? 130 : 143);
    isAsked = true;
    process.stderr.write('the callers hang up; once more ends at once\n');
    run?.interrupt();
  };
  // Before anything is started that would outlive us.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onInterrupt);
  try {
    run = await LoadRun.start(optionsOf(flags), {
      begun: ({ name, api }) => {
        const stands = api === undefined ? '' : `; the stand-in for Plivo's REST API is ${api.url}`;
        process.stderr.write(`loading ${name}${stands}\n`);
      },
      second: (second, stage) => table.second(second, stage),
      stage: (stage) => table.stage(stage),
    });
    if (isAsked) run.interrupt();
    const report = await run.finish();
    await writeReports(report, flags);
    return exitCodeOf(report);
  } finally {
    for (const signal of signals) process.off(signal, onInterrupt);
  }
}

/** Better known before the run than after it. */
async function tryFile(path: string): Promise<void> {
  try {
    await writeFile(path, '');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new GatewayError('BAD_ARGUMENT', `cannot write ${path}: ${code}`, { cause: error });
  }
}

async function writeReports(report: LoadReport, { json, html }: LoadFlags): Promise<void> {
  if (html !== undefined) await writeFile(html, await loadPage(report));
  if (json !== undefined && json !== '-') await writeFile(json, `${JSON.stringify(report)}\n`);
  process.stdout.write(
    json === '-' ? `${JSON.stringify(report)}\n` : loadSummary(report, paintFor(process.stdout)),
  );
}

/** The sub-command `load`. */
export function loadCommand(): Command {
  const command = new Command('load');
  command.description(
    'simulate Plivo with many calls, and measure what their callers would hear; ' +
      'exits 99 if a threshold fails (with --steps: in the first step), 1 if the run says nothing',
  );
  command.option('--url <url>', 'stream URL, ws or wss', webSocketUrl, callDefaults.url);
  command.option('--spawn', 'start a gateway of its own and load that');
  command.option('--config <file>', 'configuration of the gateway that --spawn starts');
  command.option('--answer-url <url>', 'begin each call with this answer webhook', webUrl);
  command.option('--hangup-url <url>', 'with --answer-url: told of the end of each call', webUrl);
  command.addOption(
    new Option(
      '--token <token>',
      "the account's auth token: signs upgrades and webhooks, and REST requests must bring it",
    )
      .argParser(notEmpty)
      .conflicts('spawn'),
  );
  command.option('--insecure', 'take any certificate');
  command.option('--calls <n>', 'calls at the same time', wholeNumber(1, callsMax), 100);
  command.option('--ramp <n/s>', 'new calls per second until all are up', perSecond, 50);
  command.addOption(
    new Option('--duration <time>', 'how long the calls are held')
      .argParser(durationMs)
      .default(30_000, '30s'),
  );
  command.option('--cps <n/s>', 'instead: new calls per second, by chance', perSecond);
  command.option(
    '--steps <n,n,…>',
    'instead: so many calls, then more, up to the first step that fails',
    steps,
  );
  command.option('--hold <time>', 'with --steps: how long each is held (default: 30s)', durationMs);
  command.option(
    '--length <time>',
    'of a call: 60s, 20s-90s, exp:60s (default: the run; with --cps exp:60s)',
    callLength,
  );
  command.addOption(
    new Option('--scenario <name[=weight],…>', 'what callers do (list below)')
      .argParser(scenarioWeights)
      .default(scenarioWeights('conversation'), 'conversation'),
  );
  command.addOption(
    new Option('--format <format>', 'stream format').choices(streamFormatNames).default('mulaw8'),
  );
  command.option('--wav <file>', 'what callers say (default: three seconds of test signal)');
  command.option('--no-echo', 'the application speaks by itself: count no turnarounds and losses');
  command.option('--account <id>', 'Plivo account id', callDefaults.accountId);
  command.option('--headers <text>', 'extra headers of the streams', '');
  command.option('--threads <n>', 'generator threads; 0 takes what fits', wholeNumber(0, 64), 0);
  command.option('--seed <n>', 'of everything left to chance', wholeNumber(0, 2 ** 31), 1);
  command.addOption(
    new Option('--threshold <rule>', "e.g. 'turnaround_p99<20ms'; may be repeated")
      .argParser(threshold)
      .default([], 'none'),
  );
  command.option(
    '--api-port <port>',
    "of the stand-in for Plivo's REST API; 0 takes a free one, or off",
    apiPort,
    callDefaults.apiPort,
  );
  command.option('--server-pid <pid>', 'process whose CPU time is shown', wholeNumber(1, 2 ** 22));
  command.option('--json <file>', 'write the report as JSON; - prints it');
  command.option('--html <file>', 'write the report as a page with plots');
  const width = Math.max(...scenarioNames.map(({ length }) => length));
  const list = scenarioNames.map((name) => `  ${name.padEnd(width)}  ${scenarios[name].help}`);
  command.addHelpText('after', `\nScenarios:\n${list.join('\n')}`);
  command.action(async (flags: LoadFlags) => {
    process.exitCode = await runLoad(flags);
  });
  return command;
}
