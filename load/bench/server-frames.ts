/** What a server's bytes turn out to be. */
export interface ServerFrameEvents {
  /** A message with audio, by the length of its payload: µ-law, so a byte is a sample. */
  audio(sampleCount: number): void;
  ping(payload: Buffer): void;
  close(): void;
}

const endOfHead = '\r\n\r\n';
const payloadKey = '"payload":"';
const quote = 0x22;
const equals = 0x3d;
const opcodeText = 1;
const opcodeClose = 8;
const opcodePing = 9;

/** Splits what a WebSocket server sends, cut anywhere: the answer to the upgrade, then frames. */
export class ServerFrames {
  readonly #events: ServerFrameEvents;
  #isUpgraded = false;
  /** The beginning of something of which the rest has not arrived. */
  #rest: Buffer | null = null;

  constructor(events: ServerFrameEvents) {
    this.#events = events;
  }

  /**
   * Takes bytes, which may be reused afterwards. Returns the first line of the answer to the
   * upgrade when that has just been completed, otherwise null.
   */
  take(bytes: Buffer): string | null {
    const buffer = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
    let offset = 0;
    let line: string | null = null;
    if (!this.#isUpgraded) {
      const end = buffer.indexOf(endOfHead);
      if (end < 0) {
        this.#rest = Buffer.from(buffer);
        return null;
      }
      line = buffer.toString('latin1', 0, buffer.indexOf('\r\n'));
      this.#isUpgraded = true;
      offset = end + endOfHead.length;
    }
    for (;;) {
      const next = this.#takeFrame(buffer, offset);
      if (next === offset) break;
      offset = next;
    }
    this.#rest = offset === buffer.length ? null : Buffer.from(buffer.subarray(offset));
    return line;
  }

  /** Offset behind the frame at `offset`; `offset` itself if it is not complete. */
  #takeFrame(buffer: Buffer, offset: number): number {
    if (offset + 2 > buffer.length) return offset;
    const lengthCode = (buffer[offset + 1] ?? 0) & 0x7f;
    const headerBytes = lengthCode < 126 ? 2 : lengthCode === 126 ? 4 : 10;
    const start = offset + headerBytes;
    if (start > buffer.length) return offset;
    let bytes = lengthCode;
    if (lengthCode === 126) bytes = buffer.readUInt16BE(offset + 2);
    if (lengthCode === 127) bytes = Number(buffer.readBigUInt64BE(offset + 2));
    const end = start + bytes;
    if (end > buffer.length) return offset;
    switch ((buffer[offset] ?? 0) & 0x0f) {
      case opcodeText: {
        const sampleCount = audioBytes(buffer, start, end);
        if (sampleCount > 0) this.#events.audio(sampleCount);
        break;
      }
      case opcodePing:
        this.#events.ping(Buffer.from(buffer.subarray(start, end)));
        break;
      case opcodeClose:
        this.#events.close();
        break;
    }
    return end;
  }
}

/** Bytes in the base64 payload of the message between `start` and `end`; 0 without one. */
function audioBytes(buffer: Buffer, start: number, end: number): number {
  const key = buffer.indexOf(payloadKey, start, 'latin1');
  if (key < 0 || key >= end) return 0;
  const from = key + payloadKey.length;
  const until = buffer.indexOf(quote, from);
  const padding = buffer[until - 1] !== equals ? 0 : buffer[until - 2] !== equals ? 1 : 2;
  return ((until - from) >> 2) * 3 - padding;
}
