import { ptimeMs } from '../../src/limits.js';
import { type Child, type Children, freePort, listening, Mailbox } from './children.js';
import type { GeneratorNotice, GeneratorOrder, GeneratorResult } from './generator-messages.js';

export const targets = ['floor', 'gateway'] as const;
export type Target = (typeof targets)[number];

export interface Server {
  readonly child: Child;
  readonly port: number;
}

/** What one target did in one round. */
export interface RoundResult extends GeneratorResult {
  readonly target: Target;
  readonly calls: number;
  /** CPU time of the whole server process in the window, per media message, µs. */
  readonly cpuUsPerMedia: number;
}

const noticeMsMax = 30_000;

export async function startServer(children: Children, target: Target): Promise<Server> {
  if (target === 'gateway') return startGateway(children);
  const child = children.fork('./floor.js');
  const { port } = await new Mailbox<{ port: number }>(child).take(noticeMsMax);
  return { child, port };
}

/** The gateway as it comes: echo at 16 kHz, no configuration file. */
async function startGateway(children: Children): Promise<Server> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const ports = ['--host', '127.0.0.1', '--port', String(port), '--admin-port', String(adminPort)];
  const child = children.runGateway(['serve', ...ports, '--log-level', 'warn']);
  await listening(child, port);
  return { child, port };
}

/** A generator process with its calls connected and media flowing. */
export class GeneratorRun {
  readonly child: Child;
  readonly #notices: Mailbox<GeneratorNotice>;
  readonly #noticeMsMax: number;

  private constructor(child: Child, order: GeneratorOrder) {
    this.child = child;
    this.#notices = new Mailbox(child);
    this.#noticeMsMax = order.warmUpMs + order.measureMs + noticeMsMax;
  }

  static async start(children: Children, order: GeneratorOrder): Promise<GeneratorRun> {
    const child = children.fork('./generator.js');
    const run = new GeneratorRun(child, order);
    await run.notice('ready');
    child.process.send(order);
    await run.notice('connected');
    return run;
  }

  /** Waits for one notice; the generator's own failure becomes an error. */
  async notice<T extends GeneratorNotice['type']>(
    type: T,
  ): Promise<Extract<GeneratorNotice, { type: T }>> {
    for (;;) {
      const notice = await this.#notices.take(this.#noticeMsMax);
      if (notice.type === 'failed') throw new Error(`the generator failed: ${notice.detail}`);
      if (notice.type === type) return notice as Extract<GeneratorNotice, { type: T }>;
    }
  }

  stop(): void {
    this.child.process.send({ type: 'stop' });
  }
}

export interface RoundOptions {
  readonly calls: number;
  readonly warmUpMs: number;
  readonly measureMs: number;
  readonly payloads: readonly string[];
}

/** Starts a server and a generator of their own, measures, and ends both. */
export async function runRound(
  children: Children,
  target: Target,
  options: RoundOptions,
): Promise<RoundResult> {
  const { child, port } = await startServer(children, target);
  const run = await GeneratorRun.start(children, { ...options, port, serverPid: child.pid });
  const { result } = await run.notice('done');
  await children.end(run.child);
  await children.end(child);
  const cpuUsPerMedia = (result.serverCpuMs * 1_000) / Math.max(1, result.windowSent);
  return { ...result, target, calls: options.calls, cpuUsPerMedia };
}

/** Media messages per second that so many calls send. */
export function mediaRate(calls: number): number {
  return (calls * 1_000) / ptimeMs;
}
