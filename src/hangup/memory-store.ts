import type { Entry, HangupStore, Kept } from './intent.js';

/** Keeps nothing: where there is no directory to write to, hang-ups live as long as the process. */
export class MemoryStore implements HangupStore {
  readonly recovered: Kept = { intents: new Map(), failed: new Map(), calls: new Map() };
  readonly degraded: string;

  constructor(degraded: string) {
    this.degraded = degraded;
  }

  append(_entry: Entry): void {}

  written(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
