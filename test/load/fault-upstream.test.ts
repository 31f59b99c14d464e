import { describe, expect, it } from 'vitest';
import { runScene, scenes } from '../../load/upstream/scenes.js';

/** What a caller may not hear of for longer, ms: two handshakes of a second each, or an outage and its retries. */
const silenceMsMax = 2_500;
/** Where nobody is left, the time for reconnecting goes by first. */
const fallbackSilenceMsMax = 4_500;

describe.concurrent('when applications break', () => {
  const faults = Object.keys(scenes).flatMap((fault) =>
    (['pcm', 'plivo'] as const).map((protocol) => [fault, protocol] as const),
  );
  it.each(faults)('every call is kept: %s, %s', { timeout: 60_000 }, async (fault, protocol) => {
    const result = await runScene(fault, { calls: 6, protocol });
    const isForGood = fault.startsWith('all die for good');
    expect(result).toMatchObject({ calls: 6, kept: 6, fallback: isForGood ? 6 : 0 });
    const most = isForGood ? fallbackSilenceMsMax : silenceMsMax;
    expect(result.longestSilenceMs).toBeLessThan(most);
  });
});
