import { describe, expect, it } from 'vitest';
import { knownAtPlivo, openApi, refusedUpgrade, requestsFor, TestGateway } from './test-gateway.js';
import { sleep, until } from './wait.js';

const handler = `
  audio(call, samples) { call.play(samples); },
  dtmf(call) { call.play(tone(300, 16000)); call.end(); },
  end(call, reason) { tell(call, 'end', reason); },
`;

/** Notes the end of a drain, so that a test can say that it has not come yet. */
function draining(gateway: TestGateway, timeoutMs?: number) {
  const state = { clean: undefined as boolean | undefined };
  const done = gateway.gateway.drain(timeoutMs).then((clean) => {
    state.clean = clean;
    return clean;
  });
  return { state, done };
}

describe('a drain', () => {
  it('refuses new streams, lets the live call go on, and is done when it has ended', async () => {
    const gateway = await TestGateway.open({ handler });
    const client = await gateway.liveCall();
    const { state, done } = draining(gateway, 60_000);
    const refused = await refusedUpgrade(gateway.url());
    expect(refused.status).toBe(503);
    expect(Number(refused.retryAfter)).toBeGreaterThan(0);
    const ready = await gateway.admin('/readyz');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ ready: false, draining: true, calls: 1 });
    expect((await gateway.admin('/livez')).status).toBe(200);
    expect((await gateway.metrics()).value('draining')).toBe(1);
    client.say(new Uint8Array(160 * 10).fill(0x55));
    await client.waitForAudio(160 * 10);
    await sleep(200);
    expect(state.clean).toBeUndefined();
    await client.hangUp();
    expect(await done).toBe(true);
    expect(gateway.toldOf(client, 'end')).toEqual([['stream-closed']]);
    await expect(gateway.admin('/livez')).rejects.toThrow();
    await expect(refusedUpgrade(gateway.url())).rejects.toThrow(/ECONNREFUSED/);
  });

  it('of a gateway without calls is done at once', async () => {
    const gateway = await TestGateway.open({ handler, shards: 2 });
    const fromMs = performance.now();
    expect(await gateway.gateway.drain()).toBe(true);
    expect(performance.now() - fromMs).toBeLessThan(3_000);
  });

  it('at its deadline ends what is left, with 1001', async () => {
    const gateway = await TestGateway.open({ handler, shards: 2 });
    const clients = await Promise.all([gateway.liveCall(), gateway.liveCall()]);
    const { done } = draining(gateway, 300);
    for (const client of clients) {
      expect(await client.waitForClose()).toEqual({ code: 1001, reason: 'drain-deadline' });
    }
    expect(await done).toBe(true);
    for (const client of clients) {
      expect(await gateway.untilTold(client, 'end')).toEqual(['drain-deadline']);
    }
  });

  it('at its deadline lets what is queued be heard, then hangs up', async () => {
    const api = await openApi();
    const gateway = await TestGateway.open({ handler, api });
    const client = await gateway.liveCall();
    knownAtPlivo(api, client);
    client.say(new Uint8Array(160 * 40).fill(0x55));
    await client.waitForAudio(160 * 5);
    const { done } = draining(gateway, 50);
    const last = await client.waitFor('checkpoint');
    expect(client.audio().length).toBeGreaterThanOrEqual(160 * 40);
    expect(requestsFor(api, client)).toEqual([]);
    client.played(last.name ?? '');
    await client.waitForClose();
    expect(await done).toBe(true);
    expect(requestsFor(api, client)).toHaveLength(1);
    expect(await gateway.untilTold(client, 'end')).toEqual(['drain-deadline']);
  });

  it('waits for hang-ups that fail at first', async () => {
    const api = await openApi();
    const gateway = await TestGateway.open({ handler, api });
    const client = await gateway.liveCall();
    const plivo = knownAtPlivo(api, client);
    api.failNext(2, { status: 503 });
    client.dtmf('1');
    client.played((await client.waitFor('checkpoint')).name ?? '');
    await until('the first request', () => requestsFor(api, client)[0]);
    client.socket.close(1000);
    await gateway.gateway.drain(1_000);
    expect(plivo.hungUp).toBe(1);
  });

  it('does not wait for the last word of a caller who has hung up', async () => {
    const api = await openApi();
    const gateway = await TestGateway.open({
      api,
      handler: 'start(call) { call.play(tone(20000, 16000)); call.end(); }',
    });
    const client = await gateway.liveCall();
    await client.hangUp();
    const fromMs = performance.now();
    await gateway.gateway.drain(1_000);
    expect(performance.now() - fromMs).toBeLessThan(4_000);
  });

  it('may hand what is left to another node, and ends what Plivo does not take', async () => {
    const api = await openApi();
    const publicUrl = 'https://calls.example.com';
    const settings = { publicUrl, drain: { atDeadline: 'handover' } };
    const gateway = await TestGateway.open({ api, handler, settings });
    const [handed, gone] = [await gateway.liveCall(), await gateway.liveCall()];
    const state = knownAtPlivo(api, handed);
    const { done } = draining(gateway, 100);
    expect(await handed.waitForClose()).toEqual({ code: 1001, reason: 'drain-deadline' });
    expect(state).toEqual({ hungUp: 0, transferredTo: `${publicUrl}/answer?resume=1` });
    // Plivo knows no such call, so nobody goes on with it.
    expect((await gone.waitForClose()).reason).toBe('drain-deadline');
    await done;
    expect(requestsFor(api, handed)).toEqual([]);
    expect(requestsFor(api, gone).length).toBeGreaterThan(0);
    expect(await gateway.untilTold(handed, 'end')).toEqual(['drain-deadline']);
  });

  it('may leave what is left to Plivo, and hangs nobody up', async () => {
    const api = await openApi();
    const settings = { drain: { atDeadline: 'leave' } };
    const gateway = await TestGateway.open({ api, handler, settings });
    const client = await gateway.liveCall();
    knownAtPlivo(api, client);
    const { done } = draining(gateway, 100);
    expect(await client.waitForClose()).toEqual({ code: 1001, reason: 'drain-deadline' });
    expect(await done).toBe(true);
    expect(api.requests).toEqual([]);
  });

  it('closes also sockets that never sent start', async () => {
    const gateway = await TestGateway.open({ handler });
    const { StreamClient } = await import('./stream-client.js');
    const client = await StreamClient.open(gateway.url());
    const { done } = draining(gateway, 100);
    expect((await client.waitForClose()).code).toBe(1001);
    expect(await done).toBe(true);
  });
});
