/**
 * The generator, run as a child process: many µ-law calls, each with a message every 20 ms at its
 * own place within the 20 ms, all from one absolute schedule. Message k of all is due at
 * t0 + k × 20 ms / calls, and is sent late rather than never.
 */
import { errorText } from '../../src/errors.js';
import { ptimeMs } from '../../src/limits.js';
import type {
  GeneratorNotice,
  GeneratorOrder,
  GeneratorResult,
  GeneratorStop,
} from './generator-messages.js';
import { MeasuredWindow } from './measured-window.js';
import { RawStream } from './raw-stream.js';

/** Streams that are opened at the same time. */
const openingMax = 32;
/** Sending pauses after this long, so that answers are read even when the machine is too slow. */
const sendingMsMax = 4;
/** How long the last answers may take. */
const settleMsMax = 3_000;
/** Calls begin at different places of the speech, this many messages apart. */
const payloadStride = 7;

function notify(notice: GeneratorNotice): void {
  process.send?.(notice);
}

class Generator {
  readonly #order: GeneratorOrder;
  readonly #payloads: readonly Buffer[];
  readonly #streams: readonly RawStream[];
  /** Messages that are due, counted over all calls. */
  #next = 0;
  #startMs = 0;
  #window: MeasuredWindow | null = null;
  #closed = 0;
  #isStopped = false;

  constructor(order: GeneratorOrder) {
    this.#order = order;
    this.#payloads = order.payloads.map((payload) => Buffer.from(payload, 'latin1'));
    this.#streams = Array.from(
      { length: order.calls },
      () =>
        new RawStream({
          port: order.port,
          onReturn: (sentAtMs, nowMs) => this.#window?.returned(sentAtMs, nowMs),
          onReply: () => this.#window?.reply(),
          onClose: () => {
            this.#closed += 1;
          },
        }),
    );
  }

  stop(): void {
    this.#isStopped = true;
  }

  async run(): Promise<GeneratorResult> {
    for (let i = 0; i < this.#streams.length; i += openingMax) {
      await Promise.all(this.#streams.slice(i, i + openingMax).map((stream) => stream.open()));
    }
    notify({ type: 'connected' });
    this.#startMs = performance.now();
    await new Promise<void>((resolve) => this.#look(resolve));
    await this.#settle();
    for (const stream of this.#streams) stream.close();
    return this.#result();
  }

  #look(done: () => void): void {
    const nowMs = performance.now();
    const sinceMs = nowMs - this.#startMs;
    const { warmUpMs, measureMs, serverPid } = this.#order;
    if (sinceMs >= warmUpMs) this.#window ??= new MeasuredWindow(serverPid, nowMs);
    this.#window?.look(nowMs);
    if (sinceMs >= warmUpMs + measureMs || this.#isStopped) {
      this.#window?.close(nowMs);
      done();
      return;
    }
    const isBehind = this.#sendDue(nowMs + sendingMsMax);
    if (isBehind) setImmediate(() => this.#look(done));
    else setTimeout(() => this.#look(done), 1);
  }

  /** Sends what is due; true if there was no time for all of it. */
  #sendDue(untilMs: number): boolean {
    const { calls } = this.#order;
    for (;;) {
      const dueMs = this.#startMs + (this.#next * ptimeMs) / calls;
      const nowMs = performance.now();
      if (dueMs > nowMs) return false;
      if (nowMs > untilMs) return true;
      const call = this.#next % calls;
      const index = Math.floor(this.#next / calls) + call * payloadStride;
      const payload = this.#payloads[index % this.#payloads.length];
      const stream = this.#streams[call];
      if (payload !== undefined) stream?.sendMedia(payload, nowMs, performance.timeOrigin + dueMs);
      this.#next += 1;
      this.#window?.sent(nowMs - dueMs);
    }
  }

  #lost(): number {
    return this.#streams.reduce((sum, { sent, returned }) => sum + sent - returned, 0);
  }

  async #settle(): Promise<void> {
    const deadlineMs = performance.now() + settleMsMax;
    while (this.#lost() > 0 && performance.now() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  #result(): GeneratorResult {
    const window = this.#window ?? new MeasuredWindow(this.#order.serverPid, performance.now());
    return { ...window.figures(), lost: this.#lost(), closed: this.#closed };
  }
}

let generator: Generator | null = null;

process.on('message', (message: GeneratorOrder | GeneratorStop) => {
  if ('type' in message) {
    generator?.stop();
    return;
  }
  generator = new Generator(message);
  generator.run().then(
    (result) => notify({ type: 'done', result }),
    (error: unknown) => notify({ type: 'failed', detail: errorText(error) }),
  );
});
process.on('disconnect', () => process.exit());
notify({ type: 'ready' });
