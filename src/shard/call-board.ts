/**
 * What the shards know of their live calls, for whoever looks at the API: a few numbers per slot in shared memory,
 * written now and then by the session's shard alone, and never waited for.
 */

/** A session only moves forward. */
export const SessionState = {
  /** The socket is open, no `start` yet. */
  Opening: 0,
  Live: 1,
  /** `end()` was called: playing out, waiting for the last word to be heard. */
  Ending: 2,
  /** A hang-up or a close was asked for; nothing is delivered any more. */
  Leaving: 3,
  Closed: 4,
} as const;

/** The same in words. */
const stateNames = ['opening', 'live', 'ending', 'leaving', 'closed'] as const;

const fields = { state: 0, mediaIn: 1, mediaOut: 2, drops: 3, queuedMs: 4 } as const;
const fieldCount = Object.keys(fields).length;

export interface CallNumbers {
  readonly state: (typeof stateNames)[number];
  readonly mediaIn: number;
  readonly mediaOut: number;
  readonly drops: number;
  readonly queuedMs: number;
}

export class CallBoard {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(slots: number, memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(slots * fieldCount * 4);
    this.#words = new Int32Array(this.memory);
  }

  write(
    slot: number,
    state: number,
    mediaIn: number,
    mediaOut: number,
    drops: number,
    queuedMs: number,
  ): void {
    const at = slot * fieldCount;
    this.#words[at + fields.state] = state;
    this.#words[at + fields.mediaIn] = mediaIn;
    this.#words[at + fields.mediaOut] = mediaOut;
    this.#words[at + fields.drops] = drops;
    this.#words[at + fields.queuedMs] = queuedMs;
  }

  read(slot: number): CallNumbers {
    const [state = 0, mediaIn = 0, mediaOut = 0, drops = 0, queuedMs = 0] = this.#words.subarray(
      slot * fieldCount,
      (slot + 1) * fieldCount,
    );
    return { state: stateNames[state] ?? 'closed', mediaIn, mediaOut, drops, queuedMs };
  }
}
