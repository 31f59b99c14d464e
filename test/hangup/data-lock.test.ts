import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/errors.js';
import { DataLock } from '../../src/hangup/data-lock.js';

const admin = '127.0.0.1:8081';
const directories: string[] = [];
const locks: DataLock[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(locks.splice(0).map((lock) => lock.release()));
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'data-lock-'));
  directories.push(directory);
  return directory;
}

const lockFile = (directory: string): string => join(directory, 'lock');

async function take(directory: string, stillMs = 300, who = admin): Promise<DataLock> {
  const lock = await DataLock.take(directory, { admin: who, stillMs });
  if (!(lock instanceof DataLock)) throw new Error(lock.degraded);
  locks.push(lock);
  return lock;
}

async function refusal(directory: string, stillMs?: number): Promise<GatewayError> {
  const thrown = await take(directory, stillMs).then(
    () => new Error('was not refused'),
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(GatewayError);
  expect(thrown).toMatchObject({ code: 'DATA_LOCKED', fault: 'operator' });
  return thrown as GatewayError;
}

/** The facts of this very process, with some of them other. */
async function factsWith(other: Record<string, unknown>): Promise<string> {
  const directory = newDirectory();
  const lock = await take(directory);
  const facts = JSON.parse(readFileSync(lockFile(directory), 'utf8')) as object;
  await lock.release();
  return JSON.stringify({ ...facts, ...other });
}

async function deadPid(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid!;
}

/** Moves a lock's heartbeat, as the process that holds it would. */
function beating(directory: string): { stop(): void } {
  const timer = setInterval(() => utimesSync(lockFile(directory), new Date(), new Date()), 40);
  return { stop: () => clearInterval(timer) };
}

async function msOf(done: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await done();
  return performance.now() - startMs;
}

describe('a data directory', () => {
  it('has one owner: the second is refused, told who it is and what to do', async () => {
    const directory = join(newDirectory(), 'new', 'data');
    await take(directory);
    const { message } = await refusal(directory);
    const facts = JSON.parse(readFileSync(lockFile(directory), 'utf8'));
    expect(facts).toMatchObject({ pid: process.pid, admin });
    expect(message).toContain(directory);
    expect(message).toContain(String(process.pid));
    expect(message).toContain(facts.host);
    expect(message).toContain(facts.startedAt);
    expect(message).toMatch(/stop it.*DATA_DIR/);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(lockFile(directory)).mode & 0o777).toBe(0o600);
  });

  it('is free again after a release, which may come twice', async () => {
    const directory = newDirectory();
    const first = await take(directory);
    await first.release();
    expect(readdirSync(directory)).toEqual([]);
    await take(directory);
    await first.release();
    expect(readdirSync(directory)).toEqual(['lock']);
  });

  it('is not let go of by one who has lost it', async () => {
    const directory = newDirectory();
    const lock = await take(directory);
    writeFileSync(lockFile(directory), 'of another');
    await lock.release();
    expect(readFileSync(lockFile(directory), 'utf8')).toBe('of another');
  });

  it('has a heart that beats, but never in the lock of another', async () => {
    const [own, other] = [newDirectory(), newDirectory()];
    await Promise.all([take(own), take(other)]);
    writeFileSync(lockFile(other), 'of another');
    const before = new Date(Date.now() - 60_000);
    for (const directory of [own, other]) utimesSync(lockFile(directory), before, before);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(Date.now() - statSync(lockFile(own)).mtimeMs).toBeLessThan(2_500);
    expect(statSync(lockFile(other)).mtimeMs).toBeCloseTo(before.getTime(), -1);
  });

  it('says who lives in it', async () => {
    const directory = newDirectory();
    expect(await DataLock.holder(directory)).toBeUndefined();
    expect(await DataLock.holder(join(directory, 'missing'))).toBeUndefined();
    await take(directory);
    expect(await msOf(() => DataLock.holder(directory))).toBeLessThan(500);
    expect(await DataLock.holder(directory)).toMatchObject({ pid: process.pid, admin });
    writeFileSync(lockFile(directory), await factsWith({ pid: await deadPid() }));
    expect(await DataLock.holder(directory)).toBeUndefined();
  });

  it('that cannot be used is no error: it says why', async () => {
    const file = join(newDirectory(), 'file');
    writeFileSync(file, '');
    const inside = join(newDirectory(), 'data');
    mkdirSync(lockFile(inside), { recursive: true });
    for (const directory of [file, join(file, 'below'), '/sys/data', inside]) {
      const lock = await DataLock.take(directory, { admin });
      expect(lock).not.toBeInstanceOf(DataLock);
      expect((lock as { degraded: string }).degraded).toContain(directory);
    }
  });
});

describe('a lock that was left behind', () => {
  it('of a dead process is taken over at once', async () => {
    const directory = newDirectory();
    writeFileSync(lockFile(directory), await factsWith({ pid: await deadPid() }));
    expect(await msOf(() => take(directory, 10_000))).toBeLessThan(1_000);
    expect(readdirSync(directory)).toEqual(['lock']);
    expect(await DataLock.holder(directory)).toMatchObject({ pid: process.pid });
  });

  it('of a process that had the same pid is taken over at once', async () => {
    const directory = newDirectory();
    for (const startTicks of ['1', '']) {
      writeFileSync(lockFile(directory), await factsWith({ startTicks }));
      await (await take(directory)).release();
    }
    const ticks = { pid: await deadPid(), startTicks: '' };
    writeFileSync(lockFile(directory), await factsWith(ticks));
    await take(directory);
  });

  it('of a living process with a name that is hard to read is refused', async () => {
    const directory = newDirectory();
    const name = 'a) S 1 (b';
    const child = spawn('bash', ['-c', `printf %s '${name}' > /proc/$$/comm; echo; read -r`]);
    children.push(child);
    await once(child.stdout, 'data');
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
    expect(stat).toContain(`(${name})`);
    const startTicks = stat.replace(`(${name})`, 'name').split(' ')[21];
    writeFileSync(lockFile(directory), await factsWith({ pid: child.pid, startTicks }));
    expect((await refusal(directory)).message).toContain(String(child.pid));
  });

  it.each([
    ['of another namespace', { pidNamespace: 'pid:[1]' }],
    ['of another boot', { bootId: 'another' }],
    ['of a system that tells nothing', { bootId: '', pidNamespace: '' }],
    ['of a process without a name', { pid: 'garbage' }],
  ])('%s is judged by its heartbeat', async (_name, other) => {
    const directory = newDirectory();
    writeFileSync(lockFile(directory), await factsWith(other));
    const heart = beating(directory);
    await refusal(directory, 2_000);
    heart.stop();
    expect(await msOf(() => take(directory, 400))).toBeGreaterThan(390);
  });

  it.each([
    ['nothing', ''],
    ['half an object', '{'],
    ['null', 'null'],
    ['a list', '[]'],
    ['a bare pid', '{"pid":1}'],
    ['5,000 zero bytes', '\u0000'.repeat(5_000)],
  ])('that holds %s is judged by its heartbeat', async (_name, text) => {
    const directory = newDirectory();
    writeFileSync(lockFile(directory), text);
    const heart = beating(directory);
    await refusal(directory, 2_000);
    heart.stop();
    await take(directory, 300);
    expect(readdirSync(directory)).toEqual(['lock']);
  });
});

describe('a race', () => {
  const rounds = 40;

  it.each([
    ['an empty directory', false],
    ['a dead lock', true],
  ])('for %s has one winner', async (_name, isDead) => {
    const dead = await factsWith({ pid: await deadPid() });
    for (let round = 0; round < rounds; round += 1) {
      const directory = newDirectory();
      if (isDead) writeFileSync(lockFile(directory), dead);
      const takers = Array.from({ length: 8 }, (_, i) => take(directory, 300, `taker-${i}`));
      const results = await Promise.allSettled(takers);
      const winners = results.filter(({ status }) => status === 'fulfilled');
      const refused = results.filter((one) => one.status === 'rejected').map((one) => one.reason);
      expect(winners, `round ${round}`).toHaveLength(1);
      for (const reason of refused) expect(reason).toMatchObject({ code: 'DATA_LOCKED' });
      expect(readdirSync(directory)).toEqual(['lock']);
    }
  });

  it('of processes for a dead lock has one winner', async () => {
    const dead = await factsWith({ pid: await deadPid() });
    const script = new URL('data-lock-child.mjs', import.meta.url).pathname;
    for (let round = 0; round < 6; round += 1) {
      const directory = newDirectory();
      writeFileSync(lockFile(directory), dead);
      const takers = Array.from({ length: 6 }, () => {
        const child = spawn(process.execPath, [script, directory]);
        children.push(child);
        return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
      });
      await Promise.all(takers.map(({ lines }) => lines.next()));
      for (const { child } of takers) child.stdin.write('go\n');
      const answers = await Promise.all(
        takers.map(async ({ lines }) => (await lines.next()).value),
      );
      expect(answers.toSorted()).toEqual([...Array(5).fill('refused'), 'won']);
      for (const { child } of takers) child.kill('SIGKILL');
    }
  });
});
