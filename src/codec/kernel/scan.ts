// The walk over the JSON bytes of a `media` message. It knows a message and not only sound, and lives
// here all the same: byte by byte in JavaScript it was the dearest step of a frame (1.1 to 1.6 µs of
// some 410 bytes), while here the strings, nine tenths of a message, go by 16 bytes at a time.
//
// Result (offsets in bytes; valid only behind a 1):
//    0 i32 payloadAt      of the base64 text, without its quotes
//    4 i32 payloadBytes
//    8 i32 inbound        0 for Plivo's own track (`outbound`)
//   12 i32 chunk          number of the packet, or -1: not told, or no number below 2^31
//
// As strict as JSON, and more: what it takes, JSON.parse takes and finds the same in. Anything that
// might be read in two ways is not taken (an escape in a name, a nested value, a doubled member,
// anything not ASCII). The steps below take a position and answer the one behind what they took, or
// `notSure`. Nothing is read outside of the message.

const resultPayloadAt = 0;
const resultPayloadBytes = 4;
const resultInbound = 8;
const resultChunk = 12;

const notSure: usize = 0;

const quote: u8 = 0x22;
const comma: u8 = 0x2c;
const colon: u8 = 0x3a;
const backslash: u8 = 0x5c;
const brace: u8 = 0x7b;
const closingBrace: u8 = 0x7d;

// Names and values as they lie in memory, lowest byte first.
const sevenBytes: u64 = 0x00ffffffffffffff;
const quotedEvent: u64 = 0x22746e65766522;
const quotedMedia: u64 = 0x22616964656d22;
const quotedChunk: u64 = 0x226b6e75686322;
const quotedTrack: u64 = 0x226b6361727422;
const quotedPayload: u64 = 0x64616f6c79617022; // and its closing quote behind it
const quotedInbound: u64 = 0x646e756f626e6922;
const quotedOutboun: u64 = 0x6e756f6274756f22;
const dQuote: u16 = 0x2264;

// What a string's bytes are compared with; loaded, as V8 builds a vector constant anew in every step.
const ones: usize = memory.data<u8>([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 16);
const printables: usize = memory.data<u8>([
  0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21,
], 16);
const quotes: usize = memory.data<u8>([
  0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
], 16);
const hashes: usize = memory.data<u8>([
  0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23, 0x23,
], 16);
const tildes: usize = memory.data<u8>([
  0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e,
], 16);
const backslashes: usize = memory.data<u8>([
  0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c, 0x5c,
], 16);

/** Non-zero lanes where a plain run of a string ends: a quote, a backslash, or not printable ASCII. */
// @ts-ignore: decorator
@inline
function stopsOf(bytes: v128): v128 {
  // With one added, all that is not printable lies below: 0x7f and more are negative numbers then.
  const next = i8x16.add(bytes, v128.load(ones));
  const unprintable = i8x16.gt_s(v128.load(printables), next);
  const isQuote = i8x16.eq(bytes, v128.load(quotes));
  const isBackslash = i8x16.eq(bytes, v128.load(backslashes));
  return v128.or(unprintable, v128.or(isQuote, isBackslash));
}

/** A string, with simple escapes if allowed. The message has at least 16 bytes before `end`. */
// @ts-ignore: decorator
@inline
function string(at: usize, end: usize, escapes: bool): usize {
  if (at >= end || load<u8>(at) != quote) return notSure;
  at += 1;
  if (at + 16 > end) return characters(at, end, escapes);
  const stops = i8x16.bitmask(stopsOf(v128.load(at)));
  if (stops == 0) return characters(at + 16, end, escapes);
  at += ctz(stops);
  return load<u8>(at) == quote ? at + 1 : characters(at, end, escapes);
}

/** A string that is long, as a rule, and has no escapes: 64 bytes at a time, as long as they look like base64. */
// @ts-ignore: decorator
@inline
function longString(at: usize, end: usize): usize {
  if (at >= end || load<u8>(at) != quote) return notSure;
  at += 1;
  while (at + 64 <= end) {
    const a = v128.load(at), b = v128.load(at, 16), c = v128.load(at, 32), d = v128.load(at, 48);
    // As signed numbers, a quote, all that is below it and all that is not ASCII are below '#'.
    const least = i8x16.min_s(i8x16.min_s(a, b), i8x16.min_s(c, d));
    const greatest = i8x16.max_s(i8x16.max_s(a, b), i8x16.max_s(c, d));
    const escape = v128.load(backslashes);
    const escapes = v128.or(
      v128.or(i8x16.eq(a, escape), i8x16.eq(b, escape)),
      v128.or(i8x16.eq(c, escape), i8x16.eq(d, escape)),
    );
    const strange = v128.or(
      i8x16.gt_s(v128.load(hashes), least),
      i8x16.gt_s(greatest, v128.load(tildes)),
    );
    if (v128.any_true(v128.or(escapes, strange))) break;
    at += 64;
  }
  return characters(at, end, false);
}

/** What is left of a string, and its closing quote. */
function characters(at: usize, end: usize, escapes: bool): usize {
  while (at < end) {
    // The last step looks back a little, so that it reads nothing behind the message.
    const from = min(at, end - 16);
    const stops = i8x16.bitmask(stopsOf(v128.load(from))) >> <i32>(at - from);
    if (stops == 0) {
      at = from + 16;
      continue;
    }
    at += ctz(stops);
    const byte = load<u8>(at);
    if (byte == quote) return at + 1;
    if (!escapes || byte != backslash) return notSure;
    at += 1;
    if (at >= end || !isSimpleEscape(load<u8>(at))) return notSure;
    at += 1;
  }
  return notSure;
}

/** One of " \ / b f n r t. */
function isSimpleEscape(byte: u8): bool {
  if (byte == quote || byte == backslash || byte == 0x2f) return true;
  return byte == 0x62 || byte == 0x66 || byte == 0x6e || byte == 0x72 || byte == 0x74;
}

// @ts-ignore: decorator
@inline
function space(at: usize, end: usize): usize {
  while (at < end) {
    const byte = load<u8>(at);
    if (byte > 0x20 || (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09)) break;
    at += 1;
  }
  return at;
}

/** One byte of punctuation, and the white space behind it. */
// @ts-ignore: decorator
@inline
function mark(at: usize, end: usize, wanted: u8): usize {
  return at < end && load<u8>(at) == wanted ? space(at + 1, end) : notSure;
}

/** A value that does not matter here: a string or a whole number. */
function skip(at: usize, end: usize): usize {
  if (at >= end) return notSure;
  if (load<u8>(at) == quote) return string(at, end, true);
  const first = at;
  while (at < end && <u32>load<u8>(at) - 0x30 < 10) at += 1;
  if (at == first || (load<u8>(first) == 0x30 && at > first + 1)) return notSure;
  return at;
}

/** The value of `chunk`, a number or its text, which lies between the two places. */
function chunkOf(at: usize, end: usize): i32 {
  if (load<u8>(at) == quote) {
    at += 1;
    end -= 1;
  }
  if (at == end || end - at > 10) return -1;
  let value: i64 = 0;
  while (at < end) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit > 9) return -1;
    value = value * 10 + digit;
    at += 1;
  }
  return value <= <i64>i32.MAX_VALUE ? <i32>value : -1;
}

/** The eight bytes at a name, in which a name of five letters lies with both its quotes; 0 too near the end. */
// @ts-ignore: decorator
@inline
function wordAt(at: usize, end: usize): u64 {
  return at + 8 <= end ? load<u64>(at) : 0;
}

/** The colon behind a name, with white space on both sides. */
// @ts-ignore: decorator
@inline
function colonBehind(at: usize, end: usize): usize {
  return at == notSure ? notSure : mark(space(at, end), end, colon);
}

/** Any member, of which only the end matters here. */
// @ts-ignore: decorator
@inline
function skipMember(at: usize, end: usize): usize {
  at = colonBehind(string(at, end, false), end);
  return at == notSure ? notSure : skip(at, end);
}

// @ts-ignore: decorator
@inline
function mediaValue(at: usize, end: usize): usize {
  return at != notSure && (wordAt(at, end) & sevenBytes) == quotedMedia ? at + 7 : notSure;
}

/** Writes which track it is. */
// @ts-ignore: decorator
@inline
function trackValue(at: usize, end: usize, result: usize): usize {
  if (at == notSure) return notSure;
  if (at + 9 <= end && load<u64>(at) == quotedInbound && load<u8>(at, 8) == quote) return at + 9;
  if (at + 10 > end || load<u64>(at) != quotedOutboun || load<u16>(at, 8) != dQuote) return notSure;
  store<i32>(result, 0, resultInbound);
  return at + 10;
}

/** The object that is the value of `media`. The payload's alphabet is the decoder's business. */
function media(at: usize, end: usize, result: usize): usize {
  let hasTrack = false;
  let next = mark(at, end, brace);
  if (next == notSure) return notSure;
  while (next != notSure) {
    const word = wordAt(next, end);
    if (word == quotedPayload && next + 9 <= end && load<u8>(next, 8) == quote) {
      if (load<i32>(result, resultPayloadAt) != 0) return notSure;
      at = colonBehind(next + 9, end);
      if (at == notSure) return notSure;
      const payload = at + 1;
      at = longString(at, end);
      store<i32>(result, <i32>payload, resultPayloadAt);
      store<i32>(result, <i32>(at - 1 - payload), resultPayloadBytes);
    } else if ((word & sevenBytes) == quotedTrack) {
      if (hasTrack) return notSure;
      hasTrack = true;
      at = trackValue(colonBehind(next + 7, end), end, result);
    } else if ((word & sevenBytes) == quotedChunk) {
      const value = colonBehind(next + 7, end);
      if (value == notSure) return notSure;
      at = skip(value, end);
      if (at != notSure) store<i32>(result, chunkOf(value, at), resultChunk);
    } else {
      at = skipMember(next, end);
    }
    if (at == notSure) return notSure;
    at = space(at, end);
    next = mark(at, end, comma);
  }
  return at < end && load<u8>(at) == closingBrace ? at + 1 : notSure;
}

/**
 * Looks for the payload of a `media` message of `bytes` bytes. Returns 1 and writes the result, or 0
 * if it is not sure: only JSON.parse can then say what the message is.
 */
export function scanMedia(source: usize, bytes: i32, result: usize): i32 {
  if (bytes < 16) return 0; // less than the shortest media message, and than one step
  const end = source + bytes;
  store<i32>(result, 0, resultPayloadAt);
  store<i32>(result, 1, resultInbound);
  store<i32>(result, -1, resultChunk);
  let isMedia = false;
  let hasMedia = false;
  let at = space(source, end);
  let next = mark(at, end, brace);
  while (next != notSure) {
    const name = wordAt(next, end) & sevenBytes;
    if (name == quotedEvent) {
      if (isMedia) return 0;
      isMedia = true;
      at = mediaValue(colonBehind(next + 7, end), end);
    } else if (name == quotedMedia) {
      if (hasMedia) return 0;
      hasMedia = true;
      at = colonBehind(next + 7, end);
      if (at != notSure) at = media(at, end, result);
    } else {
      at = skipMember(next, end);
    }
    if (at == notSure) return 0;
    at = space(at, end);
    next = mark(at, end, comma);
  }
  if (!isMedia || !hasMedia || load<i32>(result, resultPayloadAt) == 0) return 0;
  if (at >= end || load<u8>(at) != closingBrace) return 0;
  return space(at + 1, end) == end ? 1 : 0;
}
