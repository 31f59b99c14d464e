import { designFilter } from '../../src/codec/filters.js';

/** The kernel's resampler in plain TypeScript: the same filter, one product at a time. */
export class PlainResampler {
  readonly #phases: number;
  readonly #decimation: number;
  readonly #taps: number;
  readonly #gain: number;
  readonly #coefficients: Float64Array;
  #past: Float64Array;
  #phase = 0;
  #position = 0;

  constructor(sourceRate: number, targetRate: number) {
    const filter = designFilter(sourceRate, targetRate);
    this.#phases = filter.phases;
    this.#decimation = filter.decimation;
    this.#taps = filter.taps;
    this.#gain = filter.gain;
    this.#coefficients = Float64Array.from(filter.coefficients);
    this.#past = new Float64Array(filter.taps - 1);
  }

  push(samples: Int16Array): Int16Array {
    const taps = this.#taps;
    const coefficients = this.#coefficients;
    const gain = this.#gain;
    const work = new Float64Array(taps - 1 + samples.length);
    work.set(this.#past);
    work.set(samples, taps - 1);
    const output = new Int16Array(
      Math.ceil((samples.length * this.#phases) / this.#decimation) + 1,
    );
    let count = 0;
    let phase = this.#phase;
    let position = this.#position;
    while (position < samples.length) {
      const first = phase * taps;
      // Four sums, as additions to one alone would wait for each other. The taps are a multiple of eight.
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      for (let tap = 0; tap < taps; tap += 4) {
        a += coefficients[first + tap]! * work[position + tap]!;
        b += coefficients[first + tap + 1]! * work[position + tap + 1]!;
        c += coefficients[first + tap + 2]! * work[position + tap + 2]!;
        d += coefficients[first + tap + 3]! * work[position + tap + 3]!;
      }
      const sum = a + b + (c + d);
      output[count] = Math.max(-32_768, Math.min(32_767, Math.round(sum / gain)));
      count += 1;
      phase += this.#decimation;
      position += Math.floor(phase / this.#phases);
      phase %= this.#phases;
    }
    this.#phase = phase;
    this.#position = position - samples.length;
    this.#past = work.slice(samples.length);
    return output.subarray(0, count);
  }
}

/** What one writes first: zeros between the samples, a windowed sinc over all, every M-th is kept. */
export class NaiveResampler {
  readonly #up: number;
  readonly #down: number;
  readonly #taps: Float64Array;
  #past: Float64Array;

  constructor(sourceRate: number, targetRate: number) {
    const { phases, decimation } = designFilter(sourceRate, targetRate);
    this.#up = phases;
    this.#down = decimation;
    const period = Math.max(phases, decimation);
    const length = 40 * period;
    this.#taps = Float64Array.from({ length }, (_, i) => {
      const t = (i - length / 2) / period;
      const window = 0.54 - 0.46 * Math.cos((2 * Math.PI * i) / length);
      return ((t === 0 ? 1 : Math.sin(Math.PI * t) / (Math.PI * t)) * window * phases) / period;
    });
    this.#past = new Float64Array(length);
  }

  /** A chunk must be a whole number of M samples. */
  push(samples: Int16Array): Int16Array {
    const taps = this.#taps;
    const length = taps.length;
    const work = new Float64Array(length + samples.length * this.#up);
    work.set(this.#past);
    for (let i = 0; i < samples.length; i += 1) work[length + i * this.#up] = samples[i]!;
    const output = new Int16Array((samples.length * this.#up) / this.#down);
    for (let n = 0; n < output.length; n += 1) {
      let sum = 0;
      const first = n * this.#down + 1;
      for (let i = 0; i < length; i += 1) sum += taps[i]! * work[first + i]!;
      output[n] = Math.max(-32_768, Math.min(32_767, Math.round(sum)));
    }
    this.#past = work.slice(-length);
    return output;
  }
}
