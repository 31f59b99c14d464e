import { describe, expect, it } from 'vitest';
import { runScene, type SceneOptions, scenes } from '../../load/hangup/scenes.js';

const options: SceneOptions = { calls: 60, outageMs: 3_000, graceMs: 1_500 };
/** Credentials are probed every 30 s, and requests time out after 5 s: these two are for the whole run. */
const tooLong = ['401, then right again', 'never answers'];
const connections = 48;

describe.concurrent('when things break around the hang-ups', () => {
  const short = Object.keys(scenes).filter((fault) => !tooLong.includes(fault));
  it.each(short)('none is lost and none is wrong: %s', { timeout: 60_000 }, async (fault) => {
    const result = await runScene(fault, options);
    expect(result).toMatchObject({ lost: 0, wrong: 0, confirmed: result.intents });
    expect(result.repeated).toBeLessThanOrEqual(connections);
    expect(result.mostInWindow).toBeLessThanOrEqual(300);
  });
});
