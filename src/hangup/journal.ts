import { type FileHandle, mkdir, open } from 'node:fs/promises';
import type { Fsync } from '../config/types.js';
import { errorText } from '../errors.js';
import type { Log } from '../log.js';
import type { Entry, HangupStore, Kept } from './intent.js';
import { readSegment, removeSegments, segmentFile, segmentNumbers } from './journal-files.js';
import { callIdCharsMax, callIdOf, JournalState, lineOf } from './journal-line.js';

export interface JournalOptions {
  readonly fsync: Fsync;
  readonly log: Log;
  /** For tests of what a bad disk does: opens a file to append to. */
  readonly openFile?: (file: string) => Promise<FileHandle>;
  readonly repairMs?: number;
  readonly answerMsMax?: number;
  readonly segmentBytesMax?: number;
}

/** A file above this size is replaced by what it comes to, once it is twice what it began with. */
const segmentBytesMax = 16 * 1024 * 1024;
/** How long entries that nobody waits for gather for one write. */
const gatherMs = 2;
/** Calls in one line: it stays readable at its longest. */
const settledInLine = 64;
/** Entries written in one go when a new file takes over. */
const sliceEntries = 500;
const repairMs = 5_000;
/** A disk that takes longer is in trouble, as one that refuses. */
const answerMsMax = 5_000;
const closeMsMax = 2_000;

const filePermissions = 0o600;
const openToAppend = (file: string): Promise<FileHandle> => open(file, 'ax', filePermissions);

/**
 * Hang-ups and live calls on disk: one line per event, one write for all events of a turn. What they come to is kept in
 * memory as well, so that a new file can take over at any time: after a start, when the old one has grown, or when it
 * could not be written to.
 *
 * While a new file takes over, what is kept is written to it slice by slice, as it is at that moment, and new events
 * between the slices; the old files go when it is complete. Reading all in order comes to the same at any point.
 */
export class Journal implements HangupStore {
  readonly badLines: number;
  readonly #directory: string;
  readonly #options: JournalOptions;
  readonly #state: JournalState;
  /** What is written to; undefined while the disk is in trouble. */
  #file: { readonly handle: FileHandle; readonly number: number } | undefined = undefined;
  #number: number;
  #fileBytes = 0;
  /** Of them, what was kept when the file took over. */
  #keptBytes = 0;
  /** Files that the one that is written to will make superfluous. */
  #old: number[];
  /** Lines for the next write. */
  #lines: string[] = [];
  /** Calls for the line behind them. */
  #settled: string[] = [];
  #settledAs: 'settled' | 'over' = 'settled';
  #gatherer: NodeJS.Timeout | undefined = undefined;
  /** The write that will hold `#lines`, if one was asked for. */
  #next: Promise<void> | undefined = undefined;
  /** Writes and changes of files, one behind the other. */
  #last: Promise<void> = Promise.resolve();
  #isTakingOver = false;
  #degraded: string | undefined = undefined;
  #repairer: NodeJS.Timeout | undefined = undefined;
  #isClosed = false;

  private constructor(
    directory: string,
    options: JournalOptions,
    state: JournalState,
    numbers: readonly number[],
    readNumbers: number[],
    badLines: number,
  ) {
    this.#directory = directory;
    this.#options = options;
    this.#state = state;
    this.#old = readNumbers;
    this.#number = numbers.at(-1) ?? 0;
    this.badLines = badLines;
  }

  /** Reads what there is, and begins a new file. Never rejects for a bad disk: it is `degraded` then. */
  static async open(directory: string, options: JournalOptions): Promise<Journal> {
    const state = new JournalState();
    const readNumbers: number[] = [];
    let numbers: readonly number[] = [];
    let badLines = 0;
    let trouble: unknown;
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      numbers = await segmentNumbers(directory);
      for (const number of numbers) {
        badLines += await readSegment(segmentFile(directory, number), state, options.log);
        readNumbers.push(number);
      }
    } catch (thrown) {
      trouble = thrown;
      // What was not read may say that a call went on without us: no call is hung up on half a story.
      state.calls.clear();
    }
    const journal = new Journal(directory, options, state, numbers, readNumbers, badLines);
    if (trouble === undefined) await journal.#takeOver();
    else journal.#fail(trouble);
    return journal;
  }

  get recovered(): Kept {
    return this.#state;
  }

  get degraded(): string | undefined {
    return this.#degraded;
  }

  append(entry: Entry): void {
    // No such call can be hung up, and its line could not be read again.
    if (callIdOf(entry).length > callIdCharsMax) return;
    this.#state.apply(entry);
    // Without a file, what is kept is the truth: the next file gets it from there.
    if (this.#file === undefined || this.#isClosed) return;
    if (entry.type === 'settled' || entry.type === 'over') this.#settle(entry);
    else {
      this.#endRun();
      this.#lines.push(lineOf(entry));
    }
    this.#gatherer ??= setTimeout(() => {
      this.#gatherer = undefined;
      void this.written();
    }, gatherMs);
  }

  /** One line for a run of them: while a queue drains there is nothing else to write. */
  #settle({ type, callIds }: Extract<Entry, { readonly callIds: unknown }>): void {
    if (type !== this.#settledAs) this.#endRun();
    this.#settledAs = type;
    this.#settled.push(...callIds);
    if (this.#settled.length >= settledInLine) this.#endRun();
  }

  #endRun(): void {
    if (this.#settled.length === 0) return;
    this.#lines.push(lineOf({ type: this.#settledAs, callIds: this.#settled }));
    this.#settled = [];
  }

  written(): Promise<void> {
    if (this.#lines.length + this.#settled.length === 0) return this.#last;
    this.#next ??= this.#afterThisTurn();
    return this.#next;
  }

  /** What comes while a write is under way gathers for the next. */
  async #afterThisTurn(): Promise<void> {
    clearTimeout(this.#gatherer);
    this.#gatherer = undefined;
    await new Promise(setImmediate);
    await this.#serially(() => this.#write());
    if (this.#hasGrown()) void this.#takeOver();
  }

  #serially(step: () => Promise<void>): Promise<void> {
    const done = this.#last.then(step);
    this.#last = done.catch(() => {});
    return done;
  }

  async #write(): Promise<void> {
    this.#next = undefined;
    this.#endRun();
    const lines = this.#lines;
    this.#lines = [];
    if (this.#file === undefined || lines.length === 0) return;
    const { handle } = this.#file;
    try {
      const bytes = Buffer.from(lines.join(''));
      await this.#inTime(this.#writeTo(handle, bytes));
      this.#fileBytes += bytes.length;
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  async #writeTo(handle: FileHandle, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      at += (await handle.write(bytes, at)).bytesWritten;
    }
    if (this.#options.fsync === 'tick') await handle.datasync();
  }

  /** Nobody waits for a disk that hangs: hang-ups go on from memory. */
  async #inTime(disk: Promise<void>): Promise<void> {
    const withinMs = this.#options.answerMsMax ?? answerMsMax;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`it did not answer within ${withinMs / 1_000} s`);
      timer = setTimeout(() => reject(error), withinMs);
    });
    // What comes after the deadline is nobody's error any more.
    disk.catch(() => {});
    await Promise.race([disk, late]).finally(() => clearTimeout(timer));
  }

  #hasGrown(): boolean {
    const max = this.#options.segmentBytesMax ?? segmentBytesMax;
    return this.#fileBytes > max && this.#fileBytes > 2 * this.#keptBytes;
  }

  /** Begins a new file, and removes the others when all that is kept is in it. */
  async #takeOver(): Promise<void> {
    if (this.#isTakingOver || this.#isClosed) return;
    this.#isTakingOver = true;
    try {
      await this.#nextFile();
      let count = 0;
      for (const entry of this.#state.entries()) {
        this.#lines.push(lineOf(entry));
        count += 1;
        if (count % sliceEntries === 0) await this.written();
        if (this.#file === undefined || this.#isClosed) return;
      }
      await this.written();
      if (this.#file === undefined) return;
      this.#keptBytes = this.#fileBytes;
      const wasDegraded = this.#degraded !== undefined;
      this.#degraded = undefined;
      const { log } = this.#options;
      if (wasDegraded) log.info({ directory: this.#directory }, 'hang-ups are kept on disk again');
      await this.#removeOld();
    } catch (thrown) {
      this.#fail(thrown);
    } finally {
      this.#isTakingOver = false;
    }
  }

  /** One that stays is read again at the next start, and comes to nothing new. */
  async #removeOld(): Promise<void> {
    try {
      await this.#inTime(removeSegments(this.#directory, this.#old));
      this.#old = [];
    } catch (thrown) {
      const { log } = this.#options;
      log.warn({ detail: errorText(thrown) }, 'an old file of the journal cannot be removed');
    }
  }

  /**
   * Between two writes. A number is never used twice: a file of it may hold half a line, or, where the disk came late,
   * what an earlier process left.
   */
  #nextFile(): Promise<void> {
    return this.#serially(() => this.#inTime(this.#openNext()));
  }

  async #openNext(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const numbers = await segmentNumbers(this.#directory);
    const number = Math.max(this.#number, ...numbers) + 1;
    this.#number = number;
    const openFile = this.#options.openFile ?? openToAppend;
    const handle = await openFile(segmentFile(this.#directory, number));
    if (this.#isClosed) return handle.close();
    if (this.#options.fsync === 'tick') await syncName(this.#directory);
    const before = this.#file;
    this.#file = { handle, number };
    this.#fileBytes = 0;
    this.#keptBytes = 0;
    if (before === undefined) return;
    this.#old.push(before.number);
    await before.handle.close();
  }

  #fail(thrown: unknown): void {
    const { log } = this.#options;
    if (this.#degraded === undefined) {
      this.#degraded = `hang-ups are kept in memory only, as ${this.#directory} cannot be written: ${diskTrouble(thrown)}`;
      log.error(`${this.#degraded}; trying again every ${repairMs / 1_000} s`);
    }
    if (this.#file !== undefined) {
      this.#old.push(this.#file.number);
      void this.#file.handle.close().catch(() => {});
      this.#file = undefined;
    }
    this.#lines = [];
    this.#settled = [];
    this.#repairer ??= setInterval(() => void this.#repair(), this.#options.repairMs ?? repairMs);
    this.#repairer.unref();
  }

  async #repair(): Promise<void> {
    await this.#takeOver();
    if (this.#degraded !== undefined) return;
    clearInterval(this.#repairer);
    this.#repairer = undefined;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    const late = new Promise<void>((resolve) => setTimeout(resolve, closeMsMax).unref());
    await Promise.race([this.written(), late]);
    this.#isClosed = true;
    clearInterval(this.#repairer);
    await Promise.race([this.#file?.handle.close().catch(() => {}), late]);
    this.#file = undefined;
  }
}

/** A new file's name is in its directory, which has to reach the disk as well. Not all systems can do that. */
async function syncName(directory: string): Promise<void> {
  try {
    const handle = await open(directory, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // Its content is synced all the same.
  }
}

function diskTrouble(thrown: unknown): string {
  const { code } = thrown as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ENOSPC: 'the disk is full (ENOSPC); free some space',
    EDQUOT: 'the quota is used up (EDQUOT)',
    EROFS: 'it is read-only (EROFS); choose another directory with DATA_DIR',
    EACCES: 'no permission (EACCES); choose another directory with DATA_DIR',
    EPERM: 'no permission (EPERM); choose another directory with DATA_DIR',
    ENOTDIR: 'a part of its path is no directory (ENOTDIR)',
    EEXIST: 'there is a file in its place (EEXIST)',
  };
  return (code === undefined ? undefined : known[code]) ?? errorText(thrown);
}
