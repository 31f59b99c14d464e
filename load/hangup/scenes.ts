import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiFault } from '../plivo-api.js';
import { type Call, World, type WorldOptions } from './world.js';

export interface SceneOptions {
  /** In the large scenes; the small ones have a tenth of them. */
  readonly calls: number;
  /** How long Plivo's API is gone, or otherwise in trouble. */
  readonly outageMs: number;
  readonly graceMs: number;
}

/** What came of one fault. */
export interface SceneResult {
  readonly fault: string;
  /** Calls that ought to be hung up. */
  readonly intents: number;
  readonly confirmed: number;
  /** Requests about calls that had been hung up already. */
  readonly repeated: number;
  readonly lost: number;
  readonly wrong: number;
  /** The most requests in any 5 s. */
  readonly mostInWindow: number;
  readonly seconds: number;
}

type Act = (world: World, options: SceneOptions) => Promise<void>;

/** Longest wait for the hang-ups of a scene, behind its outage. */
const finishMs = 90_000;

const wantAll = (calls: readonly Call[]): void => {
  for (const call of calls) call.wanted = true;
};
const press = (calls: readonly Call[], digit: string): void => {
  for (const call of calls) call.press(digit);
};
const cut = (calls: readonly Call[]): void => {
  for (const { socket } of calls) socket?.terminate();
};
const few = ({ calls }: SceneOptions): number => Math.max(9, Math.ceil(calls / 10));

/** The application ends all calls while Plivo answers like this; then it answers as it should. */
function apiTrouble(fault: ApiFault): Act {
  return async (world, options) => {
    await world.start();
    const calls = await world.connect(few(options));
    world.api.failAll(fault);
    wantAll(calls);
    press(calls, '1');
    await sleep(options.outageMs / 3);
    world.api.failAll(undefined);
    await world.untilHungUp(finishMs);
  };
}

async function killed(world: World, { calls: count }: SceneOptions): Promise<void> {
  await world.start();
  const calls = await world.connect(count);
  world.api.failAll({ delayMs: 20 });
  wantAll(calls);
  press(calls, '1');
  const done = () => calls.filter(({ hungUp }) => hungUp > 0).length;
  await world.until(() => done() >= Math.min(250, count / 3));
  await world.end('SIGKILL');
  world.api.failAll(undefined);
  await world.start();
  await world.untilHungUp(finishMs);
}

async function apiGone(world: World, options: SceneOptions): Promise<void> {
  await world.start();
  const calls = await world.connect(Math.ceil(options.calls * 0.6));
  await world.api.close();
  wantAll(calls);
  press(calls, '1');
  await sleep(options.outageMs);
  await world.api.reopen();
  await world.untilHungUp(finishMs);
}

async function cutAndBack(world: World, options: SceneOptions): Promise<void> {
  await world.start();
  const calls = await world.connect(Math.ceil(options.calls / 2));
  cut(calls);
  await sleep(options.graceMs * 0.8);
  await world.reconnect(calls);
  await sleep(options.graceMs * 2 + 1_000);
}

async function cutForGood(world: World, options: SceneOptions): Promise<void> {
  await world.start();
  const calls = await world.connect(few(options));
  const lost = calls.slice(0, 5);
  wantAll(lost);
  cut(lost);
  await world.untilHungUp(options.graceMs * 3 + finishMs);
}

async function hungUpByCaller(world: World, options: SceneOptions): Promise<void> {
  await world.start();
  const calls = await world.connect(few(options));
  cut(calls);
  for (const call of calls) {
    if ((await world.hangupWebhook(call)) !== 200) throw new Error('the webhook was refused');
  }
  await sleep(options.graceMs * 2 + 1_000);
}

/** Transferred, or left to go on without us: both must live. */
function goesOn(digit: '2' | '3'): Act {
  return async (world, options) => {
    await world.start();
    const calls = await world.connect(few(options));
    press(calls, digit);
    await sleep(1_000);
    cut(calls);
    await sleep(options.graceMs * 2 + 1_000);
  };
}

const journalMs = 500;

async function diedWithCalls(world: World, options: SceneOptions): Promise<void> {
  await world.start();
  const calls = await world.connect(few(options));
  // A call that begins in the moment of the death is in no journal yet.
  await sleep(journalMs);
  await world.end('SIGKILL');
  await world.start();
  const [back, gone] = [calls.filter((_, i) => i % 2 === 0), calls.filter((_, i) => i % 2 === 1)];
  await world.reconnect(back);
  wantAll(gone);
  await world.untilHungUp(options.graceMs * 3 + finishMs);
}

async function secondGateway(world: World, options: SceneOptions): Promise<void> {
  await world.start();
  const calls = await world.connect(few(options));
  world.signal('SIGTERM');
  const { child } = await world.spawn();
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code === 0) throw new Error('a second gateway ran on the same data');
  await sleep(options.graceMs * 2 + 1_000);
  for (const { socket } of calls) socket?.close(1000);
}

async function damaged(world: World, options: SceneOptions): Promise<void> {
  await world.start();
  const calls = await world.connect(few(options));
  await world.api.close();
  wantAll(calls);
  press(calls, '1');
  await world.until(async () => (await world.readiness()).hangupsPending === calls.length);
  await world.end('SIGKILL');
  const foreign = `00000000 {"type":"hangup"}\nnot a line\n${'x'.repeat(100_000)}\n{"half`;
  await writeFile(join(world.dataDir, 'hangups-999998.journal'), foreign);
  await world.api.reopen();
  await world.start();
  await world.untilHungUp(finishMs);
}

async function noDisk(world: World, options: SceneOptions): Promise<void> {
  await rm(world.dataDir, { recursive: true });
  await writeFile(world.dataDir, 'a file in its place');
  await world.start();
  const calls = await world.connect(few(options));
  if ((await world.readiness()).degraded === undefined) throw new Error('/readyz does not tell');
  wantAll(calls);
  press(calls, '1');
  await world.untilHungUp(finishMs);
}

/** Credentials are probed every 30 s. */
async function unauthorized(world: World, options: SceneOptions): Promise<void> {
  await world.start();
  const calls = await world.connect(few(options));
  world.api.failAll({ status: 401 });
  wantAll(calls);
  press(calls, '1');
  await sleep(1_000);
  world.api.failAll(undefined);
  await world.untilHungUp(finishMs);
}

export const scenes: Readonly<Record<string, Act>> = {
  'kill -9 in the middle, restart': killed,
  'API gone, then back': apiGone,
  '429 to everything': apiTrouble({ status: 429 }),
  '503 to everything': apiTrouble({ status: 503 }),
  'answers slowly': apiTrouble({ delayMs: 1_000 }),
  'never answers': apiTrouble({ silent: true }),
  'cuts every connection': apiTrouble({ reset: true }),
  'answers garbage': apiTrouble({ garbage: true }),
  '401, then right again': unauthorized,
  'sockets cut, then back': cutAndBack,
  'a few sockets cut for good': cutForGood,
  'caller hangs up, webhook says so': hungUpByCaller,
  'calls transferred': goesOn('2'),
  'calls left': goesOn('3'),
  'kill -9 with live calls, half come back': diedWithCalls,
  'second gateway on the same data': secondGateway,
  'journal damaged, restart': damaged,
  'no place for the journal': noDisk,
};

export async function runScene(fault: string, options: SceneOptions): Promise<SceneResult> {
  const world: WorldOptions = { hangup: { lostStreamGrace: `${options.graceMs}ms` } };
  const startMs = performance.now();
  return World.use(world, async (open) => {
    await scenes[fault]!(open, options);
    // What ought not to happen has its chance.
    await sleep(500);
    return resultOf(fault, open, (performance.now() - startMs) / 1_000);
  });
}

function resultOf(fault: string, { calls, api }: World, seconds: number): SceneResult {
  const wanted = calls.filter((call) => call.wanted);
  const confirmed = wanted.filter(({ hungUp }) => hungUp > 0).length;
  const repeated = calls.reduce((sum, { hungUp }) => sum + Math.max(0, hungUp - 1), 0);
  return {
    fault,
    intents: wanted.length,
    confirmed,
    repeated,
    lost: wanted.length - confirmed,
    wrong: calls.filter((call) => !call.wanted && call.hungUp > 0).length,
    mostInWindow: api.mostInAny(5_000),
    seconds,
  };
}
