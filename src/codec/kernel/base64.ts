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

// Vectors of the SIMD steps. V8 builds a vector constant anew, in four instructions, wherever a loop
// uses it; loading it takes one. Shifts are of 16 or 32 bits with a mask, as those of bytes are dear.

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
const lowHalves: usize = memory.data<u8>([
  15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
], 16);
const slashes: usize = memory.data<u8>([
  47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47,
], 16);
const evenSextets: usize = memory.data<u16>([
  0x0fc0, 0x0fc0, 0x0fc0, 0x0fc0, 0x0fc0, 0x0fc0, 0x0fc0, 0x0fc0,
], 16);
const pairWeights: usize = memory.data<i16>([4096, 1, 4096, 1, 4096, 1, 4096, 1], 16);
const bytesOfGroups: usize = memory.data<i8>([
  2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,
], 16);

// Three bytes as the four bytes of a lane, least significant first.
const groupsOfBytes: usize = memory.data<i8>([
  2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1,
], 16);
const secondSextets: usize = memory.data<u32>([0x3f00, 0x3f00, 0x3f00, 0x3f00], 16);
const thirdSextets: usize = memory.data<u32>([0x3f0000, 0x3f0000, 0x3f0000, 0x3f0000], 16);
const fourthSextets: usize = memory.data<u32>([
  0x3f000000, 0x3f000000, 0x3f000000, 0x3f000000,
], 16);
const lastSmallLetters: usize = memory.data<u8>([
  51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51,
], 16);
const firstSmallLetters: usize = memory.data<u8>([
  26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26,
], 16);
const capitalKinds: usize = memory.data<u8>([
  13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13,
], 16);
// Distance from value to code over the kind of value: 0 small letters, 1 to 10 the digits, 11 '+',
// 12 '/', 13 capital letters.
const distanceByKind: usize = memory.data<i8>([
  71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0,
], 16);

/** The upper four bits of each of 16 characters. */
// @ts-ignore: decorator
@inline
function highHalves(characters: v128): v128 {
  return v128.and(i16x8.shr_u(characters, 4), v128.load(lowHalves));
}

/** Non-zero lanes where one of 16 characters is outside the alphabet. */
// @ts-ignore: decorator
@inline
function wrongCharacters(characters: v128, high: v128): v128 {
  return v128.and(
    i8x16.swizzle(v128.load(legalByLow), v128.and(characters, v128.load(lowHalves))),
    i8x16.swizzle(v128.load(legalByHigh), high),
  );
}

/** 16 characters to 12 bytes in the lower lanes (the upper four are zero). */
// @ts-ignore: decorator
@inline
function bytesOf(characters: v128, high: v128): v128 {
  // The distance from code to value depends on the high half alone, but for '/', which borrows
  // the entry below its own (the comparison answers -1 for it).
  const slash = i8x16.eq(characters, v128.load(slashes));
  const values = i8x16.add(
    characters,
    i8x16.swizzle(v128.load(distanceByHigh), i8x16.add(slash, high)),
  );
  // 4 x 6 bits to 2 x 12 bits to 24 bits per lane of 32, most significant character first.
  const pairs = v128.or(
    v128.and(i16x8.shl(values, 6), v128.load(evenSextets)),
    i16x8.shr_u(values, 8),
  );
  const groups = i32x4.dot_i16x8_s(pairs, v128.load(pairWeights));
  return i8x16.swizzle(groups, v128.load(bytesOfGroups));
}

/** 12 bytes in the lower lanes to 16 characters. */
// @ts-ignore: decorator
@inline
function charactersOf(bytes: v128): v128 {
  const groups = i8x16.swizzle(bytes, v128.load(groupsOfBytes));
  const values = v128.or(
    v128.or(
      i32x4.shr_u(groups, 18),
      v128.and(i32x4.shr_u(groups, 4), v128.load(secondSextets)),
    ),
    v128.or(
      v128.and(i32x4.shl(groups, 10), v128.load(thirdSextets)),
      v128.and(i32x4.shl(groups, 24), v128.load(fourthSextets)),
    ),
  );
  const kind = v128.or(
    i8x16.sub_sat_u(values, v128.load(lastSmallLetters)),
    v128.and(i8x16.gt_s(v128.load(firstSmallLetters), values), v128.load(capitalKinds)),
  );
  return i8x16.add(values, i8x16.swizzle(v128.load(distanceByKind), kind));
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
  let wrong = i32x4.splat(0);
  // Of the 16 bytes that a store writes 12 count: it is whole as long as another step writes over the rest.
  while (source + 32 <= end) {
    const first = v128.load(source);
    const firstHigh = highHalves(first);
    wrong = v128.or(wrong, wrongCharacters(first, firstHigh));
    v128.store(target, bytesOf(first, firstHigh));
    source += 16;
    target += 12;
  }
  if (source + 16 <= end) {
    const last = v128.load(source);
    const lastHigh = highHalves(last);
    wrong = v128.or(wrong, wrongCharacters(last, lastHigh));
    const decoded = bytesOf(last, lastHigh);
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
