import { transferTimeoutMs } from '../../src/limits.js';

/** A transfer that Plivo was asked for and has not answered: one at a time, and none without an end. */
export class PendingTransfer {
  #asked: Promise<boolean> | undefined = undefined;
  #resolve: ((ok: boolean) => void) | undefined = undefined;
  #deadlineMs = 0;

  /** Asking again while one is under way is answered by that one. */
  ask(nowMs: number, send: () => void): Promise<boolean> {
    this.#asked ??= new Promise<boolean>((resolve) => {
      this.#resolve = resolve;
      this.#deadlineMs = nowMs + transferTimeoutMs;
      send();
    });
    return this.#asked;
  }

  /** True while one is under way: what Plivo answers decides, and `otherwise` is for a no. */
  decides(otherwise: () => void): boolean {
    void this.#asked?.then((ok) => {
      if (!ok) otherwise();
    });
    return this.#asked !== undefined;
  }

  settle(ok: boolean): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#asked = undefined;
    resolve?.(ok);
  }

  tick(nowMs: number): void {
    if (this.#asked !== undefined && nowMs >= this.#deadlineMs) this.settle(false);
  }
}
