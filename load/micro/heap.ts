import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const frames = 1_000_000;
/** Between two looks: so short that no collection of young objects hides what was allocated. */
const framesPerLook = 5_000;

export interface HeapUse {
  readonly frames: number;
  /** Live bytes, after a full collection. */
  readonly beforeBytes: number;
  readonly afterBytes: number;
  /** Everything that was allocated in between, collected or not, without what looking itself takes. */
  readonly allocatedBytes: number;
}

/** What the heap says before and after a million frames. */
export function heapUse(frame: () => unknown): HeapUse {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  grownBytes(frame, frames / 5, framesPerLook);
  const lookBytes = grownBytes(() => 0, frames, framesPerLook);
  collect();
  const beforeBytes = process.memoryUsage().heapUsed;
  const allocatedBytes = grownBytes(frame, frames, framesPerLook) - lookBytes;
  collect();
  const afterBytes = process.memoryUsage().heapUsed;
  return { frames, beforeBytes, afterBytes, allocatedBytes };
}

/** Sum of all growth that is seen on the way. */
function grownBytes(frame: () => unknown, count: number, perLook: number): number {
  let grown = 0;
  let used = process.memoryUsage().heapUsed;
  for (let done = 0; done < count; done += perLook) {
    for (let i = 0; i < perLook; i += 1) frame();
    const now = process.memoryUsage().heapUsed;
    grown += Math.max(0, now - used);
    used = now;
  }
  return grown;
}
