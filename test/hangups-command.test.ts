import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { World } from '../load/hangup/world.js';
import { DataLock } from '../src/hangup/data-lock.js';
import { lineOf } from '../src/hangup/journal-line.js';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const cli = fileURLToPath(new URL('../dist/src/cli.js', import.meta.url));

function hangups(dataDir: string, ...args: string[]) {
  return hangupsWith({}, dataDir, ...args);
}

async function hangupsWith(env: Record<string, string>, dataDir: string, ...args: string[]) {
  const run = promisify(execFile)(
    process.execPath,
    [cli, 'hangups', '--data-dir', dataDir, ...args],
    { cwd: tmpdir(), env },
  );
  const { code, stdout, stderr } = await run.then(
    (output) => ({ code: 0, ...output }),
    (failed: unknown) => failed as { code: number; stdout: string; stderr: string },
  );
  return { code, stdout, stderr };
}

async function json(dataDir: string, ...args: string[]) {
  return JSON.parse((await hangups(dataDir, '--json', ...args)).stdout) as {
    hangups: { callId: string; state: string; lastAnswer: string }[];
  };
}

describe('the hangups command without a gateway', () => {
  function kept(): string {
    const folder = mkdtempSync(join(tmpdir(), 'hangups-command-'));
    folders.push(folder);
    const dataDir = join(folder, 'data');
    mkdirSync(dataDir);
    const facts = { accountId: 'MA1', route: 'main', reason: 'app-end', speculative: false };
    const times = { requestedAt: Date.now() - 90_000, notBefore: Date.now() - 90_000 };
    const pending = { callId: 'waits', ...facts, ...times };
    const failure = { failedAt: Date.now(), attempts: 7, lastAnswer: 'status 500\n\u001b[2J' };
    const failed = { callId: 'gave-up', ...facts, ...times, ...failure };
    const lines = [
      lineOf({ type: 'hangup', intent: pending }),
      lineOf({ type: 'failed', failed }),
      'foreign',
    ];
    writeFileSync(join(dataDir, 'hangups-000003.journal'), lines.join(''));
    return dataDir;
  }

  it('lists what is in the data directory, and changes nothing', async () => {
    const dataDir = kept();
    const { code, stdout } = await hangups(dataDir);
    expect(code).toBe(0);
    expect(stdout).toContain('1 pending, 1 failed');
    expect(stdout).toMatch(/gave-up +failed +9\ds +7 +app-end +MA1 +status 500\\n/);
    expect(stdout).toMatch(/waits +pending +9\ds/);
    expect(stdout).not.toContain('\u001b');
    expect(readdirSync(dataDir)).toEqual(['hangups-000003.journal']);
  });

  it('tries a failed one again, and gives one up', async () => {
    const dataDir = kept();
    expect(await hangups(dataDir, '--retry', 'waits')).toMatchObject({ code: 1 });
    expect((await hangups(dataDir, '--retry')).stdout).toContain('1 will be tried again');
    const states = (await json(dataDir)).hangups.map(({ callId, state }) => `${callId} ${state}`);
    expect(states.toSorted()).toEqual(['gave-up pending', 'waits pending']);
    expect((await hangups(dataDir, '--drop', 'waits')).code).toBe(0);
    expect((await hangups(dataDir, '--drop', 'waits')).code).toBe(1);
    expect((await json(dataDir)).hangups.map(({ callId }) => callId)).toEqual(['gave-up']);
    expect(readdirSync(dataDir)).not.toContain('lock');
  });

  it('has nothing to say of a directory that does not exist', async () => {
    const { code, stdout } = await hangups(join(tmpdir(), 'there-is-no-such-directory'));
    expect([code, stdout]).toEqual([0, expect.stringContaining('0 pending, 0 failed')]);
  });
});

describe('the hangups command beside a gateway', () => {
  it('asks it, and has it try again or give up', { timeout: 60_000 }, async () => {
    await World.use({}, async (world) => {
      await world.start();
      const [first, second] = await world.connect(2);
      for (const call of [first!, second!]) call.wanted = true;
      world.api.failAll({ status: 405 });
      first!.press('1');
      second!.press('1');
      await world.until(async () => {
        const { hangups: list } = await json(world.dataDir);
        return list.filter(({ state }) => state === 'failed').length === 2;
      });
      const { stdout } = await hangups(world.dataDir);
      expect(stdout).toMatch(/0 pending, 2 failed \(the gateway at 127\.0\.0\.1:\d+\)/);
      expect(stdout).toContain('status 405');
      expect((await hangups(world.dataDir, '--drop', second!.callId)).code).toBe(0);
      world.api.failAll(undefined);
      expect((await hangups(world.dataDir, '--retry')).stdout).toContain('1 will be tried again');
      await world.until(() => first!.hungUp === 1);
      expect(second!.hungUp).toBe(0);
      await world.until(async () => (await json(world.dataDir)).hangups.length === 0);
    });
  });

  it.each(['127.0.0.1', '0.0.0.0'])(
    'on %s sends it the token, and says what is wrong with another',
    { timeout: 60_000 },
    async (host) => {
      const token = 'token-of-the-tests';
      await World.use({ admin: { host, token } }, async (world) => {
        await world.start();
        const right = await hangupsWith({ ADMIN_TOKEN: token }, world.dataDir);
        expect(right).toMatchObject({ code: 0, stderr: '' });
        expect(right.stdout).toContain('0 pending, 0 failed (the gateway at 127.0.0.1:');
        for (const args of [[], ['--retry'], ['--retry', 'a'], ['--drop', 'a']]) {
          const none = await hangups(world.dataDir, ...args);
          expect(none).toMatchObject({ code: 1, stdout: '' });
          expect(none.stderr).toContain("refuses: send the gateway's ADMIN_TOKEN");
        }
        const wrong = await hangupsWith({ ADMIN_TOKEN: `not-${token}` }, world.dataDir);
        expect(wrong).toMatchObject({ code: 1, stdout: '' });
        expect(wrong.stderr).toContain("refuses: this is not the gateway's ADMIN_TOKEN");
        const unknown = await hangupsWith({ ADMIN_TOKEN: token }, world.dataDir, '--drop', 'a');
        expect(unknown.stdout).toContain('no hang-up of a');
      });
    },
  );

  it('finds it by an IPv6 address, and repeats what it says of a refusal on one line', async () => {
    const asked: (string | undefined)[] = [];
    const server = createServer(({ headers }, response) => {
      asked.push(headers.host, headers.authorization);
      response.writeHead(503).end(JSON.stringify({ error: 'later\u001b[2J\n' }));
    });
    await once(server.listen(0, '::1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const folder = mkdtempSync(join(tmpdir(), 'hangups-command-'));
    folders.push(folder);
    const lock = await DataLock.take(folder, { admin: `::1:${port}` });
    if (!(lock instanceof DataLock)) throw new Error(lock.degraded);
    try {
      const answer = await hangups(folder);
      expect(asked).toEqual([`[::1]:${port}`, undefined]);
      expect(answer).toMatchObject({ code: 1, stdout: '' });
      expect(answer.stderr).toContain(`at [::1]:${port} refuses: later\\u001b[2J\\n\n`);
    } finally {
      await lock.release();
      server.close();
    }
  });
});
