import type { PlayoutRun } from './playout-model.js';

/** Samples at first; doubled whenever full. */
const capacityFirst = 16_000;

/** The sound that a `PlayoutModel` counts: everything kept of what the gateway sent, in order. */
export class HeardAudio {
  #samples = new Int16Array(capacityFirst);
  #count = 0;

  /** How many samples are kept. */
  get count(): number {
    return this.#count;
  }

  push(samples: Int16Array): void {
    const needed = this.#count + samples.length;
    if (needed > this.#samples.length) {
      const grown = new Int16Array(Math.max(needed, this.#samples.length * 2));
      grown.set(this.#samples.subarray(0, this.#count));
      this.#samples = grown;
    }
    this.#samples.set(samples, this.#count);
    this.#count = needed;
  }

  /** Forgets the newest `sampleCount`: they were cleared before they were heard. */
  drop(sampleCount: number): void {
    this.#count = Math.max(0, this.#count - sampleCount);
  }

  /** Everything kept, without the pauses between: what an echo is judged by. A copy. */
  joined(): Int16Array {
    return this.#samples.slice(0, this.#count);
  }

  /** What the caller heard from `fromMs` to `untilMs`, with silence where nothing played. */
  timeline(runs: readonly PlayoutRun[], span: TimelineSpan): Int16Array {
    const samplesPerMs = span.rateHz / 1_000;
    const target = new Int16Array(
      Math.max(0, Math.round((span.untilMs - span.fromMs) * samplesPerMs)),
    );
    for (const run of runs) {
      const start = Math.round((run.startMs - span.fromMs) * samplesPerMs);
      const room = target.length - start;
      if (start < 0 || room <= 0) continue;
      const count = Math.min(run.sampleCount, room, this.#count - run.firstSample);
      target.set(this.#samples.subarray(run.firstSample, run.firstSample + count), start);
    }
    return target;
  }
}

/** A stretch of a clock, ms, and the rate to draw it at. */
export interface TimelineSpan {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly rateHz: number;
}
