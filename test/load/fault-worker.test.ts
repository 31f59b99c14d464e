import { expect, it } from 'vitest';
import { killWorkers } from '../../load/worker/deaths.js';

it('calls whose worker exits, and then hangs, are kept, and hear the other one soon', async () => {
  const results = await killWorkers({ calls: 20, deaths: ['exits', 'hangs'], pauseMs: 500 });
  expect(results.map(({ calls, kept }) => [calls, kept])).toEqual([
    [20, 20],
    [20, 20],
  ]);
  for (const { gapMs } of results) expect(gapMs.max).toBeLessThan(3_000);
}, 40_000);
