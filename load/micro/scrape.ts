import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { freePort, listening, withChildren } from '../bench/children.js';
import { median } from '../bench/report.js';
import { openStreamSocket } from '../stream-socket.js';

export interface ScrapeScene {
  readonly calls: number;
  readonly shards: number;
  readonly routes: number;
}

export interface ScrapeCost {
  readonly form: string;
  /** CPU of the front for one scrape, HTTP included, what it needs anyhow taken off; median of the rounds, ms. */
  readonly frontMs: number;
  readonly bytes: number;
}

const forms = [
  { form: 'text', headers: {} },
  { form: 'text, gzip', headers: { 'accept-encoding': 'gzip' } },
  { form: 'OpenMetrics', headers: { accept: 'application/openmetrics-text' } },
] as const;
const rounds = 5;
const scrapesPerRound = 40;
const warmUpScrapes = 60;
const connectingAtOnce = 100;

/** What a scrape costs the thread that all calls come through. The calls are open and silent: they tell on no figure. */
export function scrapeCosts(scene: ScrapeScene): Promise<readonly ScrapeCost[]> {
  return withChildren(async (children) => {
    const [port, adminPort] = [await freePort(), await freePort()];
    const routes = Array.from({ length: scene.routes }, (_, index) => ({
      ...{ name: `route-${index}`, query: { route: String(index) }, handler: 'echo' },
    }));
    const gateway = children.runGateway(
      ['serve', '--host', '127.0.0.1', '--port', String(port), '--admin-port', String(adminPort)],
      { SIGNATURES_UPGRADE: 'off', LOG_LEVEL: 'warn' },
      { shards: scene.shards, routes, limits: { calls: scene.calls } },
    );
    await listening(gateway, port);
    const hangUp = await openCalls(port, scene);
    const url = `http://127.0.0.1:${adminPort}/metrics`;
    const agent = new Agent({ connections: 1 });
    try {
      return await measured(agent, url, gateway.pid);
    } finally {
      await agent.close();
      hangUp();
    }
  });
}

async function measured(agent: Agent, url: string, pid: number): Promise<readonly ScrapeCost[]> {
  const costs = forms.map(({ form }) => ({ form, frontMs: [] as number[], bytes: 0 }));
  const scrape = async (headers: Readonly<Record<string, string>>): Promise<number> => {
    const { statusCode, body } = await request(url, { dispatcher: agent, headers });
    if (statusCode !== 200) throw new Error(`a scrape was answered with ${statusCode}`);
    return (await body.arrayBuffer()).byteLength;
  };
  for (let i = 0; i < warmUpScrapes; i += 1) await scrape(forms[i % forms.length]!.headers);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { headers }] of forms.entries()) {
      const cost = costs[index]!;
      const start = { cpuMs: threadCpuMs(pid), ms: performance.now() };
      for (let i = 0; i < scrapesPerRound; i += 1) cost.bytes = await scrape(headers);
      const busyMs = threadCpuMs(pid) - start.cpuMs;
      const spentMs = performance.now() - start.ms;
      const idleStartMs = threadCpuMs(pid);
      await sleep(spentMs);
      const idleMs = threadCpuMs(pid) - idleStartMs;
      cost.frontMs.push((busyMs - idleMs) / scrapesPerRound);
    }
  }
  return costs.map(({ form, frontMs, bytes }) => ({ form, frontMs: median(frontMs), bytes }));
}

/** CPU time of the main thread of a process, ms. */
function threadCpuMs(pid: number): number {
  const [ns] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ');
  return Number(ns) / 1e6;
}

/** Answers when all calls are live, with what ends them. */
async function openCalls(port: number, { calls, routes }: ScrapeScene): Promise<() => void> {
  const close: (() => void)[] = [];
  for (let first = 0; first < calls; first += connectingAtOnce) {
    const count = Math.min(connectingAtOnce, calls - first);
    const opened = Array.from({ length: count }, async (_, index) => {
      const call = first + index;
      close.push(await openCall(`ws://127.0.0.1:${port}/stream?route=${call % routes}`, call));
    });
    await Promise.all(opened);
  }
  return () => {
    for (const one of close) one();
  };
}

function openCall(url: string, index: number): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const id = (kind: string): string => `${kind}-${index}`;
    const socket = openStreamSocket(url, {
      opened() {
        const start = {
          ...{ callId: id('call'), streamId: id('stream'), accountId: 'MABENCH' },
          ...{ tracks: ['inbound'], mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8_000 } },
        };
        socket!.send(
          JSON.stringify({ sequenceNumber: 0, event: 'start', start, extra_headers: '{}' }),
          () => resolve(() => socket!.terminate()),
        );
      },
      ...{ text() {}, binary() {}, broke() {}, closed() {} },
      failed: (detail) => reject(new Error(detail)),
    });
  });
}
