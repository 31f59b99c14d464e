import { writeWav } from '../src/codec/wav.js';
import { GatewayError } from '../src/errors.js';
import { type CallSummary, summarize } from './call-summary.js';
import { Caller } from './caller.js';
import type { TimedDigit } from './caller-options.js';
import { PlivoApi, type PlivoCredentials } from './plivo-api.js';
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
} as const;

/** One simulated call. What is left out takes its value from `callDefaults`. */
export interface CallOptions {
  readonly url?: string;
  /** What the caller says; without it a built-in, speech-like signal of three seconds. */
  readonly wavPath?: string;
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
  /** With it, the own REST stand-in takes this account and token only. */
  readonly authToken?: string;
  readonly from?: string;
  readonly to?: string;
  readonly extraHeaders?: string;
  readonly timeLimitMs?: number;
  /** Hands out the caller once it has been made, to watch it or to hang up. */
  readonly onCaller?: (caller: Caller, apiUrl: string) => void;
}

/** Makes one call from start to end. Throws only for what was wrong before it began. */
export async function call(options: CallOptions): Promise<CallSummary> {
  const speech = await speechFor(options);
  const digits = timedDigits(options);
  if (options.outPath !== undefined) await saveWav(options.outPath, new Int16Array(), speech);
  const api = options.api ?? (await openApi(options));
  try {
    return await callThrough(api, options, speech, digits);
  } finally {
    if (options.api === undefined) await api.close();
  }
}

async function callThrough(
  api: PlivoApi,
  options: CallOptions,
  speech: Speech,
  digits: readonly TimedDigit[],
): Promise<CallSummary> {
  const url = options.url ?? callDefaults.url;
  const { accountId = callDefaults.accountId, from, to, extraHeaders, timeLimitMs } = options;
  const caller = new Caller({
    url,
    speech,
    digits,
    accountId,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(extraHeaders === undefined ? {} : { extraHeaders }),
    ...(timeLimitMs === undefined ? {} : { timeLimitMs }),
  });
  api.add(caller.callId, {
    hangUp: () => caller.hangUpByGateway(),
    transfer: (target) => caller.transferByGateway(target),
  });
  options.onCaller?.(caller, api.url);
  const outcome = await caller.run();
  api.remove(caller.callId);
  if (options.outPath !== undefined) {
    const span = { fromMs: outcome.startMs, untilMs: outcome.endMs, rateHz: speech.format.rateHz };
    const heard = caller.ear.heard.timeline(caller.ear.playout.runs(), span);
    await saveWav(options.outPath, heard, speech);
  }
  return summarize(caller, outcome, url, speech, api.violations.list());
}

async function speechFor(options: CallOptions): Promise<Speech> {
  const format = streamFormats[options.format ?? callDefaults.format];
  return prepareSpeech(await speechSamples(options.wavPath, format), format);
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
