import type { Children } from './children.js';
import { median } from './report.js';
import { runRound } from './round.js';
import { contestants } from './servers.js';

export interface MemorySlope {
  readonly from: number;
  readonly to: number;
  readonly kbPerCall: number;
}

/** Rings are reached page by page: it takes a while until all of one has been used. */
const seconds = 25;
/** The garbage collector's mood moves one measurement by several MB: so the middle one of three. */
const repeats = 3;

/** How much more resident memory the gateway takes for each call, rings and all that it starts with apart. */
export async function memorySlope(
  children: Children,
  from: number,
  to: number,
  threads: number,
): Promise<MemorySlope> {
  const gateway = contestants.find(({ name }) => name === 'gateway')!;
  const slopes: number[] = [];
  for (let i = 0; i < repeats; i += 1) {
    const few = await runRound(children, gateway, undefined, { calls: from, seconds, threads });
    const many = await runRound(children, gateway, undefined, { calls: to, seconds, threads });
    if (few === undefined || many === undefined) continue;
    slopes.push((many.residentBytes - few.residentBytes) / 1_024 / (to - from));
  }
  return { from, to, kbPerCall: median(slopes) };
}
