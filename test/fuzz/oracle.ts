import { expect } from 'vitest';
import { Kernel } from '../../src/codec/kernel.js';
import { messageBytesMax } from '../../src/limits.js';
import type { PlivoMessage, Unreadable } from '../../src/plivo/messages.js';
import { MediaScan } from '../../src/serializer/media-scan.js';
import { readContent } from '../../src/serializer/wire-message.js';
import type {
  Frame,
  MediaFormat,
  PlivoFrameSerializer,
  WireMessage,
} from '../../src/serializer.js';

/** What became of one message, in a form that two ways of reading it can be compared by. */
export interface Verdict {
  readonly frame: string | null;
  /** Samples of audio, or the key, the name, the reason. */
  readonly content: number | string;
  readonly drop: string | null;
}

const frames = {
  dtmf: 'InputDTMFFrame',
  playedStream: 'CheckpointPlayedFrame',
  clearedAudio: 'AudioClearedFrame',
  stop: 'StreamStoppedFrame',
} as const;

/** What must become of a message of at most 64 KB, read without the scan and without the kernel. */
export function expected(message: PlivoMessage | Unreadable, format: MediaFormat): Verdict {
  switch (message.event) {
    case 'unreadable':
      return { frame: null, content: '', drop: message.reason };
    case 'start':
      return { frame: null, content: '', drop: null };
    case 'media': {
      if (message.track === 'outbound') return { frame: null, content: '', drop: 'other-track' };
      const samples = samplesIn(message.payload, format);
      if (samples < 0) return { frame: null, content: '', drop: 'bad-payload' };
      if (samples === 0) return { frame: null, content: '', drop: null };
      return { frame: 'InputAudioRawFrame', content: samples, drop: null };
    }
    default: {
      const content = 'digit' in message ? message.digit : 'name' in message ? message.name : '';
      const reason = message.event === 'stop' ? message.reason : content;
      return { frame: frames[message.event], content: reason, drop: null };
    }
  }
}

/** Samples of base64 (padding may be left out), -1 if it is none or holds half a sample. */
function samplesIn(payload: string, { encoding }: MediaFormat): number {
  const data = payload.length % 4 === 0 ? payload.replace(/={1,2}$/, '') : payload;
  if (data.length % 4 === 1 || !/^[A-Za-z0-9+/]*$/.test(data)) return -1;
  const bytes = Math.floor((data.length * 3) / 4);
  if (encoding === 'mulaw') return bytes;
  return bytes % 2 === 0 ? bytes / 2 : -1;
}

/** What did become of it. `format` and rate of the application must be those before the message. */
export function judged(serializer: PlivoFrameSerializer, message: WireMessage): Verdict {
  const before = { ...serializer.drops };
  const frame = serializer.deserialize(message);
  const drops = Object.entries(serializer.drops).flatMap(([reason, count]) =>
    count > before[reason as keyof typeof before] ? [reason] : [],
  );
  expect(drops.length).toBeLessThanOrEqual(1);
  return { frame: frame?.type ?? null, content: contentOf(frame), drop: drops[0] ?? null };
}

function contentOf(frame: Frame | null): number | string {
  switch (frame?.type) {
    case 'InputAudioRawFrame':
      return frame.audio.length;
    case 'InputDTMFFrame':
      return frame.button;
    case 'CheckpointPlayedFrame':
      return frame.name;
    case 'StreamStoppedFrame':
      return frame.reason;
    default:
      return '';
  }
}

const kernel = new Kernel();
const scan = new MediaScan(kernel);
const messageAt = kernel.allocate(messageBytesMax);

export interface Reading {
  readonly message: PlivoMessage | Unreadable;
  /** The scan found the payload by itself. */
  readonly isScanned: boolean;
}

/** What JSON.parse finds. If the scan is sure of itself, it must have found the same. */
export function readTwice(bytes: Buffer): Reading {
  const message = readContent(bytes);
  const fits = bytes.length <= messageBytesMax;
  if (fits) kernel.bytes.set(bytes, messageAt);
  const isScanned = fits && scan.scan(messageAt, bytes.length);
  if (isScanned) {
    const { payloadAt, payloadBytes, inbound } = scan;
    const start = payloadAt - messageAt;
    const payload = bytes.toString('latin1', start, start + payloadBytes);
    const track = inbound ? 'inbound' : 'outbound';
    expect({ event: 'media', track, payload, chunk: scan.chunk }).toEqual(message);
  }
  return { message, isScanned };
}
