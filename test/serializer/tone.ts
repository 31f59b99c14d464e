/** A sine and what is left of it: an oracle for sound that knows nothing of filters. */

export function sine(count: number, hertz: number, rate: number, amplitude = 8_000): Int16Array {
  return Int16Array.from({ length: count }, (_, i) =>
    Math.round(amplitude * Math.sin((2 * Math.PI * hertz * i) / rate)),
  );
}

/** Decibels of the best-fitting sine of this frequency over everything else in the samples. */
export function toneSnrDb(samples: Int16Array, hertz: number, rate: number): number {
  let [ss, cc, sc, xs, xc] = [0, 0, 0, 0, 0];
  for (const [i, x] of samples.entries()) {
    const s = Math.sin((2 * Math.PI * hertz * i) / rate);
    const c = Math.cos((2 * Math.PI * hertz * i) / rate);
    ss += s * s;
    cc += c * c;
    sc += s * c;
    xs += x * s;
    xc += x * c;
  }
  const determinant = ss * cc - sc * sc;
  const a = (xs * cc - xc * sc) / determinant;
  const b = (xc * ss - xs * sc) / determinant;
  let [signal, rest] = [0, 0];
  for (const [i, x] of samples.entries()) {
    const fit =
      a * Math.sin((2 * Math.PI * hertz * i) / rate) +
      b * Math.cos((2 * Math.PI * hertz * i) / rate);
    signal += fit * fit;
    rest += (x - fit) ** 2;
  }
  return 10 * Math.log10(signal / Math.max(rest, 1e-9));
}
