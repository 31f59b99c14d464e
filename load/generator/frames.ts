import { type StreamFormat, silencePayload } from '../stream-format.js';

/**
 * WebSocket frames of a client, ready to be written. The mask is zero: a server has to unmask all the same, and the
 * sender is spared the work.
 */

const maskedBit = 0x80;
const maskBytes = 4;

export const opcodes = { text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;

function frame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length <= 0xffff ? 2 : 8;
  const bytes = Buffer.alloc(2 + lengthBytes + maskBytes + length);
  bytes[0] = 0x80 | opcode;
  if (lengthBytes === 0) {
    bytes[1] = maskedBit | length;
  } else if (lengthBytes === 2) {
    bytes[1] = maskedBit | 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = maskedBit | 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  bytes.set(payload, 2 + lengthBytes + maskBytes);
  return bytes;
}

export function textFrame(text: string): Buffer {
  return frame(opcodes.text, Buffer.from(text, 'utf8'));
}

export function binaryFrame(bytes: Uint8Array): Buffer {
  return frame(opcodes.binary, bytes);
}

export function pongFrame(payload: Uint8Array): Buffer {
  return frame(opcodes.pong, payload);
}

export function closeFrame(code: number): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frame(opcodes.close, payload);
}

const timestampWidth = 13;
const idWidth = 36;
const zero = 0x30;

interface MediaTemplate {
  readonly frame: Buffer;
  readonly sequenceEnd: number;
  readonly idAt: number;
  readonly timestampEnd: number;
  readonly chunkEnd: number;
  readonly payloadAt: number;
  /** The timestamp that stands in the frame: packets of the same slot share it. */
  unixMs: number;
}

/**
 * `media` messages (protocol section 2.2) as whole frames, of which id, numbers and payload are written over: nothing is
 * allocated and nothing serialized for a packet. Streams share the frame: it stays in the processor's cache, where a frame
 * for each of thousands would not.
 */
export class MediaFrames {
  readonly #format: StreamFormat;
  readonly #extraHeaders: string;
  /** By the widths of the two numbers. */
  readonly #templates: MediaTemplate[] = [];

  constructor(format: StreamFormat, extraHeaders: string) {
    this.#format = format;
    this.#extraHeaders = extraHeaders;
  }

  /**
   * A frame with these values in it, good until the next call. `streamId` is a UUID and `payload` base64, both as bytes;
   * `unixMs` is the time that the message says it was recorded at.
   */
  fill(
    streamId: Buffer,
    sequenceNumber: number,
    chunk: number,
    unixMs: number,
    payload: Buffer,
  ): Buffer {
    const widths = widthOf(sequenceNumber) * 16 + widthOf(chunk);
    const template = (this.#templates[widths] ??= this.#layOut(widths));
    const { frame } = template;
    writeDigits(frame, template.sequenceEnd, sequenceNumber);
    frame.set(streamId, template.idAt);
    if (unixMs !== template.unixMs) writeDigits(frame, template.timestampEnd, Math.floor(unixMs));
    template.unixMs = unixMs;
    writeDigits(frame, template.chunkEnd, chunk);
    frame.set(payload, template.payloadAt);
    return frame;
  }

  #layOut(widths: number): MediaTemplate {
    const [sequenceWidth, chunkWidth] = [widths >> 4, widths & 15];
    const text = JSON.stringify({
      event: 'media',
      sequenceNumber: 10 ** (sequenceWidth - 1),
      streamId: '0'.repeat(idWidth),
      media: {
        track: 'inbound',
        timestamp: '0'.repeat(timestampWidth),
        chunk: 10 ** (chunkWidth - 1),
        payload: silencePayload(this.#format),
      },
      extra_headers: this.#extraHeaders,
    });
    const frame = textFrame(text);
    const after = (key: string): number => frame.indexOf(key) + key.length;
    return {
      frame,
      sequenceEnd: after('"sequenceNumber":') + sequenceWidth,
      idAt: after('"streamId":"'),
      timestampEnd: after('"timestamp":"') + timestampWidth,
      chunkEnd: after('"chunk":') + chunkWidth,
      payloadAt: after('"payload":"'),
      unixMs: -1,
    };
  }
}

function widthOf(value: number): number {
  let width = 1;
  for (let bound = 10; value >= bound; bound *= 10) width += 1;
  return width;
}

/** Writes all digits of a whole number, the last of them before `end`. */
function writeDigits(target: Buffer, end: number, value: number): void {
  let rest = value;
  for (let i = end - 1; rest > 0; i -= 1) {
    const next = Math.floor(rest / 10);
    target[i] = zero + rest - next * 10;
    rest = next;
  }
}
