import { messageBytesMax } from '../src/limits.js';
import type { StreamFormat } from './stream-format.js';
import type { ReportViolation } from './violations.js';

/** What a gateway may say to Plivo (protocol section 3), with the payload out of its base64. */
export type GatewayMessage =
  | { readonly event: 'playAudio'; readonly audio: Uint8Array }
  | { readonly event: 'checkpoint'; readonly name: string }
  | { readonly event: 'clearAudio' }
  | { readonly event: 'sendDTMF'; readonly digits: string };

export interface StreamFacts {
  readonly streamId: string;
  readonly format: StreamFormat;
}

/** Plivo's recommended bound of a payload, in base64 characters (protocol section 3.1). */
const payloadCharsMax = 16 * 1024;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const dtmfDigits = /^[0-9*#A-D]+$/;

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A piece of what was received, short enough for a sentence. */
function shown(value: unknown): string {
  const text = typeof value === 'string' ? `"${value}"` : (JSON.stringify(value) ?? String(value));
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

/**
 * Reads one text message of the gateway and reports everything that is wrong with it. What Plivo
 * would still act upon is returned in spite of a violation; null means that it could not be used.
 */
export function readGatewayMessage(
  bytes: Uint8Array,
  stream: StreamFacts,
  report: ReportViolation,
): GatewayMessage | null {
  if (bytes.byteLength > messageBytesMax) {
    report('message-too-large', `a message of ${bytes.byteLength} bytes; Plivo takes 64 KB`);
    return null;
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    report('not-json', `a message is not JSON: ${shown(text)}`);
    return null;
  }
  if (!isObject(message)) {
    report('not-an-object', `a message is JSON but no object: ${shown(text)}`);
    return null;
  }
  return readEvent(message, stream, report);
}

function readEvent(
  message: JsonObject,
  stream: StreamFacts,
  report: ReportViolation,
): GatewayMessage | null {
  switch (message.event) {
    case 'playAudio':
      checkStreamId(message, stream, false, report);
      return readPlayAudio(message, stream.format, report);
    case 'checkpoint':
      checkStreamId(message, stream, true, report);
      return readCheckpoint(message, report);
    case 'clearAudio':
      checkStreamId(message, stream, true, report);
      return { event: 'clearAudio' };
    case 'sendDTMF':
      return readSendDtmf(message, report);
    case undefined:
      report('event-missing', `a message has no event: ${shown(message)}`);
      return null;
    default:
      report('unknown-event', `Plivo has no event ${shown(message.event)}`);
      return null;
  }
}

/** Sections 3.2 and 3.3 require `streamId`; in `playAudio` it is optional, but must be right. */
function checkStreamId(
  message: JsonObject,
  stream: StreamFacts,
  isRequired: boolean,
  report: ReportViolation,
): void {
  const streamId = message.streamId;
  if (streamId === stream.streamId) return;
  if (streamId !== undefined) {
    report('stream-id-wrong', `${message.event} names the stream ${shown(streamId)}`);
  } else if (isRequired) {
    report('stream-id-missing', `${message.event} has no streamId`);
  }
}

function readPlayAudio(
  message: JsonObject,
  format: StreamFormat,
  report: ReportViolation,
): GatewayMessage | null {
  const media = message.media;
  if (!isObject(media)) {
    report('media-missing', `playAudio without a media object: ${shown(media)}`);
    return null;
  }
  const isFormatRight = checkFormat(media, format, report);
  const audio = readPayload(media.payload, format, report);
  return isFormatRight && audio !== null ? { event: 'playAudio', audio } : null;
}

/** Content type and rate must equal the stream's, and the rate is a number (section 3.1). */
function checkFormat(media: JsonObject, format: StreamFormat, report: ReportViolation): boolean {
  const { contentType, sampleRate } = media;
  if (contentType !== format.encoding) {
    const detail = `contentType is ${shown(contentType)}, the stream's is ${format.encoding}`;
    report('content-type-wrong', detail);
    return false;
  }
  if (typeof sampleRate !== 'number') {
    report('sample-rate-not-number', `sampleRate is ${shown(sampleRate)}, not a number`);
  }
  if (Number(sampleRate) !== format.rateHz) {
    report('sample-rate-wrong', `sampleRate is ${shown(sampleRate)}, not ${format.rateHz}`);
    return false;
  }
  return true;
}

function readPayload(
  payload: unknown,
  format: StreamFormat,
  report: ReportViolation,
): Uint8Array | null {
  if (typeof payload !== 'string' || payload === '') {
    report('payload-missing', `the payload is ${shown(payload)}`);
    return null;
  }
  if (!base64.test(payload)) {
    report('payload-not-base64', `the payload is no padded base64: ${shown(payload)}`);
    return null;
  }
  if (payload.length > payloadCharsMax) {
    report('payload-too-large', `a payload of ${payload.length} characters, above 16 KB`);
  }
  const audio = Buffer.from(payload, 'base64');
  if (audio.length % format.sampleBytes !== 0) {
    report('l16-odd-bytes', `an L16 payload of ${audio.length} bytes, an odd number`);
  }
  return audio;
}

function readCheckpoint(message: JsonObject, report: ReportViolation): GatewayMessage | null {
  const name = message.name;
  if (typeof name !== 'string' || name === '') {
    report('checkpoint-name-empty', `the name of a checkpoint is ${shown(name)}`);
    return null;
  }
  return { event: 'checkpoint', name };
}

function readSendDtmf(message: JsonObject, report: ReportViolation): GatewayMessage | null {
  const digits = message.dtmf;
  if (typeof digits !== 'string' || !dtmfDigits.test(digits)) {
    report('dtmf-digits-bad', `sendDTMF with ${shown(digits)}; digits are 0-9 * # A-D`);
    return null;
  }
  return { event: 'sendDTMF', digits };
}
