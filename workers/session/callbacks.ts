import type { Call, Handler, Track } from '../../src/handler.js';
import { words } from '../../src/shard/layout.js';

/**
 * Runs a handler's callbacks for one session. While one runs, the shared word says whose it is; a throw or a rejected
 * promise is charged to this session and to no other.
 */
export class Callbacks {
  #handler: Handler;
  #interrupted: string[] = [];
  readonly #words: Int32Array;
  readonly #inHand: number;
  readonly #failed: (where: string, thrown: unknown) => void;

  constructor(
    handler: Handler,
    shared: Int32Array,
    slot: number,
    failed: (where: string, thrown: unknown) => void,
  ) {
    this.#handler = handler;
    this.#words = shared;
    this.#inHand = slot + 1;
    this.#failed = failed;
  }

  /** Another handler takes over; the checkpoints were those of the one before. */
  become(handler: Handler): void {
    this.#handler = handler;
    this.#interrupted = [];
  }

  start(call: Call & { readonly resumed: boolean }): void {
    const { resumed } = call;
    this.run('start', (handler) => handler.start?.(call, { resumed }));
  }

  /** Checkpoints that a clear has made void; the handler hears of them from the clock, not from within its `clear`. */
  interrupted(checkpoints: readonly string[]): void {
    this.#interrupted.push(...checkpoints);
  }

  /** Without a call there is nobody to be told. */
  tellInterrupted(call: Call | undefined): void {
    if (this.#interrupted.length === 0) return;
    const names = this.#interrupted;
    this.#interrupted = [];
    if (call === undefined) return;
    for (const name of names) this.run('played', (handler) => handler.played?.(call, name, true));
  }

  get hears(): boolean {
    return this.#handler.audio !== undefined;
  }

  /** The one callback that runs for every frame: no closure is made. */
  audio(call: Call, samples: Int16Array, track: Track): void {
    const before = this.#words[words.slotInHand]!;
    this.#words[words.slotInHand] = this.#inHand;
    try {
      const result = this.#handler.audio?.(call, samples, track);
      if (result !== undefined) this.#watch('audio', result);
    } catch (thrown) {
      this.#failed('audio', thrown);
    }
    this.#words[words.slotInHand] = before;
  }

  run(name: keyof Handler, callback: (handler: Handler) => unknown): void {
    const before = this.#words[words.slotInHand]!;
    this.#words[words.slotInHand] = this.#inHand;
    try {
      const result = callback(this.#handler);
      if (result !== undefined) this.#watch(name, result);
    } catch (thrown) {
      this.#failed(name, thrown);
    }
    this.#words[words.slotInHand] = before;
  }

  #watch(name: string, result: unknown): void {
    if (typeof (result as PromiseLike<unknown> | null)?.then !== 'function') return;
    Promise.resolve(result).catch((thrown: unknown) => this.#failed(name, thrown));
  }
}
