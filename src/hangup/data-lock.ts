import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, readlinkSync, renameSync } from 'node:fs';
import { link, mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { errorText, GatewayError } from '../errors.js';
import type { Log } from '../log.js';

/** Who holds a data directory, as its lock says. Empty where the system does not tell. */
export interface Holder {
  readonly pid: number;
  /** When the process started, in ticks of the system: a pid is used again, the two together are not. */
  readonly startTicks: string;
  readonly bootId: string;
  /** A pid means something only within its namespace (a container has one of its own). */
  readonly pidNamespace: string;
  readonly host: string;
  readonly startedAt: string;
  /** Host and port of the admin API. */
  readonly admin: string;
}

export interface DataLockOptions {
  readonly admin: string;
  /** How long a heartbeat must stand still when nothing else tells. */
  readonly stillMs?: number;
  readonly log?: Log;
}

const heartbeatMs = 2_000;
const stillMsDefault = 10_000;
const lookMs = 250;
const settleMs = 100;
const attemptsMax = 5;

/**
 * A data directory has one owner: two would hang up each other's calls. A lock of a process that is dead is taken over;
 * where pids mean nothing (another container, another machine on the same disk) its heartbeat decides.
 */
export class DataLock {
  readonly #file: string;
  readonly #text: string;
  readonly #heart: NodeJS.Timeout;
  #isReleased = false;

  private constructor(file: string, text: string, log: Log | undefined) {
    this.#file = file;
    this.#text = text;
    this.#heart = setInterval(() => void this.#beat(log), heartbeatMs);
    this.#heart.unref();
  }

  async #beat(log: Log | undefined): Promise<void> {
    try {
      if ((await readFile(this.#file, 'utf8')) !== this.#text) {
        clearInterval(this.#heart);
        log?.error({ file: this.#file }, 'another process has taken the data directory; stop one');
        return;
      }
      const now = new Date();
      await utimes(this.#file, now, now);
    } catch {
      // A heartbeat that cannot be written is the journal's trouble as well, and told there.
    }
  }

  /**
   * @returns why the directory cannot be used, if it cannot
   * @throws GatewayError DATA_LOCKED if a living process has it
   */
  static async take(
    directory: string,
    options: DataLockOptions,
  ): Promise<DataLock | { readonly degraded: string }> {
    const file = join(directory, 'lock');
    const facts = { ...self(), admin: options.admin, id: randomUUID() };
    const text = `${JSON.stringify(facts)}\n`;
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
        if ((await placed(file, text)) && (await isSettled(file, text))) {
          return new DataLock(file, text, options.log);
        }
        await removeIfDead(file, options);
      }
    } catch (thrown) {
      if (thrown instanceof GatewayError) throw thrown;
      return { degraded: `the data directory ${directory} cannot be used: ${errorText(thrown)}` };
    }
    throw locked(directory, undefined);
  }

  /** The living process that has the directory; undefined if there is none. */
  static async holder(directory: string, stillMs = stillMsDefault): Promise<Holder | undefined> {
    const file = join(directory, 'lock');
    const text = await textOf(file);
    if (text === undefined) return undefined;
    return (await lives(file, text, stillMs)) ? holderOf(text) : undefined;
  }

  /** Lets go of the directory, if it is still ours. May be called twice. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    clearInterval(this.#heart);
    if ((await textOf(this.#file)) === this.#text) await rm(this.#file, { force: true });
  }
}

/** Writes the lock whole or not at all; false if there is one. */
async function placed(file: string, text: string): Promise<boolean> {
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, text, { mode: 0o600, flag: 'wx' });
  try {
    await link(own, file);
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw thrown;
  } finally {
    await rm(own, { force: true });
  }
}

async function removeIfDead(file: string, options: DataLockOptions): Promise<void> {
  const text = await textOf(file);
  if (text === undefined) return;
  if (await lives(file, text, options.stillMs ?? stillMsDefault, options.log)) {
    throw locked(resolve(file, '..'), holderOf(text));
  }
  // Another process may have come to the same end, and have placed its lock since: then it is put back, at once.
  const aside = `${file}.${randomUUID()}`;
  try {
    if (readFileSync(file, 'utf8') !== text) return;
    renameSync(file, aside);
    if (readFileSync(aside, 'utf8') !== text) linkSync(aside, file);
  } catch {
    // It is gone already, or there is a newer one: the next attempt sees what is there.
  }
  await rm(aside, { force: true });
}

/** Whether the lock is still there after whoever was about to remove a dead one has done so. */
async function isSettled(file: string, text: string): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  return (await textOf(file)) === text;
}

async function lives(file: string, text: string, stillMs: number, log?: Log): Promise<boolean> {
  const holder = holderOf(text);
  const own = self();
  if (holder !== undefined && holder.bootId !== '' && holder.bootId === own.bootId) {
    if (holder.pidNamespace !== '' && holder.pidNamespace === own.pidNamespace) {
      const ticks = startTicks(holder.pid);
      return ticks !== '' && ticks === holder.startTicks;
    }
  }
  const beatMs = await heartbeatOf(file);
  log?.warn({ file, pid: holder?.pid, host: holder?.host }, 'is the owner of the lock alive?');
  const untilMs = performance.now() + stillMs;
  while (performance.now() < untilMs) {
    await new Promise((done) => setTimeout(done, Math.min(lookMs, stillMs)));
    const nextMs = await heartbeatOf(file);
    if (nextMs !== beatMs) return nextMs !== undefined;
  }
  return false;
}

function locked(directory: string, holder: Holder | undefined): GatewayError {
  const who = holder
    ? `process ${holder.pid} on ${holder.host} has it since ${holder.startedAt}`
    : 'another process has just taken it';
  return new GatewayError(
    'DATA_LOCKED',
    `the data directory ${directory} is in use: ${who}; stop it, or give this one a DATA_DIR of its own`,
  );
}

function self(): Omit<Holder, 'admin'> {
  return {
    pid: process.pid,
    startTicks: startTicks('self'),
    bootId: told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: told(() => readlinkSync('/proc/self/ns/pid')),
    host: hostname(),
    startedAt: new Date(performance.timeOrigin).toISOString(),
  };
}

/** Field 22 of `stat`, counted behind the name, which may hold spaces and brackets; '' for no such process. */
function startTicks(pid: number | 'self'): string {
  return told(() => {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  });
}

function told(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
}

async function heartbeatOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).mtimeMs;
  } catch {
    return undefined;
  }
}

function holderOf(text: string): Holder | undefined {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null;
    const { pid, startTicks: ticks, bootId, pidNamespace, host, startedAt, admin } = value ?? {};
    const texts = [ticks, bootId, pidNamespace, host, startedAt, admin];
    if (!Number.isSafeInteger(pid) || texts.some((member) => typeof member !== 'string')) {
      return undefined;
    }
    return value as Holder;
  } catch {
    return undefined;
  }
}
