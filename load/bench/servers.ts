import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { StreamFormatName } from '../stream-format.js';
import type { Certificate } from './certificate.js';
import { type Child, type Children, freePort, listening, Mailbox } from './children.js';

/** One line of the bench: a server, and what it is spoken to in. */
export interface Contestant {
  readonly name: string;
  readonly program: 'floor' | 'gateway' | 'plain';
  readonly format: StreamFormatName;
  readonly isTls: boolean;
  /** Whose cost its own is a multiple of. */
  readonly floor: string;
}

export const contestants: readonly Contestant[] = [
  { name: 'floor', program: 'floor', format: 'mulaw8', isTls: false, floor: 'floor' },
  { name: 'gateway', program: 'gateway', format: 'mulaw8', isTls: false, floor: 'floor' },
  { name: 'plain', program: 'plain', format: 'mulaw8', isTls: false, floor: 'floor' },
  { name: 'floor L16', program: 'floor', format: 'l16-16', isTls: false, floor: 'floor L16' },
  { name: 'gateway L16', program: 'gateway', format: 'l16-16', isTls: false, floor: 'floor L16' },
  { name: 'floor TLS', program: 'floor', format: 'mulaw8', isTls: true, floor: 'floor TLS' },
  { name: 'gateway TLS', program: 'gateway', format: 'mulaw8', isTls: true, floor: 'floor TLS' },
];

export interface Server {
  readonly child: Child;
  readonly url: string;
}

const readyMsMax = 15_000;

export async function startServer(
  children: Children,
  { program, format, isTls }: Contestant,
  certificate: Certificate | undefined,
): Promise<Server> {
  const scheme = isTls ? 'wss' : 'ws';
  if (program === 'gateway') {
    const { child, port } = await startGateway(children, isTls ? certificate : undefined);
    return { child, url: `${scheme}://127.0.0.1:${port}/stream` };
  }
  const files = isTls && certificate ? [certificate.certFile, certificate.keyFile] : [];
  const child = children.fork(`./${program}.js`, [format, ...files]);
  const { port } = await new Mailbox<{ port: number }>(child).take(readyMsMax);
  return { child, url: `${scheme}://127.0.0.1:${port}/stream` };
}

/** The gateway as it comes: echo at 16 kHz, which an L16 stream of 16 kHz passes through untouched. */
async function startGateway(
  children: Children,
  certificate: Certificate | undefined,
): Promise<{ child: Child; port: number }> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const ports = ['--host', '127.0.0.1', '--port', String(port), '--admin-port', String(adminPort)];
  const config = certificate === undefined ? [] : ['--config', await tlsConfig(certificate)];
  const child = children.runGateway(['serve', ...ports, '--log-level', 'warn', ...config]);
  await listening(child, port);
  return { child, port };
}

async function tlsConfig({ certFile, keyFile }: Certificate): Promise<string> {
  const path = join(dirname(certFile), 'gateway.yaml');
  await writeFile(path, `tls:\n  cert: ${certFile}\n  key: ${keyFile}\n`);
  return path;
}
