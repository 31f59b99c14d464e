// How loud samples are: what is needed to tell speech from silence, and sound from clipped sound.
//
// Result (offset in bytes):
//    0 i32 peak           greatest magnitude, 0 to 32768

/** Sum of the squares of `count` int16 samples; exact, as it stays far below 2^53. */
export function level(source: usize, count: i32, result: usize): f64 {
  let sums = i64x2.splat(0);
  let peaks = i16x8.splat(0);
  const end = source + (<usize>count << 1);
  const wide = source + ((<usize>count & ~7) << 1);
  let at = source;
  while (at < wide) {
    const samples = v128.load(at);
    // Two squares of -32768 make 2^31, which is right once it is read without a sign.
    const squares = i32x4.dot_i16x8_s(samples, samples);
    sums = i64x2.add(sums, i64x2.extend_low_i32x4_u(squares));
    sums = i64x2.add(sums, i64x2.extend_high_i32x4_u(squares));
    // So is the magnitude of -32768.
    peaks = i16x8.max_u(peaks, i16x8.abs(samples));
    at += 16;
  }
  let sum = i64x2.extract_lane(sums, 0) + i64x2.extract_lane(sums, 1);
  peaks = i16x8.max_u(peaks, i8x16.shuffle(peaks, peaks, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  peaks = i16x8.max_u(peaks, i8x16.shuffle(peaks, peaks, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  peaks = i16x8.max_u(peaks, i8x16.shuffle(peaks, peaks, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
  let peak = <i32>i16x8.extract_lane_u(peaks, 0);
  while (at < end) {
    const sample = <i32>load<i16>(at);
    sum += <i64>(sample * sample);
    peak = max(peak, abs(sample));
    at += 2;
  }
  store<i32>(result, peak);
  return <f64>sum;
}
