import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { nonceHeader, signatureHeaders, signatureV3 } from '../../src/plivo/signature.js';
import { freePort } from '../bench/children.js';
import { PlivoApi } from '../plivo-api.js';

const credentials = { authId: 'MAFAULT', authToken: 'token-of-the-fault-run' };
const publicUrl = 'https://fault.example.com';
/** Several gateways that start at the same time on few cores take their time. */
const readyMsMax = 45_000;
const errorsKeptMax = 4_000;
/** As it was built: from there too when this file is run as it stands. */
const root = dirname(createRequire(import.meta.url).resolve('#package.json'));
const cli = join(root, 'dist/src/cli.js');

/** What the application does is what its caller presses. */
const handler = `const handler = {
  start() {},
  dtmf(call, digit) {
    if (digit === '1') call.cancel();
    if (digit === '2') call.transfer('https://fault.example.com/next.xml');
    if (digit === '3') call.leave();
  },
};
export { handler as default };
`;

/** One telephone call, as Plivo and the caller know it. */
export class Call {
  readonly callId: string = randomUUID();
  /** By request of the gateway. */
  hungUp = 0;
  /** Whether it ought to be hung up: what happens otherwise is a crime, or a lost promise. */
  wanted = false;
  socket: WebSocket | undefined = undefined;

  connect(url: string): Promise<void> {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket = socket;
    socket.on('error', () => {});
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('open', () => {
        const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8_000 };
        const ids = { callId: this.callId, streamId: randomUUID(), accountId: credentials.authId };
        const start = { ...ids, tracks: ['inbound'], mediaFormat };
        socket.send(JSON.stringify({ sequenceNumber: 0, event: 'start', start }));
        resolve();
      });
    });
  }

  press(digit: string): void {
    const dtmf = { track: 'inbound', digit, timestamp: String(Date.now()) };
    this.socket?.send(JSON.stringify({ sequenceNumber: 1, event: 'dtmf', dtmf }));
  }
}

export interface WorldOptions {
  /** Of `hangup`. */
  readonly hangup?: object;
  /** Of `admin`, beside its port. */
  readonly admin?: object;
}

/** A gateway in a process of its own, Plivo's API, and callers. */
export class World {
  readonly api = new PlivoApi(credentials);
  readonly calls: Call[] = [];
  readonly dataDir: string;
  readonly #folder: string;
  readonly #options: WorldOptions;
  #port = 0;
  #adminPort = 0;
  #gateway: ChildProcess | undefined = undefined;

  private constructor(folder: string, options: WorldOptions) {
    this.#folder = folder;
    this.dataDir = join(folder, 'data');
    this.#options = options;
  }

  static async use<T>(options: WorldOptions, act: (world: World) => Promise<T>): Promise<T> {
    const world = new World(await mkdtemp(join(tmpdir(), 'fault-hangup-')), options);
    const onExit = (): void => void world.#gateway?.kill('SIGKILL');
    process.on('exit', onExit);
    try {
      await world.api.listen(0);
      await mkdir(world.dataDir);
      await writeFile(join(world.#folder, 'handler.mjs'), handler);
      return await act(world);
    } finally {
      process.off('exit', onExit);
      for (const { socket } of world.calls) socket?.terminate();
      await world.end('SIGKILL');
      await world.api.close();
      await rm(world.#folder, { recursive: true });
    }
  }

  /** Starts the gateway and waits until it is ready. */
  async start(): Promise<void> {
    const { child, adminPort, port, errors } = await this.spawn();
    this.#gateway = child;
    this.#port = port;
    this.#adminPort = adminPort;
    const untilMs = performance.now() + readyMsMax;
    while (performance.now() < untilMs) {
      if (child.exitCode !== null) {
        throw new Error(`the gateway ended with ${child.exitCode}: ${errors()}`);
      }
      const answer = await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined);
      if (answer?.ok === true) return;
      await sleep(50);
    }
    throw new Error('the gateway was not ready in time');
  }

  /** A gateway on this data directory, on ports of its own. */
  async spawn() {
    const [port, adminPort] = [await freePort(), await freePort()];
    const file = join(this.#folder, `${port}.yaml`);
    const settings = {
      host: '127.0.0.1',
      port,
      admin: { ...this.#options.admin, port: adminPort },
      plivo: { ...credentials, apiUrl: this.api.url },
      publicUrl,
      signatures: { upgrade: 'off' },
      dataDir: './data',
      shards: 1,
      log: { level: 'fatal' },
      hangup: this.#options.hangup ?? {},
      routes: [{ handler: './handler.mjs' }],
    };
    // JSON is YAML.
    await writeFile(file, JSON.stringify(settings));
    const child = spawn(process.execPath, [cli, 'serve', '--config', file], {
      ...{ cwd: this.#folder, env: {}, stdio: ['ignore', 'ignore', 'pipe'] },
    });
    let errors = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-errorsKeptMax);
    });
    return { child, port, adminPort, errors: () => errors.trim() };
  }

  /** Ends the gateway and waits for it. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#gateway;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  signal(signal: 'SIGTERM'): void {
    this.#gateway?.kill(signal);
  }

  /** So many live calls, known to the gateway. */
  async connect(count: number): Promise<readonly Call[]> {
    const before = (await this.readiness()).calls;
    const calls = Array.from({ length: count }, () => new Call());
    this.calls.push(...calls);
    for (const call of calls) {
      this.api.add(call.callId, {
        hangUp: () => {
          call.hungUp += 1;
          if (call.hungUp === 1) setTimeout(() => call.socket?.close(1000), 20);
          return call.hungUp === 1;
        },
        transfer: () => true,
      });
    }
    await this.reconnect(calls);
    await this.until(async () => (await this.readiness()).calls >= before + count);
    return calls;
  }

  /** New sockets for the same calls, a few at a time. */
  async reconnect(calls: readonly Call[]): Promise<void> {
    for (let at = 0; at < calls.length; at += 50) {
      const some = calls.slice(at, at + 50);
      await Promise.all(some.map((call) => call.connect(`ws://127.0.0.1:${this.#port}/stream`)));
    }
  }

  async readiness() {
    const answer = await fetch(`http://127.0.0.1:${this.#adminPort}/readyz`);
    return (await answer.json()) as { calls: number; hangupsPending: number; degraded?: string };
  }

  /** Plivo's word that a call is over, signed. */
  async hangupWebhook({ callId }: Call): Promise<number> {
    const nonce = randomUUID();
    const fields = [
      ['CallUUID', callId],
      ['Event', 'Hangup'],
      ['CallStatus', 'completed'],
    ] as const;
    const url = `${publicUrl}/hangup`;
    const signature = signatureV3('POST', url, fields, nonce, credentials.authToken);
    const answer = await fetch(`http://127.0.0.1:${this.#port}/hangup`, {
      method: 'POST',
      headers: { [nonceHeader]: nonce, [signatureHeaders[0]]: signature },
      body: new URLSearchParams(Object.fromEntries(fields)),
    });
    return answer.status;
  }

  /** Waits until every call that ought to be hung up is, or for so long. */
  async untilHungUp(deadlineMs: number): Promise<void> {
    const isDone = () => this.calls.every(({ wanted, hungUp }) => !wanted || hungUp > 0);
    await this.until(() => isDone(), deadlineMs).catch(() => {});
  }

  async until(look: () => boolean | Promise<boolean>, deadlineMs = readyMsMax): Promise<void> {
    const untilMs = performance.now() + deadlineMs;
    while (!(await look())) {
      if (performance.now() > untilMs) throw new Error('waited in vain');
      await sleep(50);
    }
  }
}
