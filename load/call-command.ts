import { Command, InvalidArgumentError, Option } from 'commander';
import { errorText, GatewayError } from '../src/errors.js';
import type { Fields, SignedMethod } from '../src/plivo/signature.js';
import { type AnswerOptions, type CallOptions, call, callDefaults } from './call.js';
import { isGood, summaryText } from './call-summary.js';
import type { Caller } from './caller.js';
import { notEmpty, webSocketUrl, webUrl, wholeNumber } from './flags.js';
import type { Direction } from './round/call-fields.js';
import { shownUrl } from './shown-url.js';
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
    stopShowing();
    to.stderr.write(
      `calling ${shownUrl(caller.url)}; the stand-in for Plivo's REST API is ${apiUrl}\n`,
    );
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

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 86_400) return value;
  throw new InvalidArgumentError('It must be a number of seconds from 0 to 86400.');
}

function digits(text: string): string {
  if (/^[0-9*#A-D]+$/.test(text)) return text;
  throw new InvalidArgumentError('Digits are 0-9 * # A-D.');
}

/** `X-PH-name=value` */
function sipHeader(text: string, others: Fields = []): Fields {
  const [, name, value] = /^(X-PH-[A-Za-z0-9-]+)=(.*)$/i.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [...others, [name, value]];
  throw new InvalidArgumentError('It must be like X-PH-tenant=acme.');
}

interface CallFlags {
  readonly url: string;
  readonly answerUrl?: string;
  readonly answerMethod?: SignedMethod;
  readonly hangupUrl?: string;
  readonly direction?: Direction;
  readonly sipHeader?: Fields;
  readonly format?: StreamFormatName;
  readonly wav?: string;
  readonly replay?: string;
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
  const { wav, replay, out, dtmf, token, from, to, headers, timeout, json, format } = flags;
  const answer = answerOf(flags);
  return {
    url: flags.url,
    dtmfAtMs: flags.dtmfAt * 1_000,
    dtmfGapMs: flags.dtmfGap * 1_000,
    apiPort: flags.apiPort,
    accountId: flags.account,
    ...(answer === undefined ? {} : { answer }),
    ...(format === undefined ? {} : { format }),
    ...(wav === undefined ? {} : { wavPath: wav }),
    ...(replay === undefined ? {} : { replayPath: replay }),
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

function answerOf(flags: CallFlags): AnswerOptions | undefined {
  const {
    answerUrl: url,
    answerMethod: method,
    hangupUrl,
    direction,
    sipHeader: sipHeaders,
  } = flags;
  if (url === undefined) return undefined;
  return {
    url,
    ...(method === undefined ? {} : { method }),
    ...(hangupUrl === undefined ? {} : { hangupUrl }),
    ...(direction === undefined ? {} : { direction }),
    ...(sipHeaders === undefined ? {} : { sipHeaders }),
  };
}

/** Options that say nothing without `--answer-url`. */
const answerFlags = ['answerMethod', 'hangupUrl', 'direction', 'sipHeader'] as const;

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
  command.addOption(
    new Option(
      '--replay <file>',
      'what the caller of a capture said and pressed, when he did',
    ).conflicts(['wav', 'dtmf', 'format', 'headers']),
  );
  command.option('--out <file>', 'write what the caller heard, as 16-bit WAV at the stream rate');
  command.option('--url <url>', 'stream URL of the gateway', webSocketUrl, callDefaults.url);
  command.addOption(
    new Option('--answer-url <url>', 'begin with this answer webhook, and do what its XML says')
      .argParser(webUrl)
      .conflicts(['url', 'headers']),
  );
  command.addOption(
    new Option('--answer-method <method>', 'of the answer webhook (default: POST)').choices([
      'POST',
      'GET',
    ]),
  );
  const hangupHelp = 'told of the end of the call (default: the answer URL ending in /hangup)';
  command.option('--hangup-url <url>', hangupHelp, webUrl);
  command.addOption(
    new Option('--direction <direction>', 'of the call (default: inbound)').choices([
      'inbound',
      'outbound',
    ]),
  );
  const sipHelp = 'X-PH-name=value, a header that came by SIP; may be repeated';
  command.option('--sip-header <header>', sipHelp, sipHeader);
  command.addOption(
    new Option(
      '--format <format>',
      `stream format (default: what the answer's contentType says; without an answer ${callDefaults.format})`,
    ).choices(streamFormatNames),
  );
  const atSeconds = callDefaults.dtmfAtMs / 1_000;
  const gapSeconds = callDefaults.dtmfGapMs / 1_000;
  command.option('--dtmf <digits>', 'keys to press, over 0-9 * # A-D', digits);
  command.option('--dtmf-at <s>', 'when the first key is pressed', seconds, atSeconds);
  command.option('--dtmf-gap <s>', 'time between two keys', seconds, gapSeconds);
  const numberHelp = "of the webhooks; without --answer-url added to the stream URL's query";
  command.option('--from <number>', `caller's number: ${numberHelp}`);
  command.option('--to <number>', `callee's number: ${numberHelp}`);
  command.option('--headers <text>', 'extra headers of the stream, e.g. "tenant=acme;plan=gold"');
  const apiHelp = "port of the stand-in for Plivo's REST API on 127.0.0.1; 0 takes a free one";
  command.option('--api-port <port>', apiHelp, wholeNumber(0, 65_535), callDefaults.apiPort);
  command.option('--account <id>', 'Plivo account id', callDefaults.accountId);
  command.option(
    '--token <token>',
    "the account's auth token: signs upgrade and webhooks, and REST requests must bring it",
    notEmpty,
  );
  command.option('--timeout <s>', 'longest call (default: the speech and a minute)', seconds);
  command.option('--json', 'print the summary as one line of JSON, and nothing else');
  command.action(async (flags: CallFlags) => {
    const idle = answerFlags.find((name) => flags[name] !== undefined);
    if (flags.answerUrl === undefined && idle !== undefined) {
      const option = idle.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      command.error(`error: option '--${option}' goes with '--answer-url'`);
    }
    process.exitCode = await runUntilInterrupted(optionsOf(flags));
  });
  return command;
}
