import type { Log } from '../log.js';

/** Anybody can send nonsense to a public port; it may not fill the log. */
const sparseMs = 10_000;

/** Warnings about what strangers do: one of a kind in ten seconds, with how many there were. */
export class SparseLog {
  readonly #log: Log;
  readonly #nowMs: () => number;
  readonly #kinds = new Map<string, { count: number; loggedAtMs: number }>();

  /** @param nowMs monotonic, for tests */
  constructor(log: Log, nowMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** @param kind from a closed list */
  warn(kind: string, fields: object, text: (count: number) => string): void {
    const known = this.#kinds.get(kind);
    const state = known ?? { count: 0, loggedAtMs: Number.NEGATIVE_INFINITY };
    if (known === undefined) this.#kinds.set(kind, state);
    state.count += 1;
    const nowMs = this.#nowMs();
    if (nowMs - state.loggedAtMs < sparseMs) return;
    this.#log.warn({ ...fields, refused: state.count }, text(state.count));
    state.count = 0;
    state.loggedAtMs = nowMs;
  }
}
