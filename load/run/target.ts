import { randomUUID } from 'node:crypto';
import { type Child, Children, freePort, isRunning, listening } from '../bench/children.js';
import { cpuMsOf, residentBytesOf } from '../bench/process-stat.js';
import { PlivoApi } from '../plivo-api.js';
import type { LoadOptions } from './options.js';

/** What is being loaded, and what the run starts around it. */
export interface LoadTarget {
  /** For people. */
  readonly name: string;
  /** Streams connect here; undefined where each call is told by its answer webhook. */
  readonly url: string | undefined;
  readonly api: PlivoApi | undefined;
  readonly accountId: string;
  /** What upgrades are signed with. */
  readonly authToken: string | undefined;
  /** Ends what was started. */
  close(): Promise<void>;
  /** CPU time and memory of the server so far; null if its process is not known, or gone. */
  usage(): { readonly cpuMs: number; readonly bytes: number } | null;
  /** What a gateway of our own has to say for itself once it is gone. */
  lastWords(): string;
}

const authId = 'MAEXAMPLE0000000000A';

export async function openTarget(options: LoadOptions): Promise<LoadTarget> {
  const { target } = options;
  if (target.kind === 'spawn') return spawnGateway(target.config);
  const { accountId, authToken } = options;
  const credentials = authToken === undefined ? null : { authId: accountId, authToken };
  const api = options.apiPort === undefined ? undefined : new PlivoApi(credentials);
  await api?.listen(options.apiPort ?? 0);
  return {
    name: target.kind === 'url' ? target.url : target.answerUrl,
    url: target.kind === 'url' ? target.url : undefined,
    api,
    accountId,
    authToken,
    close: async () => api?.close(),
    usage: () => usageOf(options.serverPid),
    lastWords: () => '',
  };
}

/** A gateway with a stand-in for Plivo's REST API, both on free ports and with nothing of our environment. */
async function spawnGateway(config: string | undefined): Promise<LoadTarget> {
  const authToken: string = randomUUID();
  const api = new PlivoApi();
  await api.listen(0);
  const children = new Children();
  const [port, adminPort] = [await freePort(), await freePort()];
  const ports = ['--host', '127.0.0.1', '--port', String(port), '--admin-port', String(adminPort)];
  const file = config === undefined ? [] : ['--config', config];
  const child = children.runGateway(['serve', ...ports, '--log-level', 'warn', ...file], {
    PLIVO_AUTH_ID: authId,
    PLIVO_AUTH_TOKEN: authToken,
    PLIVO_API_URL: api.url,
    // Upgrades are signed for where they go to, whatever the configuration's public URL is.
    PUBLIC_URL: `http://127.0.0.1:${port}`,
  });
  const killAll = (): void => children.killAll();
  process.once('exit', killAll);
  const close = async (): Promise<void> => {
    await children.endAll();
    await api.close();
    process.off('exit', killAll);
  };
  try {
    await listening(child, port);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    name: 'a gateway of its own',
    url: `ws://127.0.0.1:${port}/stream`,
    api,
    accountId: authId,
    authToken,
    close,
    usage: () => (isRunning(child) ? usageOf(child.pid) : null),
    lastWords: () => lastWordsOf(child),
  };
}

function lastWordsOf(child: Child): string {
  return isRunning(child) ? '' : child.output();
}

function usageOf(pid: number | undefined): { cpuMs: number; bytes: number } | null {
  if (pid === undefined) return null;
  try {
    return { cpuMs: cpuMsOf(pid), bytes: residentBytesOf(pid) };
  } catch {
    return null;
  }
}
