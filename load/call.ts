import { randomUUID } from 'node:crypto';
import { writeWav } from '../src/codec/wav.js';
import { GatewayError } from '../src/errors.js';
import type { Fields, SignedMethod } from '../src/plivo/signature.js';
import { type CallSummary, summarize } from './call-summary.js';
import { Caller } from './caller.js';
import type { CallerOptions, CallOutcome, TimedDigit } from './caller-options.js';
import { PlivoApi, type PlivoCredentials } from './plivo-api.js';
import { readCapture } from './replay/read-capture.js';
import type { Direction } from './round/call-fields.js';
import { Round, type RoundOptions } from './round/round.js';
import { speechSamples } from './speech.js';
import {
  prepareSpeech,
  type Speech,
  type StreamFormatName,
  streamFormats,
} from './stream-format.js';

export const callDefaults = {
  url: 'ws://127.0.0.1:8080/stream',
  format: 'mulaw8',
  apiPort: 9_465,
  accountId: 'MAEXAMPLE0000000000A',
  dtmfAtMs: 2_000,
  dtmfGapMs: 1_000,
  /** Of the webhooks; the stream URL gets none by default. */
  from: '15551230000',
  to: '15557650000',
} as const;

/** As Plivo tries a stream that does not connect: twice more (protocol section 7.2). */
const connectRetries = 2;

/** Plivo's webhooks around a call. */
export interface AnswerOptions {
  readonly url: string;
  /** Default: POST. */
  readonly method?: SignedMethod;
  /** Default: the answer URL with its last path segment replaced by `hangup`. */
  readonly hangupUrl?: string;
  /** Default: inbound. */
  readonly direction?: Direction;
  /** `X-PH-name` and value, as a SIP endpoint sends them. */
  readonly sipHeaders?: Fields;
}

/** One simulated call. What is left out takes its value from `callDefaults`. */
export interface CallOptions {
  readonly url?: string;
  /** What the caller says; without it a built-in, speech-like signal of three seconds. */
  readonly wavPath?: string;
  /** A capture whose caller speaks, in place of `wavPath`, `dtmf`, `format` and `extraHeaders`. */
  readonly replayPath?: string;
  /** Where to write what the caller heard. */
  readonly outPath?: string;
  readonly format?: StreamFormatName;
  /** Keys to press, over `0-9 * # A-D`. */
  readonly dtmf?: string;
  /** When the first key is pressed, and how long after it each next one. */
  readonly dtmfAtMs?: number;
  readonly dtmfGapMs?: number;
  /** A REST stand-in that already listens, and is left open; without it the call opens its own. */
  readonly api?: PlivoApi;
  readonly apiPort?: number;
  readonly accountId?: string;
  /**
   * The account's auth token: webhooks and upgrades are signed with it, and the own REST stand-in takes this account and
   * token only.
   */
  readonly authToken?: string;
  /** The call begins with this webhook, and connects to where its answer says, in place of `url`. */
  readonly answer?: AnswerOptions;
  readonly from?: string;
  readonly to?: string;
  readonly extraHeaders?: string;
  readonly timeLimitMs?: number;
  /** Hands out the caller of each stream once it has been made, to watch it or to hang up. */
  readonly onCaller?: (caller: Caller, apiUrl: string) => void;
}

/** Makes one call from start to end. Throws only for what was wrong before it began. */
export async function call(asked: CallOptions): Promise<CallSummary> {
  const { replayPath } = asked;
  const replay = replayPath === undefined ? undefined : await readCapture(replayPath);
  const options = replay === undefined ? asked : { ...asked, ...replay };
  const speech =
    replay?.speech ?? (await speechFor(options, options.format ?? callDefaults.format));
  const digits = replay?.digits ?? timedDigits(options);
  if (options.outPath !== undefined) await saveWav(options.outPath, new Int16Array(), speech);
  const api = options.api ?? (await openApi(options));
  try {
    const { answer } = options;
    return answer === undefined
      ? await callStream(api, options, { speech, digits })
      : await callByAnswer(api, options, answer, { speech, digits });
  } finally {
    if (options.api === undefined) await api.close();
  }
}

/** What the caller does, whatever the stream. */
interface Part {
  readonly speech: Speech;
  readonly digits: readonly TimedDigit[];
}

async function callStream(api: PlivoApi, options: CallOptions, part: Part): Promise<CallSummary> {
  const { url = callDefaults.url, from, to, extraHeaders } = options;
  const caller = new Caller({
    ...callerOptions(options, part),
    url,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(extraHeaders === undefined ? {} : { extraHeaders }),
  });
  api.add(caller.callId, {
    hangUp: () => caller.hangUpByGateway(),
    transfer: (target) => caller.transferByGateway(target),
  });
  options.onCaller?.(caller, api.url);
  const outcome = await caller.run();
  api.remove(caller.callId);
  await saveHeard(options, caller, outcome);
  const violations = [...caller.violations.list(), ...api.violations.list()];
  return summarize(caller, outcome, violations, null);
}

async function callByAnswer(
  api: PlivoApi,
  options: CallOptions,
  answer: AnswerOptions,
  part: Part,
): Promise<CallSummary> {
  const { accountId = callDefaults.accountId, from = callDefaults.from } = options;
  const { direction = 'inbound', sipHeaders = [] } = answer;
  const to = options.to ?? callDefaults.to;
  const callId = randomUUID();
  const common = { ...callerOptions(options, part), callId };
  const callerFor: RoundOptions['callerFor'] = async (stream, onStart, note) => {
    const { format = callDefaults.format } = stream;
    if (options.format !== undefined && options.format !== format) {
      note(`the stream is ${options.format} as told, not ${format} as its contentType says`);
    }
    const { timeoutMs } = stream;
    const caller = new Caller({
      ...common,
      url: stream.url,
      speech:
        options.replayPath === undefined
          ? await speechFor(options, options.format ?? format)
          : part.speech,
      extraHeaders: stream.extraHeaders,
      retries: connectRetries,
      isOneWay: !stream.isBidirectional,
      onStart,
      ...(timeoutMs === undefined ? {} : { streamTimeoutMs: timeoutMs }),
    });
    options.onCaller?.(caller, api.url);
    return caller;
  };
  const round = new Round({
    facts: { callId, accountId, from, to, direction, sipHeaders },
    answerUrl: answer.url,
    answerMethod: answer.method ?? 'POST',
    hangupUrl: answer.hangupUrl ?? hangupUrlBeside(answer.url),
    authToken: options.authToken,
    callerFor,
  });
  api.add(callId, round);
  const { summary, streams } = await round.run();
  api.remove(callId);
  const last = streams.at(-1) ?? {
    caller: new Caller({ ...common, url: '', streamId: '' }),
    outcome: withoutStream,
  };
  await saveHeard(options, last.caller, last.outcome);
  const violations = [...round.violations.list(), ...api.violations.list()];
  return summarize(last.caller, last.outcome, violations, summary);
}

const withoutStream: CallOutcome = {
  endReason: 'no-stream',
  endDetail: null,
  closeCode: null,
  hungUpByGateway: false,
  transferredTo: null,
  startMs: 0,
  endMs: 0,
};

/** The answer URL with its last path segment replaced. */
function hangupUrlBeside(answerUrl: string): string {
  const url = new URL(answerUrl);
  url.pathname = url.pathname.replace(/[^/]*\/?$/, 'hangup');
  return url.href;
}

function callerOptions(options: CallOptions, part: Part): Omit<CallerOptions, 'url'> {
  const { accountId = callDefaults.accountId, authToken, timeLimitMs } = options;
  return {
    ...part,
    accountId,
    ...(authToken === undefined ? {} : { authToken }),
    ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
  };
}

async function speechFor(options: CallOptions, name: StreamFormatName): Promise<Speech> {
  const format = streamFormats[name];
  return prepareSpeech(await speechSamples(options.wavPath, format), format);
}

async function saveHeard(
  { outPath }: CallOptions,
  { ear, speech }: Caller,
  { startMs, endMs }: CallOutcome,
): Promise<void> {
  if (outPath === undefined) return;
  const span = { fromMs: startMs, untilMs: endMs, rateHz: speech.format.rateHz };
  await saveWav(outPath, ear.heard.timeline(ear.playout.runs(), span), speech);
}

function timedDigits(options: CallOptions): TimedDigit[] {
  const {
    dtmf = '',
    dtmfAtMs = callDefaults.dtmfAtMs,
    dtmfGapMs = callDefaults.dtmfGapMs,
  } = options;
  if (!/^[0-9*#A-D]*$/.test(dtmf)) {
    throw new GatewayError('BAD_ARGUMENT', `the digits "${dtmf}" go beyond 0-9 * # A-D`);
  }
  return [...dtmf].map((digit, i) => ({ digit, atMs: dtmfAtMs + i * dtmfGapMs }));
}

/** Done once before the call as well: a file that cannot be written is better known at once. */
async function saveWav(path: string, samples: Int16Array, speech: Speech): Promise<void> {
  try {
    await writeWav(path, { rateHz: speech.format.rateHz, samples });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new GatewayError('BAD_ARGUMENT', `cannot write ${path}: ${code}`, { cause: error });
  }
}

async function openApi(options: CallOptions): Promise<PlivoApi> {
  const { accountId = callDefaults.accountId, authToken } = options;
  const credentials: PlivoCredentials | null =
    authToken === undefined ? null : { authId: accountId, authToken };
  const api = new PlivoApi(credentials);
  await api.listen(options.apiPort ?? callDefaults.apiPort);
  return api;
}
