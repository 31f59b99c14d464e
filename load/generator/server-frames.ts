import { opcodes } from './frames.js';

/**
 * What a server's bytes turn out to be. `buffer` is good during the call only; `from` and `until` enclose the base64 in
 * it.
 */
export interface ServerFrameEvents {
  /** The server answered the upgrade; `head` is all that stood before the empty line. Answers whether to go on. */
  upgraded(head: string): boolean;
  /** A message with audio in it. */
  audio(byteCount: number, buffer: Buffer, from: number, until: number): void;
  /** A whole message as text that is to be looked at closely: it has no audio, or it is one of the samples. */
  text(text: string): void;
  binary(byteCount: number): void;
  ping(payload: Buffer): void;
  close(code: number): void;
  /** These bytes are no WebSocket frames. */
  broke(detail: string): void;
}

const endOfHead = '\r\n\r\n';
const payloadKey = Buffer.from('"payload"');
const playAudio = Buffer.from('"playAudio"');
const quote = 0x22;
const colon = 0x3a;
const equals = 0x3d;
const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 9 && byte <= 13);
/** Far above Plivo's 64 KB: a larger message is somebody's mistake or garbage. */
const messageBytesMax = 4 * 1024 * 1024;
const headBytesMax = 64 * 1024;
const noStatusCode = 1005;
/** Of the messages with audio every so many-th is looked at closely, and the first ones. */
const sampleEvery = 50;
const sampleFirst = 3;

/**
 * Splits what a WebSocket server sends, cut anywhere: the answer to the upgrade, then frames. Messages with audio are not
 * parsed: most of them are as long as the one before, and their payload lies at the same place.
 */
export class ServerFrames {
  readonly #events: ServerFrameEvents;
  #isUpgraded = false;
  #isDone = false;
  /** The beginning of something of which the rest has not arrived. */
  #rest: Buffer | null = null;
  #pieces: Buffer[] = [];
  #audioSeen = 0;
  /** Of the last message with audio: its length, and where in it the payload lay. */
  #lastBytes = 0;
  #lastFrom = 0;
  /** What stood in front of its quote: a colon, or a blank. */
  #lastBefore = colon;
  #lastUntil = 0;

  constructor(events: ServerFrameEvents) {
    this.#events = events;
  }

  /** Takes the first `count` bytes of `bytes`, which may be reused afterwards. */
  take(bytes: Buffer, count: number): void {
    if (this.#isDone) return;
    let buffer = bytes;
    let length = count;
    if (this.#rest !== null) {
      buffer = Buffer.concat([this.#rest, bytes.subarray(0, count)]);
      length = buffer.length;
      this.#rest = null;
    }
    let offset = 0;
    if (!this.#isUpgraded) {
      offset = this.#takeHead(buffer, length);
      if (offset === 0) return;
    }
    while (!this.#isDone) {
      const next = this.#takeFrame(buffer, offset, length);
      if (next === offset) break;
      offset = next;
    }
    if (offset < length && !this.#isDone) this.#keep(buffer, offset, length);
  }

  #keep(buffer: Buffer, offset: number, length: number): void {
    this.#rest = Buffer.from(buffer.subarray(offset, length));
  }

  #takeHead(buffer: Buffer, length: number): number {
    const end = buffer.subarray(0, length).indexOf(endOfHead);
    if (end < 0) {
      if (length > headBytesMax) this.#break('its answer to the upgrade has no end');
      else this.#keep(buffer, 0, length);
      return 0;
    }
    this.#isUpgraded = true;
    this.#isDone = !this.#events.upgraded(buffer.toString('latin1', 0, end));
    return end + endOfHead.length;
  }

  #break(detail: string): void {
    this.#isDone = true;
    this.#events.broke(detail);
  }

  /** Offset behind the frame at `offset`; `offset` itself if it is not complete. */
  #takeFrame(buffer: Buffer, offset: number, length: number): number {
    if (offset + 2 > length) return offset;
    const first = buffer[offset]!;
    const lengthCode = buffer[offset + 1]!;
    if (lengthCode > 127 || (first & 0x70) !== 0) {
      this.#break(lengthCode > 127 ? 'a masked frame of a server' : 'a frame with reserved bits');
      return offset;
    }
    const headerBytes = lengthCode < 126 ? 2 : lengthCode === 126 ? 4 : 10;
    const start = offset + headerBytes;
    if (start > length) return offset;
    let bytes = lengthCode;
    if (lengthCode === 126) bytes = (buffer[offset + 2]! << 8) | buffer[offset + 3]!;
    if (lengthCode === 127) bytes = Number(buffer.readBigUInt64BE(offset + 2));
    if (bytes > messageBytesMax) {
      this.#break(`a message of ${bytes} bytes`);
      return offset;
    }
    const end = start + bytes;
    if (end > length) return offset;
    if (first === (0x80 | opcodes.text)) this.#takeText(buffer, start, end);
    else this.#takeOther(first, buffer, start, end);
    return end;
  }

  #takeOther(first: number, buffer: Buffer, start: number, end: number): void {
    const isLast = (first & 0x80) !== 0;
    const opcode = first & 0x0f;
    switch (opcode) {
      case 0:
      case opcodes.text:
      case opcodes.binary:
        this.#takePiece(opcode, isLast, buffer, start, end);
        return;
      case opcodes.ping:
        this.#events.ping(Buffer.from(buffer.subarray(start, end)));
        return;
      case opcodes.pong:
        return;
      case opcodes.close:
        this.#isDone = true;
        this.#events.close(end - start < 2 ? noStatusCode : buffer.readUInt16BE(start));
        return;
      default:
        this.#break(`a frame with opcode ${opcode}`);
    }
  }

  #takePiece(opcode: number, isLast: boolean, buffer: Buffer, start: number, end: number): void {
    if (opcode === opcodes.binary && isLast) {
      this.#events.binary(end - start);
      return;
    }
    this.#pieces.push(Buffer.from(buffer.subarray(start, end)));
    if (!isLast) return;
    const whole = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#takeText(whole, 0, whole.length);
  }

  #takeText(buffer: Buffer, start: number, end: number): void {
    const bytes = end - start;
    const isLikeLast =
      bytes === this.#lastBytes &&
      buffer[start + this.#lastFrom - 1] === quote &&
      buffer[start + this.#lastFrom - 2] === this.#lastBefore &&
      buffer[start + this.#lastUntil] === quote;
    if (!isLikeLast && !this.#findPayload(buffer, start, end)) {
      this.#events.text(buffer.toString('utf8', start, end));
      return;
    }
    const from = start + this.#lastFrom;
    const until = start + this.#lastUntil;
    const padding = buffer[until - 1] !== equals ? 0 : buffer[until - 2] !== equals ? 1 : 2;
    this.#audioSeen += 1;
    this.#events.audio(((until - from) >> 2) * 3 - padding, buffer, from, until);
    if (this.#audioSeen <= sampleFirst || this.#audioSeen % sampleEvery === 0) {
      this.#events.text(buffer.toString('utf8', start, end));
    }
  }

  /** Remembers where the payload lies. False if there is none, or if it is not to be played: Plivo would not. */
  #findPayload(buffer: Buffer, start: number, end: number): boolean {
    const message = buffer.subarray(0, end);
    const key = message.indexOf(payloadKey, start);
    if (key < 0 || message.indexOf(playAudio, start) < 0) return false;
    let from = key + payloadKey.length;
    while (isBlank(buffer[from]!) || buffer[from] === colon) from += 1;
    if (buffer[from] !== quote) return false;
    from += 1;
    const until = buffer.indexOf(quote, from);
    if (until <= from || until >= end) return false;
    this.#lastBytes = end - start;
    this.#lastFrom = from - start;
    this.#lastBefore = buffer[from - 2]!;
    this.#lastUntil = until - start;
    return true;
  }
}
