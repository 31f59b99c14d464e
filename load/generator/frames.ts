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

/** What stands in one stream's `media` messages and never changes. */
export interface MediaNames {
  readonly streamId: string;
  readonly format: StreamFormat;
  readonly extraHeaders: string;
}

const timestampWidth = 13;
const zero = 0x30;

/**
 * The next `media` message of one stream (protocol section 2.2) as a whole frame, of which numbers and payload are
 * written over: nothing is allocated and nothing serialized for a message.
 */
export class MediaFrame {
  readonly #names: MediaNames;
  #frame: Buffer = Buffer.alloc(0);
  #sequenceOffset = 0;
  #timestampOffset = 0;
  #chunkOffset = 0;
  #payloadOffset = 0;
  #sequenceWidth = 0;
  #chunkWidth = 0;
  #sequence = 0;
  #chunk = 0;
  #unixMs = 0;

  constructor(names: MediaNames) {
    this.#names = names;
  }

  /**
   * The frame with these values in it, good until the next call. `payload` is base64 as bytes, `unixMs` the time that the
   * message says it was recorded at.
   */
  fill(sequenceNumber: number, chunk: number, unixMs: number, payload: Buffer): Buffer {
    const sequenceWidth = widthOf(sequenceNumber);
    const chunkWidth = widthOf(chunk);
    const isSameWidth = sequenceWidth === this.#sequenceWidth && chunkWidth === this.#chunkWidth;
    if (!isSameWidth || unixMs < this.#unixMs) this.#layOut(sequenceWidth, chunkWidth);
    const time = Math.floor(unixMs);
    addDigits(this.#frame, this.#sequenceOffset + sequenceWidth, sequenceNumber - this.#sequence);
    addDigits(this.#frame, this.#chunkOffset + chunkWidth, chunk - this.#chunk);
    addDigits(this.#frame, this.#timestampOffset + timestampWidth, time - this.#unixMs);
    this.#sequence = sequenceNumber;
    this.#chunk = chunk;
    this.#unixMs = time;
    this.#frame.set(payload, this.#payloadOffset);
    return this.#frame;
  }

  /** Anew whenever a number has become one digit longer: six times in a day of one call. */
  #layOut(sequenceWidth: number, chunkWidth: number): void {
    const text = JSON.stringify({
      event: 'media',
      sequenceNumber: 10 ** (sequenceWidth - 1),
      streamId: this.#names.streamId,
      media: {
        track: 'inbound',
        timestamp: '0'.repeat(timestampWidth),
        chunk: 10 ** (chunkWidth - 1),
        payload: silencePayload(this.#names.format),
      },
      extra_headers: this.#names.extraHeaders,
    });
    this.#frame = textFrame(text);
    const after = (key: string): number => this.#frame.indexOf(key) + key.length;
    this.#sequenceOffset = after('"sequenceNumber":');
    this.#timestampOffset = after('"timestamp":"');
    this.#chunkOffset = after('"chunk":');
    this.#payloadOffset = after('"payload":"');
    this.#sequenceWidth = sequenceWidth;
    this.#chunkWidth = chunkWidth;
    this.#sequence = 10 ** (sequenceWidth - 1);
    this.#chunk = 10 ** (chunkWidth - 1);
    this.#unixMs = 0;
  }
}

function widthOf(value: number): number {
  let width = 1;
  for (let bound = 10; value >= bound; bound *= 10) width += 1;
  return width;
}

/** Adds to the decimal digits before `end`: of a number that grows by little, few are touched. */
function addDigits(target: Buffer, end: number, value: number): void {
  let carry = value;
  for (let i = end - 1; carry > 0; i -= 1) {
    const sum = target[i]! - zero + carry;
    carry = Math.floor(sum / 10);
    target[i] = zero + sum - carry * 10;
  }
}
