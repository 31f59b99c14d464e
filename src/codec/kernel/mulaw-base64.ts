// µ-law and base64 in one call. A fused loop was tried and was slower than these two passes, whose
// steps differ in size (12 bytes and 16). The bytes in between wait at the far end of the target's own
// room: each pass writes no faster than it reads, and every step loads before it stores.

import { dataCharacters, decodeBase64, encodeBase64 } from './base64';
import { decodeMulaw, encodeMulaw } from './mulaw';

/**
 * Decodes `bytes` base64 characters of µ-law to int16. Returns the samples written, or -1 if the text
 * is not base64, on the same terms as `decodeBase64`. `target` needs room for the samples alone.
 */
export function decodeBase64Mulaw(source: usize, bytes: i32, target: usize): i32 {
  const characters = dataCharacters(source, bytes);
  if (characters < 0) return -1;
  const codes = target + ((characters * 3) >> 2);
  const count = decodeBase64(source, bytes, codes);
  if (count > 0) decodeMulaw(codes, count, target);
  return count;
}

/** Encodes `count` samples to base64 of µ-law; returns the characters written. No overlap. */
export function encodeMulawBase64(source: usize, count: i32, target: usize): i32 {
  const codes = target + ((count + 2) / 3) * 4 - count;
  encodeMulaw(source, count, codes);
  return encodeBase64(codes, count, target);
}
