/** One thing to be timed: `frame` does it for one frame of 20 ms. */
export interface Case {
  readonly name: string;
  /** ns per frame; undefined where nobody set one. */
  readonly budgetNs?: number | undefined;
  readonly frame: () => unknown;
}

export interface Timing {
  readonly name: string;
  readonly budgetNs: number | undefined;
  readonly medianNs: number;
  readonly bestNs: number;
}

const runs = 15;
const runMs = 15;
const warmUpMs = 60;

/**
 * Times all cases by turns, so that a slow second of the machine falls on all of them alike, in runs
 * that are long enough for the clock.
 */
export function timed(cases: readonly Case[]): Timing[] {
  const counts = cases.map(({ frame }) => framesIn(frame, runMs));
  const results = cases.map(() => new Float64Array(runs));
  for (let run = 0; run < runs; run += 1) {
    for (const [index, { frame }] of cases.entries()) {
      results[index]![run] = (elapsedMs(frame, counts[index]!) * 1e6) / counts[index]!;
    }
  }
  return cases.map(({ name, budgetNs }, index) => {
    const sorted = results[index]!.toSorted();
    return { name, budgetNs, medianNs: sorted[runs >> 1]!, bestNs: sorted[0]! };
  });
}

/** What was computed last: nothing may be found to be of no use and left out. */
export const kept: { result: unknown } = { result: undefined };

/** Warms up, and answers how many frames take `ms`. */
function framesIn(frame: () => unknown, ms: number): number {
  let count = 1;
  let spentMs = 0;
  let lastMs = 0;
  while (spentMs < warmUpMs || lastMs < 1) {
    if (lastMs < warmUpMs / 4) count *= 2;
    lastMs = elapsedMs(frame, count);
    spentMs += lastMs;
  }
  return Math.max(1, Math.ceil((count * ms) / lastMs));
}

function elapsedMs(frame: () => unknown, count: number): number {
  const start = performance.now();
  let result: unknown;
  for (let i = 0; i < count; i += 1) result = frame();
  kept.result = result;
  return performance.now() - start;
}
