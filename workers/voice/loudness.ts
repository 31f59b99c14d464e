import { type Histogram, observe } from '../../src/shard/histogram.js';

/** Squares of full scale. */
const fullPower = 32_768 ** 2;
/** The largest sample that µ-law can say: what is louder was cut off there. */
const clippedPeak = 32_124;

/** How loud one direction of a call is, a second at a time. */
export class Loudness {
  readonly #block: Float64Array;
  readonly #histogram: Histogram;
  readonly #clippedAt: number;
  readonly #samplesPerSecond: number;
  #sum = 0;
  #samples = 0;
  #wholeSum = 0;
  #wholeSamples = 0;

  constructor(block: Float64Array, histogram: Histogram, clippedAt: number, rate: number) {
    this.#block = block;
    this.#histogram = histogram;
    this.#clippedAt = clippedAt;
    this.#samplesPerSecond = rate;
  }

  /** Loudness (RMS) over the whole call, as a share of full scale; undefined without any sound. */
  get ratio(): number | undefined {
    const samples = this.#wholeSamples + this.#samples;
    if (samples === 0) return undefined;
    return Math.sqrt((this.#wholeSum + this.#sum) / samples / fullPower);
  }

  /** Takes a frame: the sum of its squares, its greatest magnitude, and how many samples it has. */
  add(sum: number, peak: number, samples: number): void {
    this.#sum += sum;
    this.#samples += samples;
    if (peak >= clippedPeak) this.#block[this.#clippedAt]! += 1;
    if (this.#samples < this.#samplesPerSecond) return;
    observe(this.#block, this.#histogram, Math.sqrt(this.#sum / this.#samples / fullPower));
    this.#wholeSum += this.#sum;
    this.#wholeSamples += this.#samples;
    this.#sum = 0;
    this.#samples = 0;
  }
}
