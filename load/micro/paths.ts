import { Kernel } from '../../src/codec/kernel.js';
import { type MediaFormat, playAudioEnds } from '../../src/plivo/messages.js';
import { MediaScan } from '../../src/serializer/media-scan.js';
import { Scratch, StreamCodec } from '../../src/serializer/stream-codec.js';
import { mediaMessages, soundFrames, turns } from './sound.js';
import type { Case } from './timing.js';

export const mulaw: MediaFormat = { encoding: 'mulaw', sampleRate: 8_000 };
const l16: MediaFormat = { encoding: 'l16', sampleRate: 16_000 };

/**
 * What a shard does with the sound of a frame, and all that it does: from the bytes of a message in
 * shared memory to samples in shared memory, and back. Not counted: ring, socket, handler, clock.
 */
export function pathCases(): Case[] {
  const scratch = new Scratch(new Kernel());
  return [
    { name: 'media to PCM16, 16 kHz', budgetNs: 1_100, frame: decoding(scratch, mulaw, 16_000) },
    {
      name: 'PCM16 to playAudio, 16 kHz',
      budgetNs: 1_100,
      frame: encoding(scratch, mulaw, 16_000),
    },
    { name: 'media to PCM16, 24 kHz', budgetNs: 2_000, frame: decoding(scratch, mulaw, 24_000) },
    {
      name: 'PCM16 to playAudio, 24 kHz',
      budgetNs: 1_700,
      frame: encoding(scratch, mulaw, 24_000),
    },
    { name: 'pass-through in (L16 16 kHz)', budgetNs: 300, frame: decoding(scratch, l16, 16_000) },
    { name: 'pass-through out (L16 16 kHz)', budgetNs: 300, frame: encoding(scratch, l16, 16_000) },
    { name: 'media to PCM16, 8 kHz', frame: decoding(scratch, mulaw, 8_000) },
    { name: 'PCM16 to playAudio, 8 kHz', frame: encoding(scratch, mulaw, 8_000) },
    { name: 'copy of 320 samples for a handler', frame: () => scratch.samples(320) },
  ];
}

/** One frame in: scan, base64, µ-law, resampler. Answers the count of samples. */
export function decoding(scratch: Scratch, format: MediaFormat, rate: number): () => number {
  const { kernel } = scratch;
  const codec = new StreamCodec(scratch, format, rate);
  const scan = new MediaScan(kernel);
  const next = turns(
    mediaMessages(format.encoding, format.sampleRate).map((message) => {
      const at = kernel.allocate(message.length);
      kernel.bytes.set(Buffer.from(message), at);
      return { at, bytes: message.length };
    }),
  );
  return () => {
    const { at, bytes } = next();
    if (!scan.scan(at, bytes)) throw new Error('the scan must be sure of this message');
    const count = codec.decode(scan.payloadAt, scan.payloadBytes, 'inbound');
    if (count < 0) throw new Error('the payload must be sound');
    return count;
  };
}

/** One frame out: resampler, µ-law, then base64 between the ends of a message. Answers its bytes. */
export function encoding(scratch: Scratch, format: MediaFormat, rate: number): () => number {
  const { kernel, samplesAt, wireAt } = scratch;
  const codec = new StreamCodec(scratch, format, rate);
  const [head, tail] = playAudioEnds(format);
  const headAt = kernel.allocate(head.length);
  const tailAt = kernel.allocate(tail.length);
  const messageAt = kernel.allocate(4_096);
  kernel.bytes.set(Buffer.from(head), headAt);
  kernel.bytes.set(Buffer.from(tail), tailAt);
  const next = turns(soundFrames(rate));
  return () => {
    const samples = next();
    kernel.samples.set(samples, samplesAt >> 1);
    const bytes = codec.encode(samples.length);
    kernel.copy(headAt, head.length, messageAt);
    const chars = kernel.encodeBase64(wireAt, bytes, messageAt + head.length);
    kernel.copy(tailAt, tail.length, messageAt + head.length + chars);
    return head.length + chars + tail.length;
  };
}

/** The way in and the way out, one after the other, of a stream with an application at 16 kHz. */
export function bothWays(): () => number {
  const scratch = new Scratch(new Kernel());
  const inwards = decoding(scratch, mulaw, 16_000);
  const outwards = encoding(scratch, mulaw, 16_000);
  return () => inwards() + outwards();
}
