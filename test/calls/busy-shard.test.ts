import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signatureV3 } from '../../src/plivo/signature.js';
import { l16, type StreamClient } from './stream-client.js';
import { authToken, openApi, requestsFor, TestGateway } from './test-gateway.js';
import { sleep, until } from './wait.js';

/** A handler that keeps its thread for itself: what arrives meanwhile waits in the ring. */
const handler = `
  start(call) {
    tell(call, 'start');
    this.block(call.extraHeaders.block ?? 0);
  },
  audio(call, samples) { call.play(samples); },
  dtmf(call, digit) {
    tell(call, 'dtmf', digit);
    if (digit === '#') this.block(1_500);
  },
  block(what) {
    const { existsSync } = process.getBuiltinModule('node:fs');
    const rest = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    if (Number(what) >= 0) return rest(Number(what));
    // Until the test lets it go; no longer than half a minute.
    for (let looks = 0; looks < 1_500 && !existsSync(what); looks += 1) rest(20);
  },
  end(call, reason) { tell(call, 'end', reason); },
`;

const format = l16(16_000);

/** For so many milliseconds, or until `letGo`. */
async function blocked(ms: number | undefined, shards = 1) {
  const gateway = await TestGateway.open({
    handler,
    sampleRate: 16_000,
    shards,
    settings: { limits: { calls: 4, watchdog: '1m' } },
  });
  const file = join(gateway.folder, 'go');
  const block = ms === undefined ? file : String(ms);
  const client = await gateway.call({ format, extraHeaders: { block } });
  await gateway.untilTold(client, 'start');
  return { gateway, client, letGo: () => writeFileSync(file, '') };
}

describe.concurrent('a shard that is held up', () => {
  it('loses audio at most: every digit comes, and the call goes on', async () => {
    const { gateway, client } = await blocked(2_000);
    const frame = new Uint8Array(640);
    for (let i = 0; i < 6_000; i += 1) {
      client.media(frame);
      if (i % 60 === 59) client.dtmf(String(((i / 60) % 10) | 0));
    }
    await gateway.untilTold(client, 'dtmf', 100);
    const digits = gateway.toldOf(client, 'dtmf').map(([digit]) => digit);
    expect(digits.join('')).toBe('0123456789'.repeat(10));
    const page = await gateway.metrics();
    expect(page.drops('ingress-full')).toBeGreaterThan(1_000);
    expect(client.closed).toBeUndefined();
    await client.hangUp();
    expect(await gateway.untilTold(client, 'end')).toEqual(['stream-closed']);
  });

  it('so long that not even control fits ends the call; a call in its place is another one', async () => {
    const { gateway, client, letGo } = await blocked(undefined);
    const frame = new Uint8Array(640);
    for (let i = 0; i < 5_000; i += 1) client.media(frame);
    const flood = (): void => {
      for (let i = 0; i < 500 && client.isOpen; i += 1) client.dtmf('1');
    };
    const closed = await until('the end of the call', () => {
      flood();
      return client.closed;
    });
    expect(closed).toEqual({ code: 1011, reason: 'shard-overrun' });
    letGo();
    // Plivo reconnects at once, and is let in as soon as there is room for all it has to say.
    const next = await until('a call that works', async () => {
      const again = await gateway.call({ format }).catch(() => undefined);
      again?.media(frame);
      const answer = again && (() => again.closed ?? again.of('playAudio')[0]);
      await until('an answer', () => again === undefined || answer?.());
      return again?.isOpen === true && again;
    });
    expect(await gateway.untilTold(client, 'end')).toEqual(['shard-overrun']);
    await next.hangUp();
    expect(await gateway.untilTold(next, 'end')).toEqual(['stream-closed']);
    await gateway.untilMetric('connections_active', {}, 0);
  });

  it('and overrun keeps no call from the others', async () => {
    const { gateway, client, letGo } = await blocked(undefined, 2);
    const frame = new Uint8Array(640);
    for (let i = 0; i < 5_000; i += 1) client.media(frame);
    await until('the end of the call', () => {
      for (let i = 0; i < 500 && client.isOpen; i += 1) client.dtmf('1');
      return client.closed;
    });
    // The shard is still held up. One of the next two calls belongs to the other one.
    const fromMs = performance.now();
    const served = await until('a call that works', async () => {
      const next = await gateway.call({ format }).catch(() => undefined);
      next?.media(frame);
      const heard = next?.waitFor('playAudio', 1, 300).catch(() => undefined);
      return (await heard) && next;
    });
    expect(performance.now() - fromMs).toBeLessThan(4_000);
    await served.hangUp();
    letGo();
  });

  it('hears in time that a call is over, though its stream broke first: nothing is hung up', async () => {
    const api = await openApi();
    const limits = { watchdog: '1m' };
    const settings = { publicUrl, limits, hangup: { lostStreamGrace: '1s' } };
    const gateway = await TestGateway.open({ handler, api, settings });
    const client = await gateway.liveCall();
    client.dtmf('#');
    await gateway.untilTold(client, 'dtmf');
    client.socket.terminate();
    await sleep(300);
    expect(await hangupWebhook(gateway, client)).toBe(200);
    await gateway.untilMetric('connections_active', {}, 0);
    await sleep(1_800);
    expect(requestsFor(api, client)).toEqual([]);
  });
});

const publicUrl = 'https://voice.example.com';

async function hangupWebhook(gateway: TestGateway, { callId }: StreamClient): Promise<number> {
  const form = { CallUUID: callId, Event: 'Hangup' };
  const nonce = '05429567804466091622';
  const url = `${publicUrl}/hangup`;
  const signature = signatureV3('POST', url, Object.entries(form), nonce, authToken);
  const answer = await fetch(`http://127.0.0.1:${gateway.gateway.port}/hangup`, {
    method: 'POST',
    headers: { 'X-Plivo-Signature-V3': signature, 'X-Plivo-Signature-V3-Nonce': nonce },
    body: new URLSearchParams(form),
  });
  return answer.status;
}
