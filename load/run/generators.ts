import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type {
  CallResult,
  Dial,
  GeneratorInterval,
  GeneratorNotice,
  GeneratorOptions,
  GeneratorOrder,
} from '../generator/messages.js';
import type { Violation } from '../violations.js';

export interface GeneratorsEvents {
  interval(thread: number, interval: GeneratorInterval): void;
  started(callId: string, streamId: string): void;
  over(result: CallResult): void;
  /** A thread died: nothing that is measured afterwards is true. */
  broke(error: Error): void;
}

const stopMsMax = 5_000;

interface Thread {
  readonly worker: Worker;
  calls: number;
}

/** The generator threads, as one. */
export class Generators {
  readonly #threads: readonly Thread[];
  readonly #threadOf = new Map<string, Thread>();
  readonly #events: GeneratorsEvents;
  readonly #violations = new Map<string, Violation>();
  #stopped: () => void = () => {};
  #stopping = 0;

  constructor(count: number, options: GeneratorOptions, events: GeneratorsEvents) {
    this.#events = events;
    this.#threads = Array.from({ length: count }, (_, index) => {
      const workerData: GeneratorOptions = { ...options, seed: options.seed + index };
      const worker = new Worker(new URL('../generator/thread.js', import.meta.url), { workerData });
      const thread = { worker, calls: 0 };
      worker.on('message', (notice: GeneratorNotice) => this.#take(index, thread, notice));
      worker.on('error', (error) => events.broke(error));
      return thread;
    });
  }

  /** Calls that were begun and are not over. */
  get up(): number {
    return this.#threadOf.size;
  }

  /** Makes a call now. */
  dial(dial: Dial): void {
    const thread = this.#threads.reduce((least, one) => (one.calls < least.calls ? one : least));
    thread.calls += 1;
    this.#threadOf.set(dial.callId, thread);
    this.#order(thread, { type: 'dial', dials: [dial] });
  }

  /** A hang-up by REST. False if there is no such call. */
  hangUp(callId: string): boolean {
    const thread = this.#threadOf.get(callId);
    if (thread === undefined) return false;
    this.#order(thread, { type: 'hangUp', callId });
    return true;
  }

  endAll(): void {
    for (const thread of this.#threads) this.#order(thread, { type: 'end' });
  }

  /** Ends the threads; answers what the server did wrong. */
  async stop(): Promise<readonly Violation[]> {
    this.#stopping = this.#threads.length;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#stopped = resolve;
      timer = setTimeout(resolve, stopMsMax);
      for (const thread of this.#threads) this.#order(thread, { type: 'stop' });
    });
    clearTimeout(timer);
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
    return [...this.#violations.values()];
  }

  #order(thread: Thread, order: GeneratorOrder): void {
    thread.worker.postMessage(order);
  }

  #take(index: number, thread: Thread, notice: GeneratorNotice): void {
    switch (notice.type) {
      case 'started':
        this.#events.started(notice.callId, notice.streamId);
        return;
      case 'over':
        thread.calls -= 1;
        this.#threadOf.delete(notice.result.callId);
        this.#events.over(notice.result);
        return;
      case 'interval':
        this.#events.interval(index, notice);
        return;
      case 'stopped':
        for (const violation of notice.violations) this.#addViolation(violation);
        this.#stopping -= 1;
        if (this.#stopping === 0) this.#stopped();
        return;
    }
  }

  #addViolation(violation: Violation): void {
    const seen = this.#violations.get(violation.name);
    const count = violation.count + (seen?.count ?? 0);
    this.#violations.set(violation.name, { ...violation, count });
  }
}

export function newCallId(): string {
  return randomUUID();
}
