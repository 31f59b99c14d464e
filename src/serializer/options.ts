import { GatewayError } from '../errors.js';
import { audioRates, isAudioRate } from '../limits.js';
import { type Encoding, formatRates, type MediaFormat, type Track } from '../plivo/messages.js';

/** Every default is Pipecat's where Pipecat has the parameter. Rates in Hz. */
export interface PlivoSerializerParams {
  /**
   * Rate of the stream: 8000 for µ-law; 8000, 16000 or 24000 for L16. Default 8000. A `start`
   * message wins.
   */
  readonly plivoSampleRate?: number | undefined;
  /** Encoding of the stream. Default `mulaw`. A `start` message wins. */
  readonly encoding?: Encoding | undefined;
  /** Rate of the audio that the application hears. Default: what `setup` says, else 16000. */
  readonly sampleRate?: number | undefined;
  /**
   * Which track the application hears, named as in Plivo's `<Stream>`. Default `inbound`, the
   * caller.
   */
  readonly audioTrack?: Track | 'both' | undefined;
  /** Hangs up the call on EndFrame and CancelFrame. Default true. */
  readonly autoHangUp?: boolean | undefined;
  /** Sends no transport message whose `label` is `rtvi-ai`. Default true. */
  readonly ignoreRtviMessages?: boolean | undefined;
  /**
   * Silence at the caller's ear, in seconds, after which new audio is a new utterance that nothing
   * old may lead. Default 0.2; null: never.
   */
  readonly resamplerClearAfterSecs?: number | null | undefined;
  /** Plivo's REST API. Default `https://api.plivo.com`. */
  readonly apiUrl?: string | undefined;
}

/** `{ ...start, authId, authToken }` is one, where `start` comes from `parseStart`. */
export interface PlivoFrameSerializerOptions {
  readonly streamId: string;
  /** Needed for the automatic hang-up, with the two below. */
  readonly callId?: string | undefined;
  readonly authId?: string | undefined;
  readonly authToken?: string | undefined;
  /**
   * What a `start` message announced; goes before `params.encoding` and `params.plivoSampleRate`.
   */
  readonly format?: MediaFormat | undefined;
  readonly params?: PlivoSerializerParams | undefined;
}

/** What is needed to hang up one call. */
export interface HangupOrder {
  readonly apiUrl: string;
  readonly authId: string;
  readonly authToken: string;
  readonly callId: string;
}

/** Options checked and completed. */
export interface Settings {
  readonly streamId: string;
  readonly format: MediaFormat;
  readonly sampleRate: number | undefined;
  readonly tracks: { readonly [track in Track]: boolean };
  readonly ignoreRtviMessages: boolean;
  readonly clearAfterMs: number;
  /** Absent: no automatic hang-up. */
  readonly hangup: HangupOrder | undefined;
}

const plivoApiUrl = 'https://api.plivo.com';
/** @throws GatewayError BAD_ARGUMENT, UNSUPPORTED_RATE, MISSING_CREDENTIALS */
export function settle(options: PlivoFrameSerializerOptions): Settings {
  const streamId = options?.streamId;
  const params = options?.params ?? {};
  const { sampleRate, audioTrack = 'inbound', resamplerClearAfterSecs = 0.2 } = params;
  if (typeof streamId !== 'string' || streamId === '') throw bad('streamId must be a text');
  if (!['inbound', 'outbound', 'both'].includes(audioTrack)) {
    throw bad(`params.audioTrack ${shown(audioTrack)} is not one of inbound, outbound, both`);
  }
  if (resamplerClearAfterSecs !== null && !(resamplerClearAfterSecs >= 0)) {
    throw bad('params.resamplerClearAfterSecs must be 0 or more, or null');
  }
  if (sampleRate !== undefined) assertAudioRate('params.sampleRate', sampleRate);
  const { encoding = 'mulaw', plivoSampleRate = 8_000 } = params;
  const format = options.format ?? { encoding, sampleRate: plivoSampleRate };
  assertFormat(format);
  return {
    streamId,
    format,
    sampleRate,
    tracks: { inbound: audioTrack !== 'outbound', outbound: audioTrack !== 'inbound' },
    ignoreRtviMessages: params.ignoreRtviMessages ?? true,
    clearAfterMs:
      resamplerClearAfterSecs === null ? Number.POSITIVE_INFINITY : resamplerClearAfterSecs * 1_000,
    hangup: (params.autoHangUp ?? true) ? hangupOrder(options, params) : undefined,
  };
}

/** @throws GatewayError UNSUPPORTED_RATE */
export function assertAudioRate(name: string, rate: number): void {
  if (!isAudioRate(rate)) throw unsupported(name, rate, audioRates);
}

function assertFormat({ encoding, sampleRate }: MediaFormat): void {
  const rates = Object.hasOwn(formatRates, encoding) ? formatRates[encoding] : undefined;
  if (rates === undefined) throw bad(`encoding ${shown(encoding)} is not one of mulaw, l16`);
  if (!rates.includes(sampleRate)) throw unsupported(`${encoding} at`, sampleRate, rates);
}

function hangupOrder(
  { callId, authId, authToken }: PlivoFrameSerializerOptions,
  { apiUrl = plivoApiUrl }: PlivoSerializerParams,
): HangupOrder {
  const given = { callId, authId, authToken };
  const missing = Object.entries(given).flatMap(([name, value]) => (value ? [] : [name]));
  if (!callId || !authId || !authToken) {
    throw new GatewayError(
      'MISSING_CREDENTIALS',
      `the automatic hang-up needs ${missing.join(', ')}: ` +
        `pass ${missing.length > 1 ? 'them' : 'it'}, or set params.autoHangUp to false`,
    );
  }
  if (!URL.canParse(apiUrl) || !/^https?:/i.test(apiUrl)) {
    throw bad(`params.apiUrl ${shown(apiUrl)} is not an http or https URL`);
  }
  return { apiUrl, authId, authToken, callId };
}

function unsupported(name: string, rate: number, rates: readonly number[]): GatewayError {
  const list = rates.join(', ');
  return new GatewayError('UNSUPPORTED_RATE', `${name} ${shown(rate)} Hz is not one of ${list}`);
}

function bad(message: string): GatewayError {
  return new GatewayError('BAD_ARGUMENT', message);
}

function shown(value: unknown): string {
  return String(value).slice(0, 80);
}
