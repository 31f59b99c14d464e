import { type ChildProcess, fork, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GatewayError } from '../../src/errors.js';

/** Several gateways that start at the same time on few cores take their time. */
const readyMsMax = 45_000;
const endMsMax = 5_000;
/** As it was built: from there too when this file is run as it stands. */
const root = dirname(createRequire(import.meta.url).resolve('#package.json'));
const cli = join(root, 'dist/src/cli.js');
const outputKeptMax = 4_000;
const freePortTriesMax = 100;

/** A process that the bench started. */
export interface Child {
  readonly pid: number;
  readonly process: ChildProcess;
  /** The last of what it printed. */
  output(): string;
}

/**
 * Every process that the bench starts, so that none outlives it: on the way out of `withChildren`,
 * on a signal, and on any other exit of the bench.
 */
export class Children {
  readonly #children = new Set<Child>();

  /** Forks one of our own modules, given relative to this file; it may send messages. */
  fork(module: string, args: readonly string[] = []): Child {
    const path = fileURLToPath(new URL(module, import.meta.url));
    return this.#keep(fork(path, [...args], { cwd: tmpdir(), env: {}, stdio: 'pipe' }));
  }

  /** Runs `dist/src/cli.js` with nothing of our own environment: above all no credentials. */
  runGateway(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    settings: object = {},
  ): Child {
    // What it keeps is nobody's next time. A Ctrl-C is for us to pass on: hence a process group of its own.
    const cwd = mkdtempSync(join(tmpdir(), 'bench-gateway-'));
    // JSON is YAML.
    writeFileSync(join(cwd, 'gateway.yaml'), JSON.stringify(settings));
    const child = this.#keep(spawn(process.execPath, [cli, ...args], { cwd, env, detached: true }));
    child.process.once('exit', () => rmSync(cwd, { recursive: true, force: true }));
    return child;
  }

  /** Runs another program with nothing of our own environment. */
  run(program: string, args: readonly string[]): Child {
    return this.#keep(spawn(program, args, { cwd: tmpdir(), env: {} }));
  }

  /** Ends one and waits: softly at first, then hard. */
  async end(child: Child): Promise<void> {
    if (!isRunning(child)) return;
    const ended = new Promise((resolve) => child.process.once('exit', resolve));
    child.process.kill('SIGTERM');
    const hard = setTimeout(() => child.process.kill('SIGKILL'), endMsMax);
    await ended;
    clearTimeout(hard);
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.end(child)));
  }

  /** At once and without waiting. */
  killAll(): void {
    for (const child of this.#children) child.process.kill('SIGKILL');
  }

  #keep(started: ChildProcess): Child {
    let output = '';
    const keep = (text: Buffer): void => {
      output = (output + text.toString('utf8')).slice(-outputKeptMax);
    };
    started.stdout?.on('data', keep);
    started.stderr?.on('data', keep);
    if (started.pid === undefined) throw new Error('a child process could not be started');
    const child = { pid: started.pid, process: started, output: () => output.trim() };
    this.#children.add(child);
    started.once('exit', () => this.#children.delete(child));
    return child;
  }
}

export function isRunning(child: Child): boolean {
  return child.process.exitCode === null && child.process.signalCode === null;
}

/** Runs something that starts processes; afterwards, however it ends, none of them is left. */
export async function withChildren<T>(use: (children: Children) => Promise<T>): Promise<T> {
  const children = new Children();
  const onSignal = (signal: NodeJS.Signals): void => {
    children.killAll();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  const onExit = (): void => children.killAll();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('exit', onExit);
  try {
    return await use(children);
  } finally {
    await children.endAll();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('exit', onExit);
  }
}

/** What a forked process sends, in order, none lost between one `take` and the next. */
export class Mailbox<T> {
  readonly #child: Child;
  readonly #letters: T[] = [];
  #wake: () => void = () => {};

  constructor(child: Child) {
    this.#child = child;
    child.process.on('message', (letter) => {
      this.#letters.push(letter as T);
      this.#wake();
    });
    child.process.on('exit', () => this.#wake());
  }

  /** The next message; an error if the process ends or time runs out before. */
  async take(timeoutMs: number): Promise<T> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const letter = this.#letters.shift();
      if (letter !== undefined) return letter;
      const leftMs = deadlineMs - performance.now();
      if (!isRunning(this.#child) || leftMs <= 0) {
        const what = leftMs <= 0 ? `said nothing for ${timeoutMs} ms` : 'ended';
        throw new Error(`a process of the bench ${what}: ${this.#child.output()}`);
      }
      await this.#stir(leftMs);
    }
  }

  #stir(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/**
 * A port that nothing listens on. From below the range that the system hands out (Linux: 32768 to 60999): a port of
 * that range can be the near end of somebody's connection before our process has come to listen on it.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < freePortTriesMax; tries += 1) {
    const port = randomInt(16_384, 32_768);
    if (await canListen(port)) return port;
  }
  throw new Error('no free port was found');
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Waits until a process listens. */
export async function listening(child: Child, port: number): Promise<void> {
  const deadlineMs = performance.now() + readyMsMax;
  while (performance.now() < deadlineMs) {
    if (!isRunning(child)) {
      throw new GatewayError('BAD_ARGUMENT', `the gateway did not start: ${child.output()}`);
    }
    if (await accepts(port)) return;
    await sleep(50);
  }
  throw new Error(`the gateway does not listen on ${port}: ${child.output()}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const settle = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}
