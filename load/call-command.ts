import { Command, InvalidArgumentError, Option } from 'commander';
import { errorText, GatewayError } from '../src/errors.js';
import { type CallOptions, call, callDefaults } from './call.js';
import { isGood, summaryText } from './call-summary.js';
import type { Caller } from './caller.js';
import { type StreamFormatName, streamFormatNames } from './stream-format.js';

/** Where a command prints; the process's own streams unless a test wants to see. */
export interface Console {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

export interface RunCallOptions extends CallOptions {
  readonly json?: boolean;
}

const terminalIntervalMs = 200;
const plainIntervalMs = 5_000;

/** Makes one call, shows it while it runs, prints what it came to, returns the exit code. */
export async function runCall(options: RunCallOptions, to: Console = process): Promise<number> {
  let stopShowing = (): void => {};
  const onCaller = (caller: Caller, apiUrl: string): void => {
    options.onCaller?.(caller, apiUrl);
    if (options.json === true) return;
    const url = options.url ?? callDefaults.url;
    to.stderr.write(`calling ${url}; the stand-in for Plivo's REST API is ${apiUrl}\n`);
    stopShowing = showProgress(caller, to.stderr);
  };
  try {
    const summary = await call({ ...options, onCaller });
    stopShowing();
    to.stdout.write(options.json === true ? `${JSON.stringify(summary)}\n` : summaryText(summary));
    return isGood(summary) ? 0 : 1;
  } catch (error) {
    stopShowing();
    const isApiPort = error instanceof GatewayError && error.code === 'LISTEN';
    const hint = isApiPort ? '; choose another for the REST stand-in with --api-port' : '';
    to.stderr.write(`error: ${errorText(error)}${hint}\n`);
    return 1;
  }
}

/** One line that is written over on a terminal, a line every few seconds elsewhere. */
function showProgress(caller: Caller, stderr: Console['stderr']): () => void {
  const isTerminal = stderr.isTTY === true;
  const show = (): void => {
    const line = progressLine(caller);
    stderr.write(isTerminal ? `\r\x1b[K${line}` : `${line}\n`);
  };
  const timer = setInterval(show, isTerminal ? terminalIntervalMs : plainIntervalMs);
  return () => {
    clearInterval(timer);
    if (isTerminal) stderr.write('\r\x1b[K');
  };
}

function progressLine(caller: Caller): string {
  const { ear, voice } = caller;
  const elapsed = (caller.elapsedMs / 1_000).toFixed(1);
  const leadMs = ear.playout.leadMs(performance.now()).toFixed(0);
  const heard = `heard ${ear.counts.playAudioReceived}`;
  return `${elapsed} s  sent ${voice.mediaSent}  ${heard}  lead ${leadMs} ms`;
}

function port(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 86_400) return value;
  throw new InvalidArgumentError('It must be a number of seconds from 0 to 86400.');
}

function digits(text: string): string {
  if (/^[0-9*#A-D]+$/.test(text)) return text;
  throw new InvalidArgumentError('Digits are 0-9 * # A-D.');
}

function streamUrl(text: string): string {
  if (/^wss?:\/\//.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError('It must begin with ws:// or wss://.');
}

interface CallFlags {
  readonly url: string;
  readonly format: StreamFormatName;
  readonly wav?: string;
  readonly out?: string;
  readonly dtmf?: string;
  readonly dtmfAt: number;
  readonly dtmfGap: number;
  readonly apiPort: number;
  readonly account: string;
  readonly token?: string;
  readonly from?: string;
  readonly to?: string;
  readonly headers?: string;
  readonly timeout?: number;
  readonly json?: true;
}

function optionsOf(flags: CallFlags): RunCallOptions {
  const { wav, out, dtmf, token, from, to, headers, timeout, json } = flags;
  return {
    url: flags.url,
    format: flags.format,
    dtmfAtMs: flags.dtmfAt * 1_000,
    dtmfGapMs: flags.dtmfGap * 1_000,
    apiPort: flags.apiPort,
    accountId: flags.account,
    ...(wav === undefined ? {} : { wavPath: wav }),
    ...(out === undefined ? {} : { outPath: out }),
    ...(dtmf === undefined ? {} : { dtmf }),
    ...(token === undefined ? {} : { authToken: token }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(headers === undefined ? {} : { extraHeaders: headers }),
    ...(timeout === undefined ? {} : { timeLimitMs: timeout * 1_000 }),
    ...(json === undefined ? {} : { json }),
  };
}

/** Ctrl-C hangs up; the summary still follows. */
async function runUntilInterrupted(options: RunCallOptions): Promise<number> {
  let hangUp = (): void => {};
  const onInterrupt = (): void => hangUp();
  process.once('SIGINT', onInterrupt);
  try {
    return await runCall({
      ...options,
      onCaller: (caller) => {
        hangUp = () => caller.hangUp();
      },
    });
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** The sub-command `call`. */
export function callCommand(): Command {
  const command = new Command('call');
  command.description('make one simulated Plivo call and judge what the gateway does with it');
  command.option('--wav <file>', 'what the caller says (default: three seconds of test signal)');
  command.option('--out <file>', 'write what the caller heard, as 16-bit WAV at the stream rate');
  command.option('--url <url>', 'stream URL of the gateway', streamUrl, callDefaults.url);
  command.addOption(
    new Option('--format <format>', 'stream format')
      .choices(streamFormatNames)
      .default(callDefaults.format),
  );
  const atSeconds = callDefaults.dtmfAtMs / 1_000;
  const gapSeconds = callDefaults.dtmfGapMs / 1_000;
  command.option('--dtmf <digits>', 'keys to press, over 0-9 * # A-D', digits);
  command.option('--dtmf-at <s>', 'when the first key is pressed', seconds, atSeconds);
  command.option('--dtmf-gap <s>', 'time between two keys', seconds, gapSeconds);
  command.option('--from <number>', "caller's number, added to the URL's query");
  command.option('--to <number>', "callee's number, added to the URL's query");
  command.option('--headers <text>', 'extra headers of the stream, e.g. "tenant=acme;plan=gold"');
  const apiHelp = "port of the stand-in for Plivo's REST API on 127.0.0.1; 0 takes a free one";
  command.option('--api-port <port>', apiHelp, port, callDefaults.apiPort);
  command.option('--account <id>', 'Plivo account id in `start`', callDefaults.accountId);
  command.option('--token <token>', 'accept REST requests with this account and token only');
  command.option('--timeout <s>', 'longest call (default: the speech and a minute)', seconds);
  command.option('--json', 'print the summary as one line of JSON, and nothing else');
  command.action(async (flags: CallFlags) => {
    process.exitCode = await runUntilInterrupted(optionsOf(flags));
  });
  return command;
}
