/**
 * Readable twin of the kernel's `scanMedia`: the same walk, one byte at a time and with no regard for speed. Tests
 * hold the two equal.
 */
export class ReferenceScan {
  /** Byte offset of the base64 payload and its length. */
  payloadAt = 0;
  payloadBytes = 0;
  /** False for Plivo's own track (`outbound`). */
  inbound = true;
  /** Number of the packet; -1 where the message does not tell. */
  chunk = -1;

  readonly #bytes: Uint8Array;
  #at = 0;
  #end = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  scan(at: number, bytes: number): boolean {
    this.#at = at;
    this.#end = at + bytes;
    this.payloadAt = 0;
    this.inbound = true;
    this.chunk = -1;
    if (!this.#message()) return false;
    this.#space();
    return this.#at === this.#end;
  }

  #message(): boolean {
    let isMedia = false;
    let hasMedia = false;
    if (!this.#open()) return false;
    do {
      const name = this.#at + 1;
      const length = this.#name();
      if (length < 0) return false;
      if (length === 5 && this.#is(name, eventName)) {
        if (isMedia || !this.#exactly(mediaValue)) return false;
        isMedia = true;
      } else if (length === 5 && this.#is(name, mediaName)) {
        if (hasMedia || !this.#media()) return false;
        hasMedia = true;
      } else if (!this.#skip()) return false;
    } while (this.#comma());
    return isMedia && hasMedia && this.payloadAt > 0 && this.#close();
  }

  #media(): boolean {
    let hasTrack = false;
    if (!this.#open()) return false;
    do {
      const name = this.#at + 1;
      const length = this.#name();
      if (length < 0) return false;
      if (length === 7 && this.#is(name, payloadName)) {
        if (this.payloadAt > 0 || !this.#payload()) return false;
      } else if (length === 5 && this.#is(name, trackName)) {
        if (hasTrack) return false;
        hasTrack = true;
        if (this.#exactly(inboundValue)) this.inbound = true;
        else if (this.#exactly(outboundValue)) this.inbound = false;
        else return false;
      } else if (length === 5 && this.#is(name, chunkName)) {
        const start = this.#at;
        if (!this.#skip()) return false;
        const value = Buffer.from(this.#bytes.slice(start, this.#at)).toString('latin1');
        const digits = /^("?)(\d{1,10})\1$/.exec(value)?.[2];
        this.chunk = digits === undefined || Number(digits) >= 2 ** 31 ? -1 : Number(digits);
      } else if (!this.#skip()) return false;
    } while (this.#comma());
    return this.#close();
  }

  /** The opening brace of an object with at least one member, up to the member's name. */
  #open(): boolean {
    this.#space();
    if (this.#bytes[this.#at] !== brace || this.#at >= this.#end) return false;
    this.#at += 1;
    this.#space();
    return true;
  }

  #close(): boolean {
    if (this.#at >= this.#end || this.#bytes[this.#at] !== closingBrace) return false;
    this.#at += 1;
    return true;
  }

  #comma(): boolean {
    this.#space();
    if (this.#at >= this.#end || this.#bytes[this.#at] !== comma) return false;
    this.#at += 1;
    this.#space();
    return true;
  }

  /** A member's name and its colon, up to the value; the length of the name, or -1. */
  #name(): number {
    const start = this.#at;
    if (!this.#string(false)) return -1;
    const length = this.#at - start - 2;
    this.#space();
    if (this.#at >= this.#end || this.#bytes[this.#at] !== colon) return -1;
    this.#at += 1;
    this.#space();
    return length;
  }

  #is(at: number, name: Uint8Array): boolean {
    for (let i = 0; i < name.length; i += 1) if (this.#bytes[at + i] !== name[i]) return false;
    return true;
  }

  #exactly(value: Uint8Array): boolean {
    if (this.#at + value.length > this.#end || !this.#is(this.#at, value)) return false;
    this.#at += value.length;
    return true;
  }

  /** The payload's alphabet is checked by the decoder; here only its end matters. */
  #payload(): boolean {
    const start = this.#at + 1;
    if (!this.#string(false)) return false;
    this.payloadAt = start;
    this.payloadBytes = this.#at - 1 - start;
    return true;
  }

  /** A string without control characters and without anything beyond ASCII; simple escapes if allowed. */
  #string(escapes: boolean): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.#at;
    if (at >= end || bytes[at] !== quote) return false;
    for (at += 1; at < end; at += 1) {
      const byte = bytes[at]!;
      if (byte === quote) {
        this.#at = at + 1;
        return true;
      }
      if (byte < 0x20 || byte > 0x7e) return false;
      if (byte === backslash) {
        at += 1;
        if (!escapes || at >= end || !isSimpleEscape(bytes[at]!)) return false;
      }
    }
    return false;
  }

  /** A value that does not matter here: a string or an integer. */
  #skip(): boolean {
    const bytes = this.#bytes;
    if (bytes[this.#at] === quote) return this.#string(true);
    let at = this.#at;
    const first = at;
    while (at < this.#end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at += 1;
    if (at === first || (bytes[first] === 0x30 && at > first + 1)) return false;
    this.#at = at;
    return true;
  }

  #space(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    while (at < this.#end) {
      const byte = bytes[at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
      at += 1;
    }
    this.#at = at;
  }
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const brace = 0x7b;
const closingBrace = 0x7d;

const eventName = Buffer.from('event');
const mediaName = Buffer.from('media');
const payloadName = Buffer.from('payload');
const trackName = Buffer.from('track');
const chunkName = Buffer.from('chunk');
const mediaValue = Buffer.from('"media"');
const inboundValue = Buffer.from('"inbound"');
const outboundValue = Buffer.from('"outbound"');

const simpleEscapes = Buffer.from('"\\/bfnrt');
function isSimpleEscape(byte: number): boolean {
  return simpleEscapes.includes(byte);
}
