import { decodeMulaw, encodeMulaw, mulawSilence } from '../src/codec/g711.js';
import { bytesFromPcm, pcmFromBytes } from '../src/codec/wav.js';
import { ptimeMs } from '../src/limits.js';

export const streamFormatNames = ['mulaw8', 'l16-8', 'l16-16', 'l16-24'] as const;
export type StreamFormatName = (typeof streamFormatNames)[number];

/** What `start.mediaFormat` announces (protocol section 2.1), and what follows from it. */
export interface StreamFormat {
  readonly name: StreamFormatName;
  readonly encoding: 'audio/x-mulaw' | 'audio/x-l16';
  readonly rateHz: number;
  readonly sampleBytes: 1 | 2;
  /** Samples in one `media` message. */
  readonly frameSamples: number;
}

function format(
  name: StreamFormatName,
  encoding: StreamFormat['encoding'],
  rateHz: number,
): StreamFormat {
  const sampleBytes = encoding === 'audio/x-mulaw' ? 1 : 2;
  return { name, encoding, rateHz, sampleBytes, frameSamples: (rateHz * ptimeMs) / 1_000 };
}

export const streamFormats: Readonly<Record<StreamFormatName, StreamFormat>> = {
  mulaw8: format('mulaw8', 'audio/x-mulaw', 8_000),
  'l16-8': format('l16-8', 'audio/x-l16', 8_000),
  'l16-16': format('l16-16', 'audio/x-l16', 16_000),
  'l16-24': format('l16-24', 'audio/x-l16', 24_000),
};

/** What a `contentType` of the XML asks for (section 4.2); undefined if Plivo offers none such. */
export function formatOfContentType(contentType: string): StreamFormatName | undefined {
  const bare = contentType.replace(/\s+/g, '').toLowerCase();
  return streamFormatNames.find((name) => {
    const { encoding, rateHz } = streamFormats[name];
    return bare === `${encoding};rate=${rateHz}`;
  });
}

/** Samples at the stream's rate to bytes as they stand in a payload (L16 is little-endian, 2.2). */
export function wireFromSamples(samples: Int16Array, streamFormat: StreamFormat): Uint8Array {
  return streamFormat.sampleBytes === 1 ? encodeMulaw(samples) : bytesFromPcm(samples);
}

/** Bytes of a payload to samples at the stream's rate. */
export function samplesFromWire(bytes: Uint8Array, streamFormat: StreamFormat): Int16Array {
  return streamFormat.sampleBytes === 1 ? decodeMulaw(bytes) : pcmFromBytes(bytes);
}

/** What a caller says, cut into payloads of 20 ms, and what the gateway should make of it. */
export interface Speech {
  readonly format: StreamFormat;
  /** Base64, one per `media` message. The last is filled up with silence. */
  readonly payloads: readonly string[];
  /** When each is due, ms after `start`, where that is not every 20 ms. */
  readonly atMs?: readonly number[];
  /** The same audio after the wire codec: the reference that an echo is judged by. */
  readonly samples: Int16Array;
}

/** Prepares samples at the stream's rate for sending. Any number of callers may share the result. */
export function prepareSpeech(samples: Int16Array, streamFormat: StreamFormat): Speech {
  const frameCount = Math.ceil(samples.length / streamFormat.frameSamples);
  const whole = new Int16Array(frameCount * streamFormat.frameSamples);
  whole.set(samples);
  const wire = Buffer.from(wireFromSamples(whole, streamFormat));
  const frameBytes = streamFormat.frameSamples * streamFormat.sampleBytes;
  const payloads = Array.from({ length: frameCount }, (_, i) =>
    wire.toString('base64', i * frameBytes, (i + 1) * frameBytes),
  );
  return { format: streamFormat, payloads, samples: samplesFromWire(wire, streamFormat) };
}

/** Base64 of 20 ms of silence. */
export function silencePayload(streamFormat: StreamFormat): string {
  const bytes = Buffer.alloc(streamFormat.frameSamples * streamFormat.sampleBytes);
  if (streamFormat.sampleBytes === 1) bytes.fill(mulawSilence);
  return bytes.toString('base64');
}
