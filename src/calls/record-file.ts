import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from '../errors.js';
import { recordFileLinesMax } from '../limits.js';
import type { Log } from '../log.js';
import type { CallRecord } from './call-record.js';
import type { RecordOutcome, RecordSink } from './record-sinks.js';

type Handle = Awaited<ReturnType<typeof open>>;

/**
 * Call records as lines of JSON at the end of a file, for its owner to read. What comes while the disk is busy waits and
 * is written together; a file that cannot be written costs the records of that moment, and is opened anew for the next.
 */
export class RecordFile implements RecordSink {
  readonly #path: string;
  readonly #log: Log;
  readonly #count: (outcome: RecordOutcome) => void;
  #lines: string[] = [];
  #handle: Handle | undefined;
  #isStale = false;
  #isFailing = false;
  #writing: Promise<void> | undefined;

  constructor(path: string, log: Log, count: (outcome: RecordOutcome) => void) {
    this.#path = path;
    this.#log = log;
    this.#count = count;
  }

  get waiting(): number {
    return this.#lines.length;
  }

  write(record: CallRecord): void {
    if (this.#lines.length >= recordFileLinesMax) return this.#count('dropped');
    this.#lines.push(`${JSON.stringify(record)}\n`);
    this.#writing ??= this.#write();
  }

  reopen(): void {
    this.#isStale = true;
  }

  async close(withinMs: number): Promise<void> {
    const deadline = sleep(withinMs, undefined, { ref: false });
    await Promise.race([this.#writing, deadline]);
    for (const _ of this.#lines.splice(0)) this.#count('failed');
    await Promise.race([this.#handle?.close().catch(() => undefined), deadline]);
    this.#handle = undefined;
  }

  async #write(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines.splice(0);
      const problem = await this.#append(lines.join(''));
      for (const _ of lines) this.#count(problem === undefined ? 'written' : 'failed');
      this.#tell(problem);
    }
    this.#writing = undefined;
  }

  /** Answers what went wrong. */
  async #append(text: string): Promise<string | undefined> {
    try {
      if (this.#isStale) await this.#letGo();
      this.#handle ??= await this.#open();
      await this.#handle.appendFile(text);
      return undefined;
    } catch (thrown) {
      await this.#letGo();
      return errorText(thrown);
    }
  }

  async #open(): Promise<Handle> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    return open(this.#path, 'a', 0o600);
  }

  async #letGo(): Promise<void> {
    this.#isStale = false;
    await this.#handle?.close().catch(() => undefined);
    this.#handle = undefined;
  }

  /** Once when it begins to fail, once when it is well again. */
  #tell(problem: string | undefined): void {
    const isFailing = problem !== undefined;
    if (isFailing === this.#isFailing) return;
    this.#isFailing = isFailing;
    if (isFailing) this.#log.error(`call records are lost: cannot write ${this.#path}: ${problem}`);
    else this.#log.info(`call records are written to ${this.#path} again`);
  }
}
