// base64 as in RFC 4648, section 4. Both directions take 16 characters = 12 bytes per SIMD step and
// finish with table look-ups, so nothing is read or written beyond what the caller asked for.

// Value of every character code; 0xff: not in the alphabet.
const valueOfCode: usize = memory.data<u8>([
  255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,
  255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,
  255,255,255,255,255,255,255,255,255,255,255, 62,255,255,255, 63,
   52, 53, 54, 55, 56, 57, 58, 59, 60, 61,255,255,255,255,255,255,
  255,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
   15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,255,255,255,255,255,
  255, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
   41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,255,255,255,255,255,
  255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,
  255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,
  255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,
  255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,
  255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,
  255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,
  255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,
  255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,
]);

// ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/
const codeOfValue: usize = memory.data<u8>([
   65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80,
   81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 97, 98, 99,100,101,102,
  103,104,105,106,107,108,109,110,111,112,113,114,115,116,117,118,
  119,120,121,122, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 43, 47,
]);

const padding: u8 = 61;

/** Value of one character, or a number of 64 and more for a character outside the alphabet. */
// @ts-ignore: decorator
@inline
function valueOf(source: usize): u32 {
  return load<u8>(valueOfCode + load<u8>(source));
}

/** Characters that carry data: the length without its padding, or -1 for an impossible length. */
export function dataCharacters(source: usize, bytes: i32): i32 {
  let count = bytes;
  // Padding counts only where it completes a group of four; anywhere else '=' is a wrong character.
  if (count > 0 && (count & 3) == 0 && load<u8>(source + count - 1) == padding) {
    count -= 1;
    if (load<u8>(source + count - 1) == padding) count -= 1;
  }
  return (count & 3) == 1 ? -1 : count;
}

// Tables of the SIMD steps. V8 builds a vector constant anew wherever it is used in a loop; loaded
// once before the loop, these made decoding a fifth faster.

// Which characters are legal, over the low and the high half of the code: a character is wrong exactly
// if the two entries have a bit in common (W. Muła's scheme).
const legalByLow: usize = memory.data<u8>([
  0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a,
], 16);
const legalByHigh: usize = memory.data<u8>([
  0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
], 16);
// Distance from code to value over the high half; the second entry is that of '/'.
const distanceByHigh: usize = memory.data<i8>([
  0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0,
], 16);

/** Non-zero lanes where one of 16 characters is outside the alphabet. */
// @ts-ignore: decorator
@inline
function wrongCharacters(characters: v128, lowTable: v128, highTable: v128): v128 {
  const low = v128.and(characters, i8x16.splat(0x0f));
  const high = i8x16.shr_u(characters, 4);
  return v128.and(i8x16.swizzle(lowTable, low), i8x16.swizzle(highTable, high));
}

/** 16 characters to 12 bytes in the lower lanes (the upper four are zero). */
// @ts-ignore: decorator
@inline
function bytesOf(characters: v128, distances: v128): v128 {
  // The distance from code to value depends on the high half alone, but for '/', which borrows
  // the entry below its own (the comparison answers -1 for it).
  const high = i8x16.shr_u(characters, 4);
  const slash = i8x16.eq(characters, i8x16.splat(0x2f));
  const values = i8x16.add(
    characters,
    i8x16.swizzle(distances, i8x16.add(slash, high)),
  );
  // 4 x 6 bits to 2 x 12 bits to 24 bits per lane of 32, most significant character first.
  const pairs = v128.or(
    i16x8.shl(v128.and(values, i16x8.splat(0x00ff)), 6),
    i16x8.shr_u(values, 8),
  );
  const groups = i32x4.dot_i16x8_s(pairs, i16x8(4096, 1, 4096, 1, 4096, 1, 4096, 1));
  return i8x16.swizzle(
    groups,
    i8x16(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1),
  );
}

/** 12 bytes in the lower lanes to 16 characters. */
// @ts-ignore: decorator
@inline
function charactersOf(bytes: v128): v128 {
  const groups = i8x16.swizzle(bytes, i8x16(2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1));
  const values = v128.or(
    v128.or(
      i32x4.shr_u(groups, 18),
      v128.and(i32x4.shr_u(groups, 4), i32x4.splat(0x00003f00)),
    ),
    v128.or(
      v128.and(i32x4.shl(groups, 10), i32x4.splat(0x003f0000)),
      v128.and(i32x4.shl(groups, 24), i32x4.splat(0x3f000000)),
    ),
  );
  // Class of a value: 0 small letters, 1 to 10 the digits, 11 '+', 12 '/', 13 capital letters.
  const kind = v128.or(
    i8x16.sub_sat_u(values, i8x16.splat(51)),
    v128.and(i8x16.lt_s(values, i8x16.splat(26)), i8x16.splat(13)),
  );
  return i8x16.add(
    values,
    i8x16.swizzle(i8x16(71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0), kind),
  );
}

/**
 * Decodes `bytes` base64 characters. Padding may be left out; bits that a short last group has to
 * spare are not looked at. Returns the bytes written, or -1 if the text is not base64 (`target` then
 * holds rubbish). `target` needs room for `bytes * 3 / 4` bytes and must not overlap `source`.
 */
export function decodeBase64(source: usize, bytes: i32, target: usize): i32 {
  const count = dataCharacters(source, bytes);
  if (count < 0) return -1;
  const start = target;
  const end = source + count;
  const lowTable = v128.load(legalByLow);
  const highTable = v128.load(legalByHigh);
  const distances = v128.load(distanceByHigh);
  let wrong = i32x4.splat(0);
  while (source + 16 <= end) {
    const characters = v128.load(source);
    wrong = v128.or(wrong, wrongCharacters(characters, lowTable, highTable));
    const decoded = bytesOf(characters, distances);
    v128.store64_lane(target, decoded, 0);
    v128.store32_lane(target, decoded, 2, 8);
    source += 16;
    target += 12;
  }
  let seen: u32 = v128.any_true(wrong) ? 64 : 0;
  while (source + 4 <= end) {
    const a = valueOf(source), b = valueOf(source + 1);
    const c = valueOf(source + 2), d = valueOf(source + 3);
    seen |= a | b | c | d;
    const group = (a << 18) | (b << 12) | (c << 6) | d;
    store<u8>(target, group >> 16);
    store<u8>(target, group >> 8, 1);
    store<u8>(target, group, 2);
    source += 4;
    target += 3;
  }
  const rest = <i32>(end - source);
  if (rest >= 2) {
    const a = valueOf(source), b = valueOf(source + 1);
    const c: u32 = rest == 3 ? valueOf(source + 2) : 0;
    seen |= a | b | c;
    store<u8>(target, (a << 2) | (b >> 4));
    target += 1;
    if (rest == 3) {
      store<u8>(target, (b << 4) | (c >> 2));
      target += 1;
    }
  }
  return seen > 63 ? -1 : <i32>(target - start);
}

/** Three bytes as four characters. */
// @ts-ignore: decorator
@inline
function storeGroup(target: usize, a: u32, b: u32, c: u32): void {
  const group = (a << 16) | (b << 8) | c;
  store<u8>(target, load<u8>(codeOfValue + (group >> 18)));
  store<u8>(target, load<u8>(codeOfValue + ((group >> 12) & 63)), 1);
  store<u8>(target, load<u8>(codeOfValue + ((group >> 6) & 63)), 2);
  store<u8>(target, load<u8>(codeOfValue + (group & 63)), 3);
}

/** Encodes a last group of one or two bytes (`b` is 0 then), with its padding. */
// @ts-ignore: decorator
@inline
function storeShortGroup(target: usize, count: i32, a: u32, b: u32): void {
  storeGroup(target, a, b, 0);
  store<u8>(target, padding, 3);
  if (count == 1) store<u8>(target, padding, 2);
}

/** Encodes `bytes` bytes; returns the characters written, a multiple of four. No overlap. */
export function encodeBase64(source: usize, bytes: i32, target: usize): i32 {
  const start = target;
  const end = source + bytes;
  // A step reads 16 bytes and uses 12: the last bytes are left to the loop below.
  while (source + 16 <= end) {
    v128.store(target, charactersOf(v128.load(source)));
    source += 12;
    target += 16;
  }
  while (source + 3 <= end) {
    storeGroup(target, load<u8>(source), load<u8>(source, 1), load<u8>(source, 2));
    source += 3;
    target += 4;
  }
  const rest = <i32>(end - source);
  if (rest > 0) {
    storeShortGroup(target, rest, load<u8>(source), rest == 2 ? load<u8>(source, 1) : 0);
    target += 4;
  }
  return <i32>(target - start);
}
