import { setTimeout as sleep } from 'node:timers/promises';
import type { Children } from './children.js';
import { residentBytesOf } from './process-stat.js';
import { GeneratorRun, type Server, startServer } from './round.js';

export interface MemoryResult {
  readonly fewCalls: number;
  readonly manyCalls: number;
  readonly fewCallsBytes: number;
  readonly manyCallsBytes: number;
  /** The slope between the two: fixed costs, rings among them, drop out. */
  readonly bytesPerCall: number;
}

const sampleMs = 250;
/** Resident bytes are flat when two such stretches in a row differ by less than a part of them. */
const stretchMs = 6_000;
const flatPart = 0.004;
/** Rings are reached page by page: at 100 calls it takes a while until all of a ring has been used. */
const flatMsMax = 90_000;
const holdMsMax = 10 * 60_000;

/** The garbage collector's mood moves one measurement by several MB: so the middle one of three. */
const repeats = 3;

/** Resident bytes per call of the gateway, while all calls are live and send media. */
export async function measureMemory(
  children: Children,
  payloads: readonly string[],
  fewCalls: number,
  manyCalls: number,
): Promise<MemoryResult> {
  const first = await measureOnce(children, payloads, fewCalls, manyCalls);
  const results = [first];
  while (results.length < repeats) {
    results.push(await measureOnce(children, payloads, fewCalls, manyCalls));
  }
  results.sort((a, b) => a.bytesPerCall - b.bytesPerCall);
  return results[repeats >> 1] ?? first;
}

async function measureOnce(
  children: Children,
  payloads: readonly string[],
  fewCalls: number,
  manyCalls: number,
): Promise<MemoryResult> {
  const server = await startServer(children, 'gateway');
  const first = await addCalls(children, server, payloads, fewCalls);
  const fewCallsBytes = await flatResidentBytes(server);
  const second = await addCalls(children, server, payloads, manyCalls - fewCalls);
  const manyCallsBytes = await flatResidentBytes(server);
  for (const run of [first, second]) {
    run.stop();
    const { result } = await run.notice('done');
    if (result.closed > 0) throw new Error(`the gateway closed ${result.closed} of the streams`);
  }
  await children.endAll();
  const bytesPerCall = (manyCallsBytes - fewCallsBytes) / (manyCalls - fewCalls);
  return { fewCalls, manyCalls, fewCallsBytes, manyCallsBytes, bytesPerCall };
}

function addCalls(
  children: Children,
  server: Server,
  payloads: readonly string[],
  calls: number,
): Promise<GeneratorRun> {
  const { port } = server;
  const serverPid = server.child.pid;
  const order = { port, serverPid, calls, payloads, warmUpMs: 0, measureMs: holdMsMax };
  return GeneratorRun.start(children, order);
}

async function flatResidentBytes(server: Server): Promise<number> {
  const deadlineMs = performance.now() + flatMsMax;
  let before = await medianResidentBytes(server);
  for (;;) {
    const now = await medianResidentBytes(server);
    if (Math.abs(now - before) < before * flatPart || performance.now() > deadlineMs) return now;
    before = now;
  }
}

async function medianResidentBytes(server: Server): Promise<number> {
  const samples: number[] = [];
  for (let waitedMs = 0; waitedMs < stretchMs; waitedMs += sampleMs) {
    await sleep(sampleMs);
    samples.push(residentBytesOf(server.child.pid));
  }
  samples.sort((a, b) => a - b);
  return samples[samples.length >> 1] ?? 0;
}
