import { describe, expect, it } from 'vitest';
import type { StreamClient } from './stream-client.js';
import { knownAtPlivo, openApi, requestsFor, TestGateway } from './test-gateway.js';
import { until } from './wait.js';

const handler = `
  start(call) {
    tell(call, 'start');
    if (call.extraHeaders.at === 'start') process.exit(1);
  },
  audio(call, samples) { call.play(samples); },
  dtmf(call, digit) {
    if (digit === '1') process.exit(0);
    if (digit === '2') {
      const kept = [];
      for (;;) kept.push(new Array(100_000).fill(kept.length + 0.5));
    }
    if (digit === '3') call.end();
    if (digit === '4') { call.cancel(); process.exit(1); }
  },
  end(call, reason) { tell(call, 'end', reason); },
`;

async function shardOf(gateway: TestGateway, client: StreamClient): Promise<unknown> {
  const calls = await gateway.calls();
  return calls.find(({ callId }) => callId === client.callId)?.shard;
}

async function expectEcho(client: StreamClient): Promise<void> {
  const before = client.audio().length;
  client.say(new Uint8Array(160 * 5).fill(0x55));
  await client.waitForAudio(before + 160 * 5);
}

describe.concurrent('the death of a shard', () => {
  it.each([
    ['by process.exit()', '1', 5_000],
    ['by a heap that is full', '2', 60_000],
  ])(
    '%s ends its calls with shard-lost and hangs them up; the others go on; it is replaced',
    async (_name, digit, deadlineMs) => {
      const api = await openApi();
      const gateway = await TestGateway.open({ handler, api, shards: 2 });
      const clients: StreamClient[] = [];
      for (let i = 0; i < 6; i += 1) {
        const client = await gateway.liveCall();
        knownAtPlivo(api, client);
        clients.push(client);
      }
      const shards = await Promise.all(clients.map((client) => shardOf(gateway, client)));
      const doomed = clients.filter((_, i) => shards[i] === shards[0]);
      const others = clients.filter((_, i) => shards[i] !== shards[0]);
      expect([doomed.length, others.length]).toEqual([3, 3]);
      doomed[0]?.dtmf(digit);
      for (const client of doomed) {
        expect(await client.waitForClose(deadlineMs)).toEqual({ code: 1011, reason: 'shard-lost' });
        await until('the hang-up', () => requestsFor(api, client)[0]);
        expect(requestsFor(api, client)).toHaveLength(1);
      }
      for (const client of others) await expectEcho(client);
      const page = await gateway.untilMetric('shard_restarts_total', {}, 1);
      expect(page.value('calls_ended_total', { reason: 'shard-lost', fault: 'gateway' })).toBe(3);
      expect(page.value('calls_active')).toBe(3);
      // The new one takes the next calls, being the emptier one.
      const next = await gateway.liveCall();
      expect(await shardOf(gateway, next)).toBe(shards[0]);
      await expectEcho(next);
      const later = await gateway.metrics();
      // What the dead one counted is not forgotten.
      expect(later.value('calls_started_total')).toBe(7);
      expect(later.value('shard_ready')).toBe(2);
      for (const client of [...others, next]) await client.hangUp();
      await gateway.untilMetric('connections_active', {}, 0);
    },
    90_000,
  );

  it('in the start of a call hangs that call up too', async () => {
    const api = await openApi();
    const gateway = await TestGateway.open({ handler, api, shards: 1 });
    const client = await gateway.call({ extraHeaders: { at: 'start' } });
    knownAtPlivo(api, client);
    expect((await client.waitForClose()).code).toBe(1011);
    await until('the hang-up', () => requestsFor(api, client)[0], 3_000);
  });

  it('does not forget what was asked for just before', async () => {
    const api = await openApi();
    const gateway = await TestGateway.open({ handler, api, shards: 1 });
    const client = await gateway.liveCall();
    knownAtPlivo(api, client);
    client.dtmf('4');
    await client.waitForClose();
    await until('the hang-up', () => requestsFor(api, client)[0], 3_000);
    const page = await gateway.metrics();
    // The first reason stands: the handler had ended this call.
    expect(page.value('calls_ended_total', { reason: 'app-cancel' })).toBe(1);
  });

  it('again and again is survived; while no shard is there, upgrades get 503', async () => {
    const gateway = await TestGateway.open({ handler, shards: 1 });
    for (let round = 1; round <= 3; round += 1) {
      const client = await until('a shard', () => gateway.call().catch(() => undefined));
      await gateway.untilTold(client, 'start');
      client.dtmf('1');
      expect((await client.waitForClose()).code).toBe(1011);
      await gateway.untilMetric('shard_restarts_total', {}, round);
    }
    const page = await gateway.metrics();
    expect(page.value('connections_active')).toBe(0);
    expect(page.value('calls_started_total')).toBe(page.value('calls_ended_total'));
    const client = await gateway.call();
    await expectEcho(client);
  });
});
