/**
 * Plivo's playback queue (protocol sections 3.1 to 3.3) on a clock that is handed in: no timers, no
 * I/O. Audio is counted in samples; who wants the sound keeps it in a `HeardAudio` beside this.
 *
 * Audio that arrives on an empty queue starts a run; audio that arrives before the run has played
 * out continues it without a gap. Holds always: the runs do not overlap, and their samples together
 * are what was kept, in order.
 */

/** Queue depth at which Plivo complains of an overflow, by its stricter page (section 3.1). */
const overflowFromMs = 40_000;
/** Depth at which the model refuses more, by its more generous page. */
const depthMsMax = 60_000;
/** A queue that ran dry for longer than this was a pause; shorter, the caller heard a stutter. */
const pauseMsMin = 400;

export interface PlayoutOptions {
  readonly rateHz: number;
  /**
   * How long the first audio of a run waits before it is heard, as in the jitter buffer of every
   * telephone network. 0 plays at once, and then any jitter at all is a gap.
   */
  readonly startDelayMs?: number;
  /** A queue that is dry for longer than this was emptied by a pause, and not by a stutter. */
  readonly pauseMsMin?: number;
}

/** Audio heard without a gap. `firstSample` counts from the first sample that was ever kept. */
export interface PlayoutRun {
  readonly startMs: number;
  readonly firstSample: number;
  readonly sampleCount: number;
}

/** A checkpoint that is to be answered by `playedStream`. */
export interface PlayedCheckpoint {
  readonly name: string;
  /** When the audio before it had played out. */
  readonly atMs: number;
}

/** What a clear took out of the queue. */
export interface ClearedPlayout {
  readonly droppedSamples: number;
  readonly droppedCheckpoints: number;
}

export class PlayoutModel {
  readonly #rateHz: number;
  readonly #startDelayMs: number;
  readonly #pauseMsMin: number;
  readonly #runs: PlayoutRun[] = [];
  /** Oldest first; due times never fall. */
  #pending: PlayedCheckpoint[] = [];
  #runStartMs = Number.NEGATIVE_INFINITY;
  #runFirstSample = 0;
  #runSamples = 0;
  /** The queue was emptied on purpose: what follows is no underrun. */
  #isFresh = true;
  #leadMsMax = 0;
  #underruns = 0;
  #overflows = 0;

  constructor(options: PlayoutOptions) {
    this.#rateHz = options.rateHz;
    this.#startDelayMs = options.startDelayMs ?? 0;
    this.#pauseMsMin = options.pauseMsMin ?? pauseMsMin;
  }

  /** Largest queue depth so far, ms. */
  get leadMsMax(): number {
    return this.#leadMsMax;
  }

  get underruns(): number {
    return this.#underruns;
  }

  /** Pushes that left more than 40 s in the queue. */
  get overflows(): number {
    return this.#overflows;
  }

  get checkpointsPending(): number {
    return this.#pending.length;
  }

  /** When everything queued will have played out; in the past if the queue is empty. */
  get endMs(): number {
    return this.#runStartMs + (this.#runSamples * 1_000) / this.#rateHz;
  }

  /** Milliseconds of audio that the caller has still to hear. */
  leadMs(nowMs: number): number {
    return Math.max(0, this.endMs - Math.max(nowMs, this.#runStartMs));
  }

  /** Queues audio. False if the queue is so full that it was thrown away. */
  push(sampleCount: number, nowMs: number): boolean {
    const durationMs = (sampleCount * 1_000) / this.#rateHz;
    const leadMs = this.leadMs(nowMs) + durationMs;
    if (leadMs > overflowFromMs) this.#overflows += 1;
    if (leadMs > depthMsMax) return false;
    if (nowMs >= this.endMs) this.#startRun(nowMs);
    this.#runSamples += sampleCount;
    this.#leadMsMax = Math.max(this.#leadMsMax, leadMs);
    return true;
  }

  /** Marks the end of the queue as it is now. False if that name is still pending. */
  checkpoint(name: string, nowMs: number): boolean {
    if (this.#pending.some((other) => other.name === name)) return false;
    this.#pending.push({ name, atMs: Math.max(nowMs, this.endMs) });
    return true;
  }

  /** When `advance` will next have something to say; infinite if nothing is pending. */
  nextDueMs(): number {
    return this.#pending[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Checkpoints whose audio has played out by now, each exactly once. */
  advance(nowMs: number): PlayedCheckpoint[] {
    const isDue = (checkpoint: PlayedCheckpoint) => checkpoint.atMs <= nowMs;
    const due = this.#pending.filter(isDue);
    if (due.length > 0) this.#pending = this.#pending.slice(due.length);
    return due;
  }

  /**
   * Empties the queue: `clearAudio`, or the end of the stream. Its checkpoints go unanswered; call
   * `advance` first for those whose audio has been heard.
   */
  clear(nowMs: number): ClearedPlayout {
    const heardMs = Math.max(0, nowMs - this.#runStartMs);
    const heard = Math.min(this.#runSamples, Math.floor((heardMs * this.#rateHz) / 1_000));
    const droppedSamples = this.#runSamples - heard;
    const droppedCheckpoints = this.#pending.length;
    this.#pending = [];
    this.#runSamples = heard;
    this.#isFresh = true;
    return { droppedSamples, droppedCheckpoints };
  }

  /** The timeline of what was or will be heard; between runs there is silence. */
  runs(): PlayoutRun[] {
    return this.#runSamples === 0 ? [...this.#runs] : [...this.#runs, this.#openRun()];
  }

  #openRun(): PlayoutRun {
    return {
      startMs: this.#runStartMs,
      firstSample: this.#runFirstSample,
      sampleCount: this.#runSamples,
    };
  }

  #startRun(nowMs: number): void {
    if (this.#runSamples > 0) {
      this.#runs.push(this.#openRun());
      if (!this.#isFresh && nowMs - this.endMs <= this.#pauseMsMin) this.#underruns += 1;
    }
    this.#isFresh = false;
    this.#runFirstSample += this.#runSamples;
    this.#runStartMs = nowMs + this.#startDelayMs;
    this.#runSamples = 0;
  }
}
