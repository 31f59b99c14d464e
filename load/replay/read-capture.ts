import { readFile } from 'node:fs/promises';
import { errorText, GatewayError } from '../../src/errors.js';
import { readMessage, type StartMessage } from '../../src/plivo/messages.js';
import type { TimedDigit } from '../caller-options.js';
import {
  type Speech,
  type StreamFormatName,
  samplesFromWire,
  streamFormatNames,
  streamFormats,
} from '../stream-format.js';

/** The caller's side of a captured call. */
export interface Replay {
  readonly format: StreamFormatName;
  readonly extraHeaders: string;
  /** What the caller said, with the pauses in which it came. */
  readonly speech: Speech;
  readonly digits: readonly TimedDigit[];
}

interface Line {
  readonly ms: number;
  readonly text: string;
}

/** A call is no longer than this many lines. */
const linesMax = 1_000_000;

/**
 * Reads a capture as `POST /api/calls/<callId>/capture` takes it.
 * @throws GatewayError BAD_ARGUMENT naming the line that is wrong
 */
export async function readCapture(path: string): Promise<Replay> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    throw new GatewayError('BAD_ARGUMENT', `cannot read the capture: ${errorText(thrown)}`);
  }
  const [first = '', ...rest] = text.split('\n', linesMax);
  const wrong = (line: number, why: string): GatewayError =>
    new GatewayError('BAD_ARGUMENT', `line ${line} of ${path} ${why}`);
  const { start, message } = startOf(first, (why) => wrong(1, why));
  const came: Line[] = [];
  for (const [index, line] of rest.entries()) {
    if (line === '') continue;
    const read = parsed(line);
    // The last line of a gateway that was killed may be cut.
    if (read === undefined && index >= rest.length - 1) break;
    if (read === undefined) throw wrong(index + 2, 'is no JSON');
    const { ms, from, text: said } = read;
    if (from !== 'plivo' || typeof said !== 'string') continue;
    if (typeof ms !== 'number') throw wrong(index + 2, 'has no time');
    came.push({ ms, text: said });
  }
  return replayOf(came, start, message, () => wrong(1, 'begins a capture in which nothing came'));
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function startOf(line: string, wrong: (why: string) => GatewayError) {
  const header = parsed(line);
  if (header?.capture !== 'plivo-gateway') throw wrong('does not begin a capture of this gateway');
  if (header.version !== 1) {
    throw wrong(`is of version ${String(header.version)}, and this is read by a newer gateway`);
  }
  const message = typeof header.start === 'string' ? header.start : '';
  const start = readMessage(message);
  if (start.event !== 'start') throw wrong('has no start message');
  return { start, message };
}

function formatOf({
  format: { encoding, sampleRate },
}: StartMessage): StreamFormatName | undefined {
  return streamFormatNames.find((name) => {
    const { encoding: known, rateHz } = streamFormats[name];
    return known === `audio/x-${encoding}` && rateHz === sampleRate;
  });
}

function replayOf(
  came: readonly Line[],
  start: StartMessage,
  startText: string,
  nothing: () => GatewayError,
): Replay {
  const name = formatOf(start);
  if (name === undefined) {
    throw new GatewayError('BAD_ARGUMENT', 'the capture is of a format that cannot be played back');
  }
  const format = streamFormats[name];
  const heard = came.map(({ ms, text }) => ({ ms, message: readMessage(text) }));
  const media = heard.flatMap(({ ms, message }) =>
    message.event === 'media' && message.track === 'inbound'
      ? [{ ms, payload: message.payload }]
      : [],
  );
  const [first] = media;
  if (first === undefined) throw nothing();
  const wire = Buffer.concat(media.map(({ payload }) => Buffer.from(payload, 'base64')));
  const whole = wire.subarray(0, wire.length - (wire.length % format.sampleBytes));
  return {
    format: name,
    extraHeaders: extraHeadersOf(startText),
    speech: {
      format,
      payloads: media.map(({ payload }) => payload),
      atMs: media.map(({ ms }) => ms - first.ms),
      samples: samplesFromWire(whole, format),
    },
    digits: heard.flatMap(({ ms, message }) =>
      message.event === 'dtmf' ? [{ digit: message.digit, atMs: Math.max(0, ms - first.ms) }] : [],
    ),
  };
}

/** As they stood in `start`. */
function extraHeadersOf(startText: string): string {
  const { extra_headers: headers } = JSON.parse(startText) as { readonly extra_headers?: unknown };
  return typeof headers === 'string' ? headers : '';
}
