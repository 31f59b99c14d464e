import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { call } from '../../load/call.js';
import type { PlivoApi } from '../../load/plivo-api.js';
import { testSignal } from '../../load/test-signal.js';
import { writeWav } from '../../src/codec/wav.js';
import { openApi, TestGateway, temporaryFolder } from './test-gateway.js';

let api: PlivoApi;
let echo: TestGateway;
let ivr: TestGateway;
let wavPath: string;
beforeAll(async () => {
  api = await openApi();
  echo = await TestGateway.open({ api });
  ivr = await TestGateway.open({ api, routes: [{ handler: 'ivr' }] });
  wavPath = join(await temporaryFolder(), 'short.wav');
  await writeWav(wavPath, { rateHz: 16_000, samples: testSignal(16_000).subarray(0, 16_000) });
});

// One after another: a caller that is held up itself would be no judge.
describe('a simulated call in real time', () => {
  it.each(['mulaw8', 'l16-16'] as const)(
    'of format %s hears itself, without a violation',
    async (format) => {
      const summary = await call({ url: echo.url(), api, wavPath, format });
      expect(summary.violations).toEqual([]);
      expect(summary).toMatchObject({ endReason: 'caller-hangup', closeCode: 1000 });
      expect(summary.playAudioReceived).toBeGreaterThanOrEqual(summary.mediaSent);
      expect(summary.echoSnrDb).toBeGreaterThan(format === 'mulaw8' ? 35 : 60);
    },
  );

  it('to the ivr hears the greeting and its digits, and is hung up after the farewell', async () => {
    const summary = await call({
      url: ivr.url('/ws'),
      api,
      wavPath,
      dtmf: '5#',
      dtmfAtMs: 900,
      dtmfGapMs: 700,
    });
    expect(summary.violations).toEqual([]);
    expect(summary).toMatchObject({ endReason: 'gateway-hangup', hungUpByGateway: true });
    expect(summary.audioSecondsHeard).toBeGreaterThan(0.66 + 0.48 + 0.52 - 0.1);
    expect(summary.checkpoints.played).toBeGreaterThanOrEqual(2);
  });

  it('ten at a time are all echoed and all end', async () => {
    const options = { url: echo.url('/stream?from=15550001111'), api, wavPath } as const;
    const summaries = await Promise.all(Array.from({ length: 10 }, () => call(options)));
    for (const summary of summaries) {
      expect(summary.violations).toEqual([]);
      // The callers share a thread, and whoever comes late hangs up late.
      expect(summary.playAudioReceived).toBeGreaterThan(summary.mediaSent - 10);
    }
    await echo.untilMetric('connections_active', {}, 0);
  });
});
