/** One event of a call, as the API shows it. */
export interface TimelineEntry {
  /** Since the upgrade of the call's first stream. */
  readonly atSeconds: number;
  readonly what: string;
  /** More of it; how long it took in milliseconds, or a name. */
  readonly detail?: string | number;
}

/** Kept of a call's beginning and of its end; in between they are only counted. */
export const entriesKept = 32;

/** The control events of one call, bounded: its first ones and its last ones. */
export class Timeline {
  readonly #originMs: number;
  readonly #first: TimelineEntry[] = [];
  readonly #last: TimelineEntry[] = [];
  #count = 0;

  /** @param originMs Unix time */
  constructor(originMs: number) {
    this.#originMs = originMs;
  }

  add(what: string, detail?: string | number, atMs = Date.now()): void {
    const atSeconds = Math.round(atMs - this.#originMs) / 1_000;
    const entry = { atSeconds, what, ...(detail !== undefined && detail !== '' && { detail }) };
    this.#count += 1;
    if (this.#first.length < entriesKept) this.#first.push(entry);
    else if (this.#last.push(entry) > entriesKept) this.#last.shift();
  }

  get entries(): readonly TimelineEntry[] {
    return [...this.#first, ...this.#last];
  }

  /** Events between the first ones and the last ones. */
  get omitted(): number {
    return this.#count - this.#first.length - this.#last.length;
  }
}
