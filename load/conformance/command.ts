import { Command } from 'commander';
import { errorText } from '../../src/errors.js';
import { callDefaults } from '../call.js';
import { durationMs, notEmpty, webSocketUrl } from '../flags.js';
import { Probe } from './probe.js';
import { type Ground, type Rule, rules } from './rules.js';

export interface RuleResult {
  readonly name: string;
  readonly section: string;
  readonly text: string;
  readonly honoured: boolean;
  /** What the server did instead; null if it honours the rule. */
  readonly detail: string | null;
}

export interface ConformanceOptions {
  readonly url: string;
  readonly insecure: boolean;
  /** Upgrades are signed with it. */
  readonly authToken?: string | undefined;
  readonly patienceMs: number;
  readonly onResult?: (result: RuleResult) => void;
}

/** No rule takes longer. */
const ruleMsMax = 60_000;

/** Plays the protocol against a server, one rule after the other. */
export async function conformance(options: ConformanceOptions): Promise<RuleResult[]> {
  const { url, insecure, authToken, patienceMs } = options;
  const ground: Ground = {
    patienceMs,
    open: (more) => Probe.open({ url, insecure, authToken, format: 'mulaw8', ...more }),
  };
  const results: RuleResult[] = [];
  for (const rule of rules) {
    const result = await judged(rule, ground);
    results.push(result);
    options.onResult?.(result);
  }
  return results;
}

async function judged({ check, ...rule }: Rule, ground: Ground): Promise<RuleResult> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('it came to no end'), ruleMsMax);
  });
  const detail = await Promise.race([check(ground).catch(errorText), tooLong]);
  clearTimeout(timer);
  return { ...rule, honoured: detail === null, detail };
}

interface ConformanceFlags {
  readonly url: string;
  readonly insecure?: true;
  readonly token?: string;
  readonly patience: number;
  readonly json?: true;
}

function line({ name, section, text, honoured, detail }: RuleResult): string {
  const mark = honoured ? 'ok    ' : 'BROKEN';
  const place = `§${section}`.padEnd(5);
  const why = detail === null ? '' : `: ${detail}`;
  return `${mark} ${place} ${name.padEnd(20)} ${text}${why}\n`;
}

async function run({ url, insecure, token, patience, json }: ConformanceFlags): Promise<number> {
  const results = await conformance({
    url,
    insecure: insecure === true,
    authToken: token,
    patienceMs: patience,
    onResult: (result) => {
      if (json !== true) process.stdout.write(line(result));
    },
  });
  const broken = results.filter(({ honoured }) => !honoured).length;
  if (json === true) process.stdout.write(`${JSON.stringify({ url, results })}\n`);
  else process.stdout.write(`${results.length - broken} honoured, ${broken} broken\n`);
  return broken === 0 ? 0 : 1;
}

/** The sub-command `conformance`. */
export function conformanceCommand(): Command {
  return new Command('conformance')
    .description(
      "play Plivo's protocol against a server and say, rule by rule, what it honours; exits 1 if it breaks one. The " +
        'application behind it has to answer speech with speech, as an echo does',
    )
    .option('--url <url>', 'stream URL, ws or wss', webSocketUrl, callDefaults.url)
    .option('--insecure', 'take any certificate')
    .option('--token <token>', "the account's auth token: signs upgrades", notEmpty)
    .option('--patience <time>', 'how long the application may take to speak', durationMs, 3_000)
    .option('--json', 'print the results as one line of JSON')
    .action(async (flags: ConformanceFlags) => {
      process.exitCode = await run(flags);
    });
}
