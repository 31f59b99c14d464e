// G.711 µ-law, by arithmetic rather than by table: 16 codes or 16 samples per SIMD step.
// A code is, after inversion, sign (1 bit), segment (3), position in the segment (4).

/** Half a segment step in the 16-bit scale of a decoded sample. */
const decodeBias: i32 = 0x84;

/** One code as a sample: standard table, 0x00 -> -32124, 0x80 -> +32124, 0x7f and 0xff -> 0. */
// @ts-ignore: decorator
@inline
function sampleOf(code: u32): i32 {
  const inverted = ~code;
  const position = ((inverted & 15) << 3) + decodeBias;
  const magnitude = <i32>(position << ((inverted >> 4) & 7)) - decodeBias;
  return inverted & 0x80 ? -magnitude : magnitude;
}

/** Samples of the eight codes in the lower lanes, and of those in the upper ones. */
// @ts-ignore: decorator
@inline
function samplesLow(codes: v128): v128 {
  const inverted = v128.not(codes);
  const magnitude = i16x8.sub(
    i16x8.extmul_low_i8x16_u(positions(inverted), powers(inverted)),
    i16x8.splat(<i16>decodeBias),
  );
  const sign = i16x8.extend_low_i8x16_s(i8x16.shr_s(inverted, 7));
  return i16x8.sub(v128.xor(magnitude, sign), sign);
}

// @ts-ignore: decorator
@inline
function samplesHigh(codes: v128): v128 {
  const inverted = v128.not(codes);
  const magnitude = i16x8.sub(
    i16x8.extmul_high_i8x16_u(positions(inverted), powers(inverted)),
    i16x8.splat(<i16>decodeBias),
  );
  const sign = i16x8.extend_high_i8x16_s(i8x16.shr_s(inverted, 7));
  return i16x8.sub(v128.xor(magnitude, sign), sign);
}

/** Magnitudes in segment 0, with the bias: at most 252, so that a byte holds them. */
// @ts-ignore: decorator
@inline
function positions(inverted: v128): v128 {
  const shifted = i16x8.shl(v128.and(inverted, i8x16.splat(15)), 3);
  return i8x16.add(shifted, i8x16.splat(<i8>decodeBias));
}

/** 2 to the power of the segment: WebAssembly has no shift by a count per lane. */
// @ts-ignore: decorator
@inline
function powers(inverted: v128): v128 {
  const segments = v128.and(i8x16.shr_u(inverted, 4), i8x16.splat(7));
  return i8x16.swizzle(i8x16(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0), segments);
}

// Encoding works on 14 bits. Shifting right by two before taking the magnitude makes negative
// samples round away from zero, as in Sun's code, CPython's audioop and SoX.
const encodeBias: i32 = 33;
const magnitudeMax: i32 = 8191;

/** One sample as a code. */
// @ts-ignore: decorator
@inline
function codeOf(sample: i32): u32 {
  const shifted = sample >> 2;
  const magnitude = min((shifted < 0 ? -shifted : shifted) + encodeBias, magnitudeMax);
  const segment = 26 - clz(magnitude);
  const position = (magnitude >> (segment + 1)) & 15;
  return ((segment << 4) | position) ^ (shifted < 0 ? 0x7f : 0xff);
}

/** 16 samples as 16 codes. */
// @ts-ignore: decorator
@inline
function codesOf(first: v128, second: v128): v128 {
  const a = i16x8.shr_s(first, 2);
  const b = i16x8.shr_s(second, 2);
  const values = i8x16.narrow_i16x8_u(segmentsOf(a), segmentsOf(b));
  const negative = i8x16.narrow_i16x8_s(i16x8.shr_s(a, 15), i16x8.shr_s(b, 15));
  // Inverted as a whole for positive samples, but for the sign bit for negative ones.
  return v128.xor(values, v128.xor(i8x16.splat(-1), v128.and(negative, i8x16.splat(-128))));
}

/** Segment and position of eight 14-bit samples. */
// @ts-ignore: decorator
@inline
function segmentsOf(shifted: v128): v128 {
  const magnitude = i16x8.min_s(
    i16x8.add(i16x8.abs(shifted), i16x8.splat(<i16>encodeBias)),
    i16x8.splat(<i16>magnitudeMax),
  );
  return i16x8.narrow_i32x4_s(
    exponentsOf(i32x4.extend_low_i16x8_s(magnitude)),
    exponentsOf(i32x4.extend_high_i16x8_s(magnitude)),
  );
}

/** A float's exponent and the next four bits are just what µ-law asks for: segment and position. */
// @ts-ignore: decorator
@inline
function exponentsOf(magnitude: v128): v128 {
  const bits = i32x4.shr_u(f32x4.convert_i32x4_s(magnitude), 19);
  return i32x4.sub(bits, i32x4.splat((127 + 5) << 4));
}

/** Decodes `count` codes (bytes) to as many samples (int16). No overlap. */
export function decodeMulaw(source: usize, count: i32, target: usize): void {
  const end = source + count;
  while (source + 16 <= end) {
    const codes = v128.load(source);
    v128.store(target, samplesLow(codes));
    v128.store(target, samplesHigh(codes), 16);
    source += 16;
    target += 32;
  }
  while (source < end) {
    store<i16>(target, sampleOf(load<u8>(source)));
    source += 1;
    target += 2;
  }
}

/** Encodes `count` samples (int16) to as many codes (bytes). No overlap. */
export function encodeMulaw(source: usize, count: i32, target: usize): void {
  const end = target + count;
  while (target + 16 <= end) {
    v128.store(target, codesOf(v128.load(source), v128.load(source, 16)));
    source += 32;
    target += 16;
  }
  while (target < end) {
    store<u8>(target, codeOf(load<i16>(source)));
    source += 2;
    target += 1;
  }
}
