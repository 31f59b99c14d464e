import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deathsInRowMs } from '../../src/limits.js';
import { freePort, listening, withChildren } from '../bench/children.js';
import { Listener } from '../upstream/listener.js';

/** How a worker dies: by the key that has its handler do it. */
export const deaths = { exits: '1', hangs: '2' } as const;
export type Death = keyof typeof deaths;

export interface DeathOptions {
  readonly calls: number;
  /** One after another. */
  readonly deaths: readonly Death[];
  /** Between two of them; as long as it takes for the second not to be one in a row. */
  readonly pauseMs?: number;
}

export interface DeathResult {
  readonly death: Death;
  readonly calls: number;
  /** Still up, and heard, afterwards. */
  readonly kept: number;
  /** The longest time without sound of each call, over all calls. */
  readonly gapMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** Echoes, and does to its worker what the key says. */
const handler = `
const wave = { audio(call, samples) { call.play(samples); }, dtmf(call, digit) {
  if (digit === '1') process.exit(1);
  if (digit === '2') for (;;);
} };
export { wave as default };
`;

const settleMs = 2_000;
const watchMs = 3_000;
const openedAtOnce = 25;

/** Kills the worker of so many calls again and again, and answers what their callers heard each time. */
export async function killWorkers(
  options: DeathOptions,
  tell: (result: DeathResult) => void = () => {},
): Promise<readonly DeathResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'deaths-'));
  const file = join(folder, 'handler.mjs');
  writeFileSync(file, handler);
  const callers: Listener[] = [];
  try {
    return await withChildren(async (children) => {
      const [port, adminPort] = [await freePort(), await freePort()];
      const settings = {
        ...{ host: '127.0.0.1', port, admin: { port: adminPort }, shards: 1 },
        ...{ log: { level: 'fatal' }, routes: [{ handler: file }] },
      };
      const child = children.runGateway(['serve', '--config', 'gateway.yaml'], {}, settings);
      await listening(child, port);
      const url = `ws://127.0.0.1:${port}/stream`;
      for (let opened = 0; opened < options.calls; opened += openedAtOnce) {
        const count = Math.min(openedAtOnce, options.calls - opened);
        callers.push(
          ...(await Promise.all(Array.from({ length: count }, () => Listener.call(url)))),
        );
      }
      const results: DeathResult[] = [];
      for (const [index, death] of options.deaths.entries()) {
        if (index > 0) await sleep(options.pauseMs ?? deathsInRowMs + 500);
        const result = await kill(death, url, callers);
        tell(result);
        results.push(result);
      }
      return results;
    });
  } finally {
    for (const caller of callers) caller.hangUp();
    rmSync(folder, { recursive: true });
  }
}

/** By a call of its own each time: one that does it twice would be ended. */
async function kill(death: Death, url: string, callers: readonly Listener[]): Promise<DeathResult> {
  const killer = await Listener.call(url);
  await sleep(settleMs);
  for (const caller of callers) caller.forgetSilence();
  killer.press(deaths[death]);
  await sleep(watchMs);
  const gaps = callers.map(({ longestSilenceMs }) => longestSilenceMs).toSorted((a, b) => a - b);
  const at = (part: number) => gaps[Math.max(0, Math.ceil(part * gaps.length) - 1)] ?? 0;
  const kept = callers.filter((one) => one.isUp && one.hasHeardWithin(500)).length;
  killer.hangUp();
  return {
    ...{ death, calls: callers.length, kept },
    gapMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
  };
}
