import { type MediaFormat, wireEncodings } from '../../src/plivo/messages.js';
import {
  type OutputAudioRawFrame,
  PlivoFrameSerializer,
  type PlivoFrameSerializerOptions,
  type PlivoSerializerParams,
} from '../../src/serializer.js';
import { decodeMulaw, resample, resampleWhole } from '../codec/reference.js';

export const streamId = 'b4d0a9de-52f7-4e7c-8f1e-1c7a5d2e9b02';
export const callId = '6f1c2b7e-0c41-4d0e-9a55-3b1f0e7f1a01';
export const credentials = { callId, authId: 'MAEXAMPLE0000000000A', authToken: 'secret' };

export const mulaw8: MediaFormat = { encoding: 'mulaw', sampleRate: 8_000 };
export const streamFormats: readonly MediaFormat[] = [
  mulaw8,
  { encoding: 'l16', sampleRate: 8_000 },
  { encoding: 'l16', sampleRate: 16_000 },
  { encoding: 'l16', sampleRate: 24_000 },
];

/** A serializer that hangs nothing up unless told to. */
export function open(
  params: PlivoSerializerParams = {},
  options: Partial<PlivoFrameSerializerOptions> = {},
): PlivoFrameSerializer {
  return new PlivoFrameSerializer({
    streamId,
    ...options,
    params: { autoHangUp: false, ...params },
  });
}

export function media(payload: Uint8Array | string, track = 'inbound'): string {
  const base64 = typeof payload === 'string' ? payload : Buffer.from(payload).toString('base64');
  return JSON.stringify({
    event: 'media',
    sequenceNumber: 42,
    streamId,
    media: { track, timestamp: '1764000000820', chunk: 41, payload: base64 },
    extra_headers: 'tenant=acme;plan=gold',
  });
}

export function startText({ encoding, sampleRate }: MediaFormat): string {
  const mediaFormat = { encoding: wireEncodings[encoding], sampleRate };
  const start = { callId, streamId, accountId: 'MA1', tracks: ['inbound'], mediaFormat };
  return JSON.stringify({ event: 'start', sequenceNumber: 1, start, extra_headers: 'a=b' });
}

export function speech(
  audio: Int16Array,
  sampleRate: number,
  numChannels = 1,
): OutputAudioRawFrame {
  return { type: 'OutputAudioRawFrame', audio, sampleRate, numChannels };
}

/** A sine of 440 Hz, half of full scale. */
export function tone(count: number, rate: number): Int16Array {
  return Int16Array.from({ length: count }, (_, i) =>
    Math.round(16_000 * Math.sin((2 * Math.PI * 440 * i) / rate)),
  );
}

/** Little-endian, as on the wire. */
export function bytesOf(samples: Int16Array): Uint8Array {
  const bytes = Buffer.alloc(samples.length * 2);
  for (const [i, sample] of samples.entries()) bytes.writeInt16LE(sample, i * 2);
  return bytes;
}

export interface PlayAudio {
  readonly event: string;
  readonly media: {
    readonly contentType: string;
    readonly sampleRate: number;
    readonly payload: string;
  };
  readonly streamId: string;
}

/** Raw bytes of a `playAudio`. */
export function payloadOf(message: string | null): Buffer {
  if (message === null) return Buffer.alloc(0);
  const { event, media: content } = JSON.parse(message) as PlayAudio;
  if (event !== 'playAudio') throw new Error(`${event} is not playAudio`);
  return Buffer.from(content.payload, 'base64');
}

/** What a caller hears of some messages, one after the other. */
export function heard(messages: readonly (string | null)[], format: MediaFormat): Int16Array {
  const bytes = Buffer.concat(messages.map(payloadOf));
  if (format.encoding === 'mulaw') return Int16Array.from(bytes, decodeMulaw);
  return Int16Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(i * 2));
}

/** Every reason that was counted. */
export function counted(serializer: PlivoFrameSerializer): Record<string, number> {
  return Object.fromEntries(Object.entries(serializer.drops).filter(([, count]) => count > 0));
}

/** All that comes out for all that went in; with the tail if `isWhole`. */
export function resampled(
  samples: Int16Array,
  sourceRate: number,
  targetRate: number,
  isWhole: boolean,
): Int16Array {
  if (sourceRate === targetRate) return samples;
  return (isWhole ? resampleWhole : resample)(samples, sourceRate, targetRate);
}
