import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '../load/bench/children.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const slow = 180_000;

let folder = '';
let app = '';
let installed = '';
const started: ChildProcess[] = [];

interface Result {
  readonly code: number | null;
  readonly out: string;
}

/** No setting of this machine may leak into what a stranger would see. */
function environment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, ...extra };
}

function run(command: string, args: readonly string[], cwd: string): Promise<Result> {
  const child = spawn(command, args, { cwd, env: environment() });
  started.push(child);
  let out = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      out += text.toString();
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out }));
  });
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const untilMs = performance.now() + 30_000;
  while (performance.now() < untilMs) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited in vain for ${what}`);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-package-'));
  const packed = join(folder, 'packed');
  app = join(folder, 'app');
  await mkdir(packed);
  await mkdir(app);
  // The test command has built already.
  const pack = await run(
    'npm',
    ['pack', '--silent', '--ignore-scripts', '--pack-destination', packed],
    root,
  );
  expect(pack).toMatchObject({ code: 0 });
  const [file = ''] = await readdir(packed);
  await writeFile(join(app, 'package.json'), '{"name":"app","private":true,"type":"module"}');
  const options = ['--no-audit', '--no-fund', '--prefer-offline', '--omit=dev'];
  const install = await run('npm', ['install', ...options, join(packed, file)], app);
  expect([install.code, install.out]).toEqual([0, expect.any(String)]);
  installed = join(app, 'node_modules/plivo-stream-gateway');
}, slow);

afterAll(async () => {
  for (const child of started) if (child.exitCode === null) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

interface Manifest {
  readonly main?: string;
  readonly bin: Record<string, string>;
  readonly exports: Record<string, string | Record<string, string>>;
  readonly imports: Record<string, string>;
  readonly files: readonly string[];
}

describe('the package', () => {
  it('has every file that its manifest names', async () => {
    const manifest = JSON.parse(
      await readFile(join(installed, 'package.json'), 'utf8'),
    ) as Manifest;
    const targets = [...Object.values(manifest.exports), manifest.bin, manifest.imports].flatMap(
      (value) => (typeof value === 'string' ? [value] : Object.values(value)),
    );
    const missing = [...targets, ...manifest.files].filter(
      (path) => !existsSync(join(installed, path)),
    );
    expect(missing).toEqual([]);
  });

  it('brings no tests, no sources and nothing that belongs to this machine', async () => {
    const files = (await readdir(installed, { recursive: true })).filter(
      (path) => !path.startsWith('node_modules'),
    );
    expect(files.filter((path) => /^(test|src|workers|load|\.ci|data)(\/|$)/.test(path))).toEqual(
      [],
    );
    expect(files.filter((path) => /(^|\/)\.env|\.(wav|tgz|log)$|tsbuildinfo$/.test(path))).toEqual(
      [],
    );
    for (const name of ['LICENSE', 'README.md']) expect(files).toContain(name);
  });

  it(
    'has a binary that explains itself and checks a configuration',
    async () => {
      const npx = (...args: string[]) =>
        run('npx', ['--no-install', 'plivo-gateway', ...args], app);
      const help = await npx('--help');
      expect(help.code).toBe(0);
      for (const command of ['serve', 'call', 'check']) expect(help.out).toContain(command);
      expect(await npx('check')).toMatchObject({ code: 0 });
      const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
        version: string;
      };
      expect((await npx('--version')).out).toContain(version);
      await writeFile(join(app, 'broken.yaml'), 'prot: 1\n');
      const broken = await npx('check', '--config', 'broken.yaml');
      expect(broken.code).toBe(1);
      expect(broken.out).toContain('prot');
      expect(broken.out).not.toMatch(/\n\s+at /);
    },
    slow,
  );

  it(
    'starts, is ready, echoes a stream, and ends with 0 on SIGTERM',
    async () => {
      const [port, adminPort] = [await freePort(), await freePort()];
      const child = spawn(join(app, 'node_modules/.bin/plivo-gateway'), ['serve'], {
        cwd: app,
        env: environment({
          HOST: '127.0.0.1',
          PORT: String(port),
          ADMIN_PORT: String(adminPort),
          SHARDS: '1',
        }),
      });
      started.push(child);
      let out = '';
      child.stdout.on('data', (text: Buffer) => {
        out += text.toString();
      });
      const exited = once(child, 'exit');
      const ready = await until('readiness', async () => {
        const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
        return response.status === 200 ? response.json() : undefined;
      });
      expect(ready).toMatchObject({ ready: true, calls: 0 });

      const heard = await echoed(`ws://127.0.0.1:${port}/stream`);
      expect(heard).toMatchObject({
        event: 'playAudio',
        media: { contentType: 'audio/x-mulaw', sampleRate: 8_000 },
      });
      child.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
      expect(out).toContain('call started');
      expect(out).toContain('drained');
    },
    slow,
  );

  it(
    'has types that a handler in TypeScript resolves',
    async () => {
      const program = [
        "import { defineHandler, type Call } from 'plivo-stream-gateway';",
        'export default defineHandler({',
        '  start(call: Call) { call.play(new Int16Array(160), 8_000); },',
        "  dtmf(call, digit) { if (digit === '#') call.end(); },",
        '});',
        '// @ts-expect-error: there is no such callback',
        'defineHandler({ begin() {} });',
      ];
      await writeFile(join(app, 'handler.ts'), program.join('\n'));
      const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2023'];
      const typed = ['--types', '', '--exactOptionalPropertyTypes', 'handler.ts'];
      const result = await run(join(root, 'node_modules/.bin/tsc'), [...options, ...typed], app);
      expect(result).toEqual({ code: 0, out: '' });
      await writeFile(
        join(app, 'run.mjs'),
        "import { defineHandler } from 'plivo-stream-gateway';\nprocess.stdout.write(typeof defineHandler);",
      );
      expect(await run('node', ['run.mjs'], app)).toEqual({ code: 0, out: 'function' });
    },
    slow,
  );
});

/** Opens a stream, speaks until something comes back, and closes as Plivo does. */
async function echoed(url: string): Promise<unknown> {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8_000 };
  const ids = { callId: 'call-1', streamId: 'stream-1', accountId: 'MA1' };
  const start = { ...ids, tracks: ['inbound'], mediaFormat };
  socket.send(JSON.stringify({ event: 'start', sequenceNumber: 1, start, extra_headers: '' }));
  const payload = Buffer.alloc(160, 0x12).toString('base64');
  let chunk = 0;
  const speaking = setInterval(() => {
    chunk += 1;
    const media = { track: 'inbound', timestamp: String(chunk * 20), chunk, payload };
    const ends = { sequenceNumber: chunk + 1, streamId: 'stream-1', extra_headers: '' };
    socket.send(JSON.stringify({ event: 'media', ...ends, media }));
  }, 20);
  try {
    const [message] = (await once(socket, 'message', {
      signal: AbortSignal.timeout(10_000),
    })) as [Buffer];
    return JSON.parse(message.toString()) as unknown;
  } finally {
    clearInterval(speaking);
    const closed = once(socket, 'close');
    socket.close(1000);
    await closed;
  }
}
