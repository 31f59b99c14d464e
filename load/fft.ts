/** Radix-2 Fourier transform in place; both arrays have the same power-of-two length. */
export function fft(real: Float64Array, imag: Float64Array): void {
  const size = real.length;
  if (size < 1 || (size & (size - 1)) !== 0 || imag.length !== size) {
    throw new RangeError(`a transform of ${size} and ${imag.length} values`);
  }
  reverseBits(real, imag);
  for (let half = 1; half < size; half *= 2) {
    for (let k = 0; k < half; k += 1) {
      const angle = (-Math.PI * k) / half;
      const cos = Math.cos(angle);
      const sin = Math.sin(angle);
      for (let low = k; low < size; low += 2 * half) {
        const high = low + half;
        const re = real[high]! * cos - imag[high]! * sin;
        const im = real[high]! * sin + imag[high]! * cos;
        real[high] = real[low]! - re;
        imag[high] = imag[low]! - im;
        real[low] = real[low]! + re;
        imag[low] = imag[low]! + im;
      }
    }
  }
}

function reverseBits(real: Float64Array, imag: Float64Array): void {
  for (let i = 1, j = 0; i < real.length; i += 1) {
    let bit = real.length >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i >= j) continue;
    [real[i], real[j]] = [real[j]!, real[i]!];
    [imag[i], imag[j]] = [imag[j]!, imag[i]!];
  }
}

/**
 * Cross-correlation: entry `lag` is the sum over i of `pattern[i] * signal[i + lag]`, for every lag
 * at which the pattern lies within the signal.
 */
export function correlate(pattern: Float64Array, signal: Float64Array): Float64Array {
  let size = 1;
  while (size < signal.length + pattern.length) size *= 2;
  // One transform for both: the pattern as real part, the signal as imaginary part.
  const real = new Float64Array(size);
  const imag = new Float64Array(size);
  real.set(pattern);
  imag.set(signal);
  fft(real, imag);
  const productReal = new Float64Array(size);
  const productImag = new Float64Array(size);
  for (let k = 0; k < size; k += 1) {
    const mirror = (size - k) % size;
    const patternRe = (real[k]! + real[mirror]!) / 2;
    const patternIm = (imag[k]! - imag[mirror]!) / 2;
    const signalRe = (imag[k]! + imag[mirror]!) / 2;
    const signalIm = (real[mirror]! - real[k]!) / 2;
    // conj(pattern) * signal, conjugated again so that a forward transform gives the inverse.
    productReal[k] = patternRe * signalRe + patternIm * signalIm;
    productImag[k] = -(patternRe * signalIm - patternIm * signalRe);
  }
  fft(productReal, productImag);
  const lagCount = Math.max(0, signal.length - pattern.length + 1);
  return productReal.slice(0, lagCount).map((value) => value / size);
}
