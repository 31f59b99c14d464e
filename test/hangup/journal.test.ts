import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Entry, Intent, Kept } from '../../src/hangup/intent.js';
import { Journal, type JournalOptions } from '../../src/hangup/journal.js';
import { readSegment } from '../../src/hangup/journal-files.js';
import { JournalState, lineOf } from '../../src/hangup/journal-line.js';
import { openLog } from '../../src/log.js';
import { quiet } from './fake-plivo.js';

const directories: string[] = [];
const journals: Journal[] = [];

afterEach(async () => {
  await Promise.all(journals.splice(0).map((journal) => journal.close()));
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'journal-'));
  directories.push(directory);
  return directory;
}

async function openJournal(
  directory: string,
  options: Partial<JournalOptions> = {},
): Promise<Journal> {
  const journal = await Journal.open(directory, { fsync: 'never', log: quiet, ...options });
  journals.push(journal);
  return journal;
}

/** What a new process finds. */
async function recoveredFrom(directory: string): Promise<Kept> {
  const journal = await openJournal(directory);
  expect(journal.degraded).toBeUndefined();
  return journal.recovered;
}

const segments = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.journal'))
    .toSorted();

/** What a crash would leave at this moment; files in order, as one that is gone by then is in the next. */
function copyOf(directory: string): string {
  const copy = newDirectory();
  for (const name of segments(directory)) {
    const file = join(directory, name);
    if (existsSync(file)) writeFileSync(join(copy, name), readFileSync(file));
  }
  return copy;
}

const intentOf = (callId: string): Intent => ({
  callId,
  accountId: 'MAXXXX',
  route: 'main',
  reason: 'app-end',
  speculative: false,
  requestedAt: 17,
  notBefore: 18,
});
const hangup = (callId: string): Entry => ({ type: 'hangup', intent: intentOf(callId) });
const live = (callId: string): Entry => ({
  type: 'live',
  call: { callId, accountId: 'MAXXXX', route: 'main', startedAt: 17 },
});
const failed = (callId: string): Entry => ({
  type: 'failed',
  failed: { ...intentOf(callId), failedAt: 19, attempts: 3, lastAnswer: 'status 500' },
});
const plain = ({ intents, failed, calls }: Kept) => ({
  intents: Object.fromEntries(intents),
  failed: Object.fromEntries(failed),
  calls: Object.fromEntries(calls),
});
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function recordingLog() {
  const lines: { level: string; msg: string }[] = [];
  const write = (line: string) => lines.push(JSON.parse(line));
  return { log: openLog({ level: 'info', format: 'json', privacy: 'masked' }, { write }), lines };
}

describe('a journal', () => {
  it('gives a new process what the last one left', async () => {
    const directory = join(newDirectory(), 'new', 'data');
    const journal = await openJournal(directory, { fsync: 'tick' });
    expect(plain(journal.recovered)).toEqual({ intents: {}, failed: {}, calls: {} });
    for (const entry of [hangup('a'), hangup('b'), hangup('c'), live('d'), live('e'), live('a')]) {
      journal.append(entry);
    }
    for (const entry of [live('f'), hangup('f')]) journal.append(entry);
    await journal.written();
    const settled: readonly Entry[] = [
      { type: 'settled', callIds: ['a'] },
      { type: 'over', callIds: ['f'] },
      failed('b'),
    ];
    for (const entry of settled) {
      journal.append(entry);
    }
    journal.append({ type: 'gone', callId: 'd' });
    await journal.close();
    const kept = await recoveredFrom(directory);
    expect([...kept.intents]).toEqual([['c', intentOf('c')]]);
    expect([...kept.failed.keys()]).toEqual(['b']);
    // The hang-up of a was withdrawn, its call goes on; f is over.
    expect([...kept.calls.keys()]).toEqual(['e', 'a']);
  });

  it('is for its owner’s eyes only, and is one file after a start', async () => {
    const directory = join(newDirectory(), 'data');
    for (let start = 1; start <= 3; start += 1) {
      await (await openJournal(directory)).close();
      expect(segments(directory)).toEqual([`hangups-00000${start}.journal`]);
    }
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, 'hangups-000003.journal')).mode & 0o777).toBe(0o600);
  });

  it('writes all of a turn at once, one write at a time', async () => {
    const sizes: number[] = [];
    let inFlight = 0;
    const openFile = async (file: string): Promise<FileHandle> => {
      const handle = await open(file, 'ax');
      const write = handle.write.bind(handle) as (bytes: Buffer) => ReturnType<FileHandle['write']>;
      handle.write = (async (bytes: Buffer) => {
        inFlight += 1;
        expect(inFlight).toBe(1);
        sizes.push(bytes.toString().split('\n').length - 1);
        const written = await write(bytes);
        await wait(20);
        inFlight -= 1;
        return written;
      }) as unknown as FileHandle['write'];
      return handle;
    };
    const journal = await openJournal(newDirectory(), { openFile });
    for (let i = 0; i < 50; i += 1) journal.append(hangup(`a${i}`));
    const first = journal.written();
    expect(journal.written()).toBe(first);
    for (let turn = 0; turn < 30; turn += 1) {
      await new Promise(setImmediate);
      journal.append(live(`b${turn}`));
    }
    await first;
    await journal.written();
    expect(sizes[0]).toBe(50);
    expect(sizes.reduce((a, b) => a + b)).toBe(80);
    expect(sizes.length).toBeLessThan(6);
  });

  it('writes what nobody waits for as well, soon', async () => {
    const directory = newDirectory();
    const journal = await openJournal(directory);
    journal.append(hangup('a'));
    const written = journal.written();
    // Comes in time for the same write: nothing is left for a later one.
    journal.append(hangup('b'));
    await written;
    await wait(20);
    journal.append({ type: 'settled', callIds: ['a'] });
    await wait(50);
    expect([...(await recoveredFrom(copyOf(directory))).intents.keys()]).toEqual(['b']);
  });

  it('has all that was written when it is killed', async () => {
    for (const killAfter of [1, 333, 900]) {
      const directory = newDirectory();
      const script = new URL('journal-child.mjs', import.meta.url).pathname;
      const child = spawn(process.execPath, [script, directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(child, 'exit');
      const written: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        if (line.startsWith('call-')) written.push(line);
        if (written.length === killAfter || line === 'end') child.kill('SIGKILL');
      }
      await exited;
      expect(written.length).toBeGreaterThanOrEqual(killAfter);
      const { intents } = await recoveredFrom(directory);
      expect(written.filter((callId) => !intents.has(callId))).toEqual([]);
    }
  });

  it('opens with 100,000 intents in reasonable memory', async () => {
    const directory = newDirectory();
    const lines = Array.from({ length: 100_000 }, (_, i) => lineOf(hangup(`call-${i}`)));
    writeFileSync(join(directory, 'hangups-000001.journal'), lines.join(''));
    lines.length = 0;
    const beforeBytes = process.memoryUsage().heapUsed;
    const startMs = performance.now();
    const journal = await openJournal(directory);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    expect(journal.recovered.intents.size).toBe(100_000);
    expect(process.memoryUsage().heapUsed - beforeBytes).toBeLessThan(200e6);
  });
});

describe('a damaged journal', () => {
  const count = 12;
  const lines = Array.from({ length: count }, (_, i) => lineOf(live(`call-${i}`)));
  const bytes = Buffer.from(lines.join(''));
  const starts = lines.map((_, i) => Buffer.byteLength(lines.slice(0, i).join('')));
  const lineAt = (at: number): number => starts.findLastIndex((start) => start <= at);

  it('loses the line of any one byte that is changed, and no other', async () => {
    const file = join(newDirectory(), 'file');
    for (let at = 0; at < bytes.length; at += 1) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x15;
      writeFileSync(file, damaged);
      const state = new JournalState();
      const badLines = await readSegment(file, state, quiet);
      const lost = [lineAt(at), ...(bytes[at] === 10 ? [lineAt(at + 1)] : [])];
      const kept = lines.map((_, i) => `call-${i}`).filter((_, i) => !lost.includes(i));
      expect([...state.calls.keys()], `byte ${at}`).toEqual(kept);
      expect(badLines).toBe(1);
    }
  });

  it('cut anywhere has all lines before the cut', async () => {
    const file = join(newDirectory(), 'file');
    for (let at = 0; at <= bytes.length; at += 1) {
      writeFileSync(file, bytes.subarray(0, at));
      const state = new JournalState();
      const badLines = await readSegment(file, state, quiet);
      // A line is whole without its line break.
      const whole = starts.filter((start, i) => start + lines[i]!.length - 1 <= at).length;
      expect(state.calls.size, `cut at ${at}`).toBe(whole);
      const isCutInside = !starts.includes(at) && bytes[at] !== 10 && at < bytes.length;
      expect(badLines).toBe(isCutInside ? 1 : 0);
    }
  });

  it('opens after any damage, with every line that is whole', async () => {
    const damage = fc.array(
      fc.record({
        at: fc.nat(bytes.length - 1),
        remove: fc.nat(200),
        insert: fc.uint8Array({ maxLength: 200 }),
      }),
      { minLength: 1, maxLength: 4 },
    );
    const check = async (changes: { at: number; remove: number; insert: Uint8Array }[]) => {
      let damaged = Buffer.from(bytes);
      for (const { at, remove, insert } of changes) {
        damaged = Buffer.concat([damaged.subarray(0, at), insert, damaged.subarray(at + remove)]);
      }
      const directory = newDirectory();
      writeFileSync(join(directory, 'hangups-000001.journal'), damaged);
      const journal = await openJournal(directory);
      const left = damaged.toString('latin1').split('\n');
      const good = lines.map((line) => line.trimEnd());
      const whole = good.flatMap((line, i) => (left.includes(line) ? [`call-${i}`] : []));
      expect([...journal.recovered.calls.keys()].toSorted()).toEqual(whole.toSorted());
      expect(journal.badLines).toBe(left.filter((l) => l !== '' && !good.includes(l)).length);
      await journal.close();
    };
    await fc.assert(fc.asyncProperty(damage, check), { seed: 4, numRuns: 300 });
  });

  it('skips what is far too long without reading it into memory, and names where it is', async () => {
    const directory = newDirectory();
    const file = join(directory, 'hangups-000007.journal');
    const long = 'x'.repeat(20_000_000);
    writeFileSync(file, `${lineOf(live('a'))}${long}\n${lineOf(live('b'))}foreign\n`);
    const { log, lines: logged } = recordingLog();
    const journal = await openJournal(directory, { log });
    expect([...journal.recovered.calls.keys()]).toEqual(['a', 'b']);
    expect(journal.badLines).toBe(2);
    expect(logged.filter(({ level }) => level === 'warn')).toMatchObject([
      { file, line: 2 },
      { file, line: 4 },
    ]);
  });

  it('counts every bad line and names only the first', async () => {
    const directory = newDirectory();
    writeFileSync(join(directory, 'hangups-000001.journal'), 'foreign\n'.repeat(1_000));
    const { log, lines: logged } = recordingLog();
    expect((await openJournal(directory, { log })).badLines).toBe(1_000);
    expect(logged.length).toBeLessThan(10);
  });
});

describe('a new file', () => {
  /** Any row of events, and what it comes to. */
  function churn(journal: Journal, state: JournalState, random: () => number): void {
    const callId = `call-${Math.floor(random() * 3_000)}`;
    const entries: Entry[] = [
      ...[hangup(callId), hangup(callId), live(callId), failed(callId)],
      ...[{ type: 'settled', callIds: [callId] } as const, { type: 'gone', callId } as const],
      { type: 'over', callIds: [callId] },
    ];
    const entry = entries[Math.floor(random() * entries.length)]!;
    journal.append(entry);
    state.apply(entry);
  }

  /** The same numbers in every run. */
  function randomOf(seed: number): () => number {
    let last = seed;
    return () => {
      last = (last * 1_103_515_245 + 12_345) % 2 ** 31;
      return last / 2 ** 31;
    };
  }

  it('takes over under way, and a crash at any moment loses nothing', async () => {
    const directory = newDirectory();
    const opened: string[] = [];
    const openFile = (file: string) => {
      opened.push(file);
      return open(file, 'ax');
    };
    const journal = await openJournal(directory, { segmentBytesMax: 100_000, openFile });
    const state = new JournalState();
    const random = randomOf(1);
    let copiesOfTwo = 0;
    for (let turn = 0; turn < 3_000; turn += 1) {
      for (let i = 0; i < 20; i += 1) churn(journal, state, random);
      if (turn % 3 !== 0) await new Promise(setImmediate);
      else await journal.written();
      const isTwo = segments(directory).length > 1;
      if (turn % 3 !== 0 || !(turn % 150 === 0 || (isTwo && copiesOfTwo < 60))) continue;
      if (isTwo) copiesOfTwo += 1;
      expect(plain(await recoveredFrom(copyOf(directory)))).toEqual(plain(state));
    }
    expect(opened.length).toBeGreaterThan(3);
    expect(new Set(opened).size).toBe(opened.length);
    expect(copiesOfTwo).toBeGreaterThan(3);
    await journal.close();
    expect(plain(await recoveredFrom(directory))).toEqual(plain(state));
  });

  it('is followed by the old ones’ end only when it is complete', async () => {
    const directory = newDirectory();
    const first = await openJournal(directory);
    for (let i = 0; i < 2_000; i += 1) first.append(hangup(`call-${i}`));
    await first.close();
    // The crash: a new file that has only a part, and the settled line of one that is in the old.
    const part = lineOf(hangup('call-0')) + lineOf({ type: 'settled', callIds: ['call-1'] });
    writeFileSync(join(directory, 'hangups-000002.journal'), part);
    const { intents } = await recoveredFrom(directory);
    expect(intents.size).toBe(1_999);
    expect(intents.has('call-1')).toBe(false);
    expect(segments(directory)).toEqual(['hangups-000003.journal']);
  });

  it('is not begun again and again when what is kept is large', async () => {
    const openFile = vi.fn((file: string) => open(file, 'ax'));
    const journal = await openJournal(newDirectory(), { openFile, segmentBytesMax: 10_000 });
    for (let i = 0; i < 20; i += 1) {
      const long = { ...intentOf(`call-${i}`), reason: 'x'.repeat(900) };
      journal.append({ type: 'hangup', intent: long });
    }
    await journal.written();
    for (let i = 0; i < 40; i += 1) {
      journal.append({ type: 'gone', callId: `other-${i}` });
      await journal.written();
      await wait(2);
    }
    expect(openFile.mock.calls.length).toBeLessThan(5);
  });

  it('is no trouble when an old one cannot be removed', async () => {
    const directory = newDirectory();
    const seed = await openJournal(directory);
    seed.append(hangup('a'));
    await seed.close();
    const openFile = vi.fn((file: string) => {
      if (openFile.mock.calls.length === 1) {
        const old = join(directory, 'hangups-000001.journal');
        rmSync(old);
        mkdirSync(join(old, 'in-the-way'), { recursive: true });
      }
      return open(file, 'ax');
    });
    const journal = await openJournal(directory, { openFile, repairMs: 10 });
    await wait(200);
    expect(journal.degraded).toBeUndefined();
    expect(openFile.mock.calls.length).toBe(1);
  });

  it('is not left open by a journal that is closed while it begins', async () => {
    const handles: FileHandle[] = [];
    const openFile = async (file: string) => {
      if (handles.length > 0) await wait(50);
      const handle = await open(file, 'ax');
      handles.push(handle);
      return handle;
    };
    const journal = await openJournal(newDirectory(), { openFile, segmentBytesMax: 100 });
    journal.append(hangup('a'));
    journal.append({ type: 'settled', callIds: ['a'] });
    await journal.close();
    await wait(150);
    expect(handles.map(({ fd }) => fd)).toEqual(handles.map(() => -1));
  });
});

describe('a disk in trouble', () => {
  it('is told in one sentence, and what was meant for it is written when it is repaired', async () => {
    const directory = join(newDirectory(), 'data');
    writeFileSync(directory, 'a file in its place');
    const { log, lines } = recordingLog();
    const journal = await openJournal(directory, { log, repairMs: 20 });
    expect(journal.degraded).toMatch(/in memory/);
    expect(journal.degraded).toContain(directory);
    expect(journal.degraded).toMatch(/EEXIST|ENOTDIR/);
    for (let i = 0; i < 1_200; i += 1) journal.append(hangup(`call-${i}`));
    journal.append({ type: 'settled', callIds: ['call-7'] });
    await journal.written();
    await wait(100);
    expect(journal.recovered.intents.size).toBe(1_199);
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    rmSync(directory);
    await vi.waitFor(() => expect(journal.degraded).toBeUndefined());
    expect(lines.at(-1)).toMatchObject({ level: 'info' });
    await journal.written();
    expect((await recoveredFrom(copyOf(directory))).intents.size).toBe(1_199);
    await wait(100);
    expect(segments(directory)).toHaveLength(1);
  });

  it('that is full says so, keeps all in memory, and goes on in a new file', async () => {
    const directory = newDirectory();
    let isFull = false;
    const openFile = (file: string) => (isFull ? open('/dev/full', 'a') : open(file, 'ax'));
    const { log, lines } = recordingLog();
    const journal = await openJournal(directory, { log, openFile, repairMs: 20 });
    isFull = true;
    const handle = await open(join(directory, 'hangups-000001.journal'), 'a');
    await handle.close();
    journal.append(hangup('before'));
    await journal.written();
    expect(journal.degraded).toBeUndefined();
    await journal.close();

    const later = await openJournal(directory, { log, openFile, repairMs: 20 });
    expect(later.degraded).toMatch(/full.*ENOSPC.*free/);
    later.append(hangup('during'));
    await later.written();
    await wait(100);
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    isFull = false;
    await vi.waitFor(() => expect(later.degraded).toBeUndefined());
    const { intents } = await recoveredFrom(copyOf(directory));
    expect([...intents.keys()]).toEqual(['before', 'during']);
  });

  it('that takes half a write loses nothing: what comes next goes to a new file', async () => {
    const directory = newDirectory();
    let takesHalf = false;
    const openFile = async (file: string) => {
      const handle = await open(file, 'ax');
      const write = handle.write.bind(handle) as (bytes: Buffer) => ReturnType<FileHandle['write']>;
      handle.write = (async (bytes: Buffer) => {
        if (!takesHalf) return write(bytes);
        await write(bytes.subarray(0, bytes.length / 2));
        throw Object.assign(new Error('i/o error'), { code: 'EIO' });
      }) as unknown as FileHandle['write'];
      return handle;
    };
    const journal = await openJournal(directory, { openFile, repairMs: 50 });
    journal.append(hangup('before'));
    await journal.written();
    takesHalf = true;
    journal.append(hangup('half'));
    await journal.written();
    expect(journal.degraded).toMatch(/EIO|i\/o error/);
    takesHalf = false;
    journal.append(hangup('after'));
    await vi.waitFor(() => expect(journal.degraded).toBeUndefined());
    await wait(20);
    const [only, ...others] = segments(directory);
    expect(others).toEqual([]);
    expect(only).not.toBe('hangups-000001.journal');
    expect([...(await recoveredFrom(copyOf(directory))).intents.keys()].toSorted()).toEqual([
      ...['after', 'before', 'half'],
    ]);
  });

  it('that comes late uses no number of the files on it, and these are kept', async () => {
    const mounted = newDirectory();
    writeFileSync(join(mounted, 'hangups-000005.journal'), lineOf(hangup('old')));
    const directory = join(newDirectory(), 'data');
    writeFileSync(directory, '');
    const journal = await openJournal(directory, { repairMs: 20 });
    journal.append(hangup('new'));
    rmSync(directory);
    cpSync(mounted, directory, { recursive: true });
    await vi.waitFor(() => expect(journal.degraded).toBeUndefined());
    expect(segments(directory)).toEqual(['hangups-000005.journal', 'hangups-000006.journal']);
    await journal.close();
    expect([...(await recoveredFrom(directory)).intents.keys()]).toEqual(['old', 'new']);
  });

  it('that hangs is left behind: what is kept goes on in memory, and to the next file', async () => {
    let count = 0;
    const openFile = async (file: string) => {
      const handle = await open(file, 'ax');
      count += 1;
      if (count === 1) handle.write = (() => new Promise(() => {})) as FileHandle['write'];
      return handle;
    };
    const directory = newDirectory();
    const journal = await openJournal(directory, { openFile, answerMsMax: 100, repairMs: 20 });
    journal.append(hangup('a'));
    await journal.written();
    expect(journal.degraded).toMatch(/did not answer within 0.1 s/);
    journal.append(hangup('b'));
    await vi.waitFor(() => expect(journal.degraded).toBeUndefined());
    await journal.close();
    expect([...(await recoveredFrom(directory)).intents.keys()]).toEqual(['a', 'b']);
  });

  it('that never answers holds the end up for two seconds at the most', async () => {
    const openFile = async (file: string) => {
      const handle = await open(file, 'ax');
      handle.write = (() => new Promise(() => {})) as unknown as FileHandle['write'];
      return handle;
    };
    const journal = await openJournal(newDirectory(), { openFile });
    journal.append(hangup('a'));
    const startMs = performance.now();
    await Promise.all([journal.close(), journal.close()]);
    expect(performance.now() - startMs).toBeLessThan(2_500);
    await journal.close();
  });
});
