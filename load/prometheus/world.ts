import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type Children, freePort, listening } from '../bench/children.js';
import { PlivoApi } from '../plivo-api.js';
import { CallFields } from '../round/call-fields.js';
import { WebhookSender } from '../round/webhook-sender.js';
import { Application } from '../upstream/applications.js';

const credentials = { authId: 'MAEXAMPLE0000000000A', authToken: 'token-of-the-proof' };
const number = '15550000000';

/**
 * Answers what the caller says with two pieces of a tone and a pause between them, lets itself be interrupted, and ends
 * one call in five: so there is something to measure of everything that callers hear.
 */
const bot = `
const tone = Int16Array.from({ length: 4800 }, (_, i) => 9000 * Math.sin(i / 4));
const loud = (samples) => samples.reduce((most, one) => Math.max(most, Math.abs(one)), 0) > 1000;
let calls = 0;
const bot = {
  start(call) {
    call.data.quiet = 0;
    calls += 1;
    if (calls % 5 === 0) setTimeout(() => call.end(), 6000);
    if (calls % 30 === 7) setTimeout(() => call.transfer('https://example.com/elsewhere'), 8000);
    call.play(tone, 16000);
    call.checkpoint('greeting');
  },
  audio(call, samples) {
    if (loud(samples)) {
      call.data.heard = true;
      call.data.quiet = 0;
      if (call.queuedMs > 0) call.clear();
      return;
    }
    call.data.quiet += 1;
    if (!call.data.heard || call.data.quiet !== 8) return;
    call.data.heard = false;
    call.play(tone, 16000);
    setTimeout(() => call.play(tone, 16000), 420);
  },
};
export { bot as default };
`;

/** How the run goes on, in seconds from its start. */
const plan = { loadSeconds: 45, faultsAt: 12, recoverAt: 24, strayEvery: 3 } as const;

export interface World {
  readonly adminPort: number;
  /** Loads the gateway, and breaks a few things meanwhile. Resolves with the Unix time at which all was still under way. */
  run(): Promise<number>;
  close(): Promise<void>;
}

/** A gateway with everything around it that its dashboards show: callers, applications, Plivo's API, a lookup service. */
export async function openWorld(children: Children, scratch: string): Promise<World> {
  const api = new PlivoApi(credentials, { everyCall: true });
  await api.listen(0);
  const apps = [new Application('pcm'), new Application('pcm')] as const;
  for (const app of apps) await app.listen();
  const lookup = await lookupService();
  const [port, adminPort] = [await freePort(), await freePort()];
  const handler = join(scratch, 'bot.mjs');
  writeFileSync(handler, bot);
  const settings = {
    ...{ host: '127.0.0.1', port, admin: { port: adminPort }, shards: 2, log: { level: 'fatal' } },
    plivo: { ...credentials, apiUrl: api.url },
    publicUrl: `http://127.0.0.1:${port}`,
    upstreams: [
      {
        name: 'bots',
        protocol: 'pcm',
        urls: [...apps.map(({ url }) => url), `ws://127.0.0.1:${await freePort()}/`],
      },
    ],
    routes: [
      { name: 'asked', share: 15, lookup: lookup.url, fallback: 'echo' },
      { name: 'bots', share: 35, upstream: 'bots', onUpstreamLost: 'reconnect', fallback: 'echo' },
      { name: 'tones', share: 60, handler },
      { name: 'echo', handler: 'echo' },
    ],
  };
  const child = children.runGateway(['serve', '--config', 'gateway.yaml'], {}, settings);
  await listening(child, port);
  const base = `http://127.0.0.1:${port}`;
  return {
    adminPort,
    run: async () => {
      const lookAt = Date.now() / 1_000 + plan.loadSeconds - 2;
      await Promise.all([load(children, base), breakThings(api, apps), strayInto(base)]);
      return lookAt;
    },
    close: async () => {
      for (const app of apps) await app.die();
      lookup.close();
      await api.close();
    },
  };
}

async function load(children: Children, base: string): Promise<void> {
  const child = children.run(process.execPath, [
    join(import.meta.dirname, '../../src/cli.js'),
    ...['load', '--answer-url', `${base}/answer`, '--hangup-url', `${base}/hangup`],
    ...['--token', credentials.authToken, '--account', credentials.authId, '--api-port', 'off'],
    ...['--calls', '100', '--ramp', '25', '--duration', `${plan.loadSeconds}s`],
    ...['--length', 'exp:20s', '--threads', '1', '--no-echo'],
    '--scenario',
    'conversation=6,dtmf=1,barge-in=1,checkpoints=1,jitter=1,abrupt-drop=1,malformed=1',
  ]);
  await new Promise((resolve) => child.process.once('exit', resolve));
}

/** Plivo's API fails for a while, an application dies and comes back. */
async function breakThings(api: PlivoApi, [first]: readonly Application[]): Promise<void> {
  await sleep(plan.faultsAt * 1_000);
  api.failAll({ status: 503 });
  await first?.die();
  await sleep((plan.recoverAt - plan.faultsAt) * 1_000);
  api.failAll(undefined);
  await first?.listen();
}

/** Those who are not Plivo, and calls that are answered and whose stream never comes. */
async function strayInto(base: string): Promise<void> {
  const plivo = new WebhookSender({ authToken: credentials.authToken, retries: 0 });
  const stranger = new WebhookSender({ authToken: 'another', retries: 0 });
  const untilMs = performance.now() + plan.loadSeconds * 1_000;
  while (performance.now() < untilMs) {
    const fields = new CallFields({
      ...{ callId: randomUUID(), accountId: credentials.authId, from: '15551112222', to: number },
      ...{ direction: 'inbound', sipHeaders: [] },
    });
    await plivo.send('POST', `${base}/answer`, fields.document('StartApp'));
    await stranger.send('POST', `${base}/answer`, fields.document('StartApp'));
    await attempt(`${base.replace('http', 'ws')}/stream`);
    await attempt(`${base.replace('http', 'ws')}/stream/no-token-of-ours`);
    await sleep(plan.strayEvery * 1_000);
  }
  await Promise.all([plivo.close(), stranger.close()]);
}

function attempt(url: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { handshakeTimeout: 5_000 });
    socket.on('error', () => resolve());
    socket.on('open', () => {
      socket.close();
      resolve();
    });
  });
}

/** Knows where calls go, but not always. */
async function lookupService(): Promise<{ readonly url: string; close(): void }> {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    if (asked % 4 === 0) response.writeHead(500).end();
    else response.end(JSON.stringify({ upstream: 'bots' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/where`, close: () => void server.close() };
}
