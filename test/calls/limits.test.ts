import { describe, expect, it } from 'vitest';
import { noise } from './sound.js';
import { l16, StreamClient } from './stream-client.js';
import { refusedUpgrade, TestGateway } from './test-gateway.js';
import { until } from './wait.js';

describe('limits.calls', () => {
  it('refuses the next upgrade with 503 and Retry-After, and takes one when a call has ended', async () => {
    const gateway = await TestGateway.open({ shards: 2, settings: { limits: { calls: 3 } } });
    const clients = await Promise.all([gateway.call(), gateway.call(), gateway.call()]);
    const refused = await refusedUpgrade(gateway.url());
    expect(refused.status).toBe(503);
    expect(Number(refused.retryAfter)).toBeGreaterThan(0);
    const page = await gateway.metrics();
    expect(page.value('upgrades_refused_total')).toBe(1);
    await clients[1]?.hangUp();
    const next = await until('room', () => gateway.call().catch(() => undefined));
    expect((await refusedUpgrade(gateway.url())).status).toBe(503);
    next.media(noise(160));
    await next.waitFor('playAudio');
  });

  it('of 1 with two shards leaves room for one call, again and again', async () => {
    const gateway = await TestGateway.open({ shards: 2, settings: { limits: { calls: 1 } } });
    for (let round = 0; round < 20; round += 1) {
      const client = await until('room', () =>
        StreamClient.open(gateway.url()).catch(() => undefined),
      );
      if (round % 3 > 0) client.start();
      if (round % 3 > 1) client.media(noise(160));
      expect((await refusedUpgrade(gateway.url())).status).toBe(503);
      if (round % 2 === 0) client.socket.terminate();
      else await client.hangUp();
    }
    const page = await gateway.untilMetric('connections_active', {}, 0);
    expect(page.value('calls_active')).toBe(0);
  });

  it('spreads the calls over the shards', async () => {
    const gateway = await TestGateway.open({ shards: 2 });
    await Promise.all(Array.from({ length: 10 }, () => gateway.call()));
    await gateway.untilMetric('calls_active', {}, 10);
    const shards = (await gateway.calls()).map(({ shard }) => shard);
    expect(shards.filter((shard) => shard === 0)).toHaveLength(5);
  });
});

describe('a second socket for a call that is live', () => {
  it('replaces the first, which closes with 1000, on the same shard or another', async () => {
    const gateway = await TestGateway.open({
      shards: 2,
      sampleRate: 16_000,
      handler: `
        audio(call, samples) { call.play(samples); },
        end(call, reason) { tell(call, 'end', reason, call.streamId); },
      `,
    });
    const callId = 'the-same-call';
    const format = l16(16_000);
    let before = await gateway.liveCall({ callId, format });
    for (let round = 1; round <= 4; round += 1) {
      const next = await gateway.call({ callId, format });
      expect(await before.waitForClose()).toEqual({ code: 1000, reason: 'replaced' });
      expect(await gateway.untilTold(next, 'end', round)).toEqual(['replaced', before.streamId]);
      const said = noise(640 * 3, round);
      next.say(said);
      expect((await next.waitForAudio(said.length)).equals(said)).toBe(true);
      const page = await gateway.untilMetric('connections_active', {}, 1);
      expect(page.value('calls_active')).toBe(1);
      expect((await gateway.calls()).map(({ streamId }) => streamId)).toEqual([next.streamId]);
      before = next;
    }
    // The operator's hang-up meets the socket that is live now.
    expect((await gateway.admin(`/api/calls/${callId}`, { method: 'DELETE' })).status).toBe(202);
    expect((await before.waitForClose()).reason).toBe('operator');
    const page = await gateway.untilMetric('connections_active', {}, 0);
    expect(page.value('calls_started_total')).toBe(5);
    expect(page.value('calls_ended_total', { reason: 'replaced' })).toBe(4);
    expect((await gateway.admin(`/api/calls/${callId}`, { method: 'DELETE' })).status).toBe(404);
  });
});
