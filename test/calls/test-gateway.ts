import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BroadcastChannel } from 'node:worker_threads';
import { afterAll } from 'vitest';
import { stringify } from 'yaml';
import { PlivoApi } from '../../load/plivo-api.js';
import { loadConfig } from '../../src/config/load.js';
import { type Gateway, openGateway } from '../../src/gateway.js';
import { openLog } from '../../src/log.js';
import { MetricsPage } from './metrics.js';
import { type StartOptions, StreamClient } from './stream-client.js';
import { until, waitMsMax } from './wait.js';

/** What a handler under test told: `tell(call, what, ...values)`. */
export interface Told {
  readonly callId: string;
  readonly what: string;
  readonly values: readonly unknown[];
}

export interface GatewayOptions {
  /** The members of the handler's object, as JavaScript; without it the echo handler answers. */
  readonly handler?: string;
  /** Instead of one route to that handler; `HANDLER` in it stands for the handler's file. */
  readonly routes?: readonly object[];
  readonly sampleRate?: number;
  /** Hangs calls up at this stand-in. */
  readonly api?: PlivoApi;
  readonly shards?: number;
  /** Further settings of gateway.yaml. */
  readonly settings?: object;
  /** Besides those that make it listen on free ports. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Lines of the front's log, as JSON; without it there are none. */
  readonly logged?: Record<string, unknown>[];
  /** Beside gateway.yaml. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

export const authId = 'MATEST00000000000000';
export const authToken = 'token-of-the-tests';

const closers: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-calls-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Plivo's REST API; it takes only the account of the tests. Closed after the last test. */
export async function openApi(): Promise<PlivoApi> {
  const api = new PlivoApi({ authId, authToken });
  await api.listen(0);
  closers.push(() => api.close());
  return api;
}

/** A handler can be told from the test by the digits it gets, and tells the test by a channel. */
function handlerModule(channel: string, members: string): string {
  return `
    const channel = new BroadcastChannel(${JSON.stringify(channel)});
    channel.unref();
    const tell = (call, what, ...values) => channel.postMessage({ callId: call.id, what, values });
    const tone = (ms, rate, hertz = 440) => Int16Array.from(
      { length: (ms * rate) / 1000 },
      (_, i) => 8000 * Math.sin((2 * Math.PI * hertz * i) / rate),
    );
    export default { ${members} };
  `;
}

async function configure(
  folder: string,
  { handler, sampleRate, routes: given, settings }: GatewayOptions,
): Promise<void> {
  const own = { handler: handler === undefined ? 'echo' : './handler.mjs' };
  const rate = sampleRate === undefined ? {} : { sampleRate };
  const routes = (given ?? [{ name: 'calls', handler: 'HANDLER', ...rate }]).map((route) => ({
    ...route,
    ...('handler' in route && route.handler === 'HANDLER' && own),
  }));
  await writeFile(join(folder, 'gateway.yaml'), stringify({ ...settings, routes }));
}

/** A gateway in this process, with shards in threads of their own, and everything a test asks of it. */
export class TestGateway {
  readonly gateway: Gateway;
  readonly told: Told[] = [];
  /** Where its gateway.yaml is. */
  readonly folder: string;
  readonly #channel: BroadcastChannel;

  private constructor(gateway: Gateway, folder: string, channel: BroadcastChannel) {
    this.gateway = gateway;
    this.folder = folder;
    this.#channel = channel;
    channel.onmessage = (event: unknown) => {
      this.told.push((event as { readonly data: Told }).data);
    };
  }

  /** Closed after the last test of the file. */
  static async open(options: GatewayOptions = {}): Promise<TestGateway> {
    const folder = await temporaryFolder();
    const channelName = randomUUID();
    const file = './handler.mjs';
    const members = options.handler ?? 'start() {}';
    await writeFile(join(folder, file), handlerModule(channelName, members));
    for (const [name, content] of Object.entries(options.files ?? {})) {
      await writeFile(join(folder, name), content);
    }
    await configure(folder, options);
    const { api } = options;
    const sources = {
      flags: {},
      environment: {
        HOST: '127.0.0.1',
        PORT: '0',
        ADMIN_PORT: '0',
        SHARDS: String(options.shards ?? 1),
        SIGNATURES_UPGRADE: 'off',
        LOG_LEVEL: process.env.CALLS_LOG ?? 'silent',
        ...(api && {
          PLIVO_API_URL: api.url,
          PLIVO_AUTH_ID: authId,
          PLIVO_AUTH_TOKEN: authToken,
        }),
        ...options.environment,
      },
      cwd: folder,
    };
    const config = loadConfig(sources);
    const { logged } = options;
    const lines = logged && { write: (line: string) => logged.push(JSON.parse(line)) };
    const level = logged ? 'info' : config.log.level;
    const log = openLog({ level, format: 'json', privacy: config.privacy }, lines);
    const gateway = await openGateway(config, log, () => loadConfig(sources));
    const opened = new TestGateway(gateway, folder, new BroadcastChannel(channelName));
    closers.push(() => opened.close());
    return opened;
  }

  async close(): Promise<void> {
    this.#channel.close();
    await this.gateway.destroy();
  }

  /** Writes another gateway.yaml; it is read by a reload. */
  configure(options: Pick<GatewayOptions, 'routes' | 'settings' | 'handler'>): Promise<void> {
    return configure(this.folder, options);
  }

  url(pathAndQuery = '/stream'): string {
    return `ws://127.0.0.1:${this.gateway.port}${pathAndQuery}`;
  }

  /** A call whose start message has been sent. */
  call(options: StartOptions = {}, pathAndQuery = '/stream'): Promise<StreamClient> {
    return StreamClient.call(this.url(pathAndQuery), options);
  }

  /** The same, known to the front. */
  async liveCall(options: StartOptions = {}, pathAndQuery = '/stream'): Promise<StreamClient> {
    const client = await this.call(options, pathAndQuery);
    await until('the call in the list', async () => {
      const calls = await this.calls();
      return calls.some(({ streamId }) => streamId === client.streamId);
    });
    return client;
  }

  admin(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.gateway.adminPort}${path}`, init);
  }

  async calls(): Promise<Record<string, unknown>[]> {
    const answer = await this.admin('/api/calls');
    return ((await answer.json()) as { calls: Record<string, unknown>[] }).calls;
  }

  async metrics(): Promise<MetricsPage> {
    return new MetricsPage(await (await this.admin('/metrics')).text());
  }

  /** Waits until a metric has the value; answers the page. */
  async untilMetric(
    name: string,
    labels: Readonly<Record<string, string>>,
    value: number,
    deadlineMs = waitMsMax,
  ): Promise<MetricsPage> {
    let last = Number.NaN;
    const look = async (): Promise<MetricsPage | false> => {
      const page = await this.metrics();
      last = page.value(name, labels);
      return last === value && page;
    };
    try {
      return await until(name, look, deadlineMs);
    } catch {
      throw new Error(`${name}${JSON.stringify(labels)} is ${last}, not ${value}`);
    }
  }

  /** Waits for what a handler tells of a call; answers its values. */
  async untilTold(
    { callId }: { callId: string },
    what: string,
    count = 1,
  ): Promise<readonly unknown[]> {
    return until(
      `handler told ${what} of ${callId}`,
      () => this.toldOf({ callId }, what)[count - 1],
    );
  }

  /** The values of every such telling, in order. */
  toldOf({ callId }: { callId: string }, what: string): (readonly unknown[])[] {
    return this.told
      .filter((told) => told.callId === callId && told.what === what)
      .map(({ values }) => values);
  }
}

/** Answers the status of an upgrade that is refused, and its headers. */
export async function refusedUpgrade(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly retryAfter: string | undefined }> {
  const { WebSocket } = await import('ws');
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    socket.on('unexpected-response', (_request, response) => {
      const { statusCode: status = 0, headers } = response;
      resolve({ status, retryAfter: headers['retry-after'] });
      response.resume();
      socket.terminate();
    });
    socket.on('open', () => reject(new Error('the upgrade was not refused')));
    socket.on('error', reject);
  });
}

/** A call as Plivo knows it: a hang-up by REST closes its socket, as Plivo does. */
export function knownAtPlivo(
  api: PlivoApi,
  client: StreamClient,
): { hungUp: number; transferredTo: string | undefined } {
  const state = { hungUp: 0, transferredTo: undefined as string | undefined };
  api.add(client.callId, {
    hangUp: () => {
      if (state.hungUp > 0) return false;
      state.hungUp += 1;
      setTimeout(() => client.socket.close(1000), 20);
      return true;
    },
    transfer: (url) => {
      state.transferredTo = url;
      return true;
    },
  });
  return state;
}

/** Requests about one call that reached the stand-in. */
export function requestsFor(api: PlivoApi, client: { readonly callId: string }, method = 'DELETE') {
  const path = `/v1/Account/${authId}/Call/${client.callId}/`;
  return api.requests.filter((request) => request.method === method && request.path === path);
}
