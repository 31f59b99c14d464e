import type { StreamFormatName } from '../stream-format.js';
import type { Certificate } from './certificate.js';
import { type Child, type Children, freePort, listening, Mailbox } from './children.js';
import { startNginx } from './nginx.js';

/** How an application behind the contestant is spoken to; its own cost is not the contestant's. */
export type Behind = 'plivo' | 'pipecat';

/** One line of the bench: a server, and what it is spoken to in. */
export interface Contestant {
  readonly name: string;
  readonly program: 'floor' | 'gateway' | 'plain' | 'bare-relay' | 'nginx';
  readonly format: StreamFormatName;
  readonly isTls: boolean;
  /** Whose cost its own is a multiple of. */
  readonly floor: string;
  /** Calls are answered by an application behind it. */
  readonly behind?: Behind;
}

const mulaw = { format: 'mulaw8', isTls: false, floor: 'floor' } as const;

export const contestants: readonly Contestant[] = [
  { name: 'floor', program: 'floor', ...mulaw },
  { name: 'gateway', program: 'gateway', ...mulaw },
  { name: 'plain', program: 'plain', ...mulaw },
  { name: 'floor L16', program: 'floor', format: 'l16-16', isTls: false, floor: 'floor L16' },
  { name: 'gateway L16', program: 'gateway', format: 'l16-16', isTls: false, floor: 'floor L16' },
  { name: 'floor TLS', program: 'floor', format: 'mulaw8', isTls: true, floor: 'floor TLS' },
  { name: 'gateway TLS', program: 'gateway', format: 'mulaw8', isTls: true, floor: 'floor TLS' },
  { name: 'relay', program: 'gateway', ...mulaw, behind: 'plivo' },
  { name: 'pipecat', program: 'gateway', ...mulaw, behind: 'pipecat' },
  { name: 'bare relay', program: 'bare-relay', ...mulaw, behind: 'plivo' },
  { name: 'nginx', program: 'nginx', ...mulaw, behind: 'plivo' },
];

export interface Server {
  /** Whose cost is measured. */
  readonly child: Child;
  /** What else was started for it. */
  readonly others: readonly Child[];
  readonly url: string;
}

const readyMsMax = 15_000;

/** @returns undefined where the program is not installed */
export async function startServer(
  children: Children,
  { program, format, isTls, behind }: Contestant,
  certificate: Certificate | undefined,
): Promise<Server | undefined> {
  const application = behind && (await startApplication(children, behind, format));
  const others = application === undefined ? [] : [application.child];
  const started = await startProgram();
  if (started === undefined) {
    for (const child of others) await children.end(child);
    return undefined;
  }
  const { child, port } = started;
  return { child, others, url: `${isTls ? 'wss' : 'ws'}://127.0.0.1:${port}/stream` };

  async function startProgram(): Promise<{ child: Child; port: number } | undefined> {
    if (program === 'nginx') return startNginx(children, application!.url);
    if (program === 'gateway') {
      const upstream = application && { protocol: behind, urls: application.url };
      return startGateway(children, isTls ? certificate : undefined, upstream);
    }
    const files = isTls && certificate ? [certificate.certFile, certificate.keyFile] : [];
    const args = program === 'bare-relay' ? [application!.url] : [format, ...files];
    return forked(children, `./${program}.js`, args);
  }
}

async function forked(children: Children, module: string, args: readonly string[]) {
  const child = children.fork(module, args);
  const { port } = await new Mailbox<{ port: number }>(child).take(readyMsMax);
  return { child, port };
}

/** One that answers every frame with another, at the least cost. */
async function startApplication(children: Children, behind: Behind, format: StreamFormatName) {
  const module = behind === 'plivo' ? './floor.js' : './pipecat-application.js';
  const { child, port } = await forked(children, module, [format]);
  return { child, url: `ws://127.0.0.1:${port}/stream` };
}

/**
 * The gateway as it comes: echo at 16 kHz, which an L16 stream of 16 kHz passes through untouched; or an upstream.
 */
async function startGateway(
  children: Children,
  certificate: Certificate | undefined,
  upstream: object | undefined,
): Promise<{ child: Child; port: number }> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const ports = ['--host', '127.0.0.1', '--port', String(port), '--admin-port', String(adminPort)];
  const settings = {
    ...(certificate && { tls: { cert: certificate.certFile, key: certificate.keyFile } }),
    ...(upstream && {
      upstreams: [{ name: 'app', ...upstream }],
      routes: [{ name: 'main', upstream: 'app' }],
    }),
  };
  const child = children.runGateway(['serve', ...ports, '--log-level', 'warn'], {}, settings);
  await listening(child, port);
  return { child, port };
}
