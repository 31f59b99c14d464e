import type { LoadTarget } from './target.js';

export interface UsageSince {
  /** Cores of this whole process. */
  readonly loadCores: number;
  /** Null if the server's process is not known. */
  readonly serverCores: number | null;
  readonly serverBytes: number | null;
}

/** CPU time of both sides, from one question to the next. */
export class UsageClock {
  readonly #target: LoadTarget;
  #atMs = performance.now();
  #own = process.cpuUsage();
  #serverMs: number | null;

  constructor(target: LoadTarget) {
    this.#target = target;
    this.#serverMs = target.usage()?.cpuMs ?? null;
  }

  sinceLast(): UsageSince {
    const nowMs = performance.now();
    const spanMs = Math.max(1, nowMs - this.#atMs);
    const { user, system } = process.cpuUsage(this.#own);
    const usage = this.#target.usage();
    const before = this.#serverMs;
    this.#atMs = nowMs;
    this.#own = process.cpuUsage();
    this.#serverMs = usage?.cpuMs ?? null;
    return {
      loadCores: (user + system) / 1_000 / spanMs,
      serverCores: usage === null || before === null ? null : (usage.cpuMs - before) / spanMs,
      serverBytes: usage?.bytes ?? null,
    };
  }
}
