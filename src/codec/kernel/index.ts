// The kernel: free functions over byte offsets into one shared memory. They allocate nothing and keep
// nothing between calls but what lies in the states they are given. All numbers are little-endian.

export { decodeBase64, encodeBase64 } from './base64';
export { level } from './level';
export { decodeMulaw, encodeMulaw } from './mulaw';
export { decodeBase64Mulaw, encodeMulawBase64 } from './mulaw-base64';
export { flush, resample, reset } from './resample';
export { scanMedia } from './scan';

/** First byte behind the kernel's own tables. */
export function dataEnd(): usize {
  return __heap_base;
}

/** Copies bytes; the two ranges may overlap. */
export function copy(source: usize, bytes: i32, target: usize): void {
  memory.copy(target, source, bytes);
}
