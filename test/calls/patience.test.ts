import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { l16, StreamClient } from './stream-client.js';
import { TestGateway } from './test-gateway.js';
import { sleep, until } from './wait.js';

const handler = `
  start(call) {
    if (call.extraHeaders.how === 'flood') {
      // Each clear starts a new lead: as much as a handler can send.
      const burst = tone(200, 24000);
      const timer = setInterval(() => {
        for (let i = 0; i < 40; i += 1) { call.play(burst, 24000); call.clear(); }
      }, 5);
      call.data.timer = timer;
    }
    if (call.extraHeaders.how === 'steady') {
      const second = tone(1000, 24000);
      call.data.timer = setInterval(() => { while (call.queuedMs < 2000) if (!call.play(second, 24000)) return; }, 50);
    }
  },
  audio(call, samples) { if (!call.extraHeaders.how) call.play(samples); },
  end(call, reason) { clearInterval(call.data.timer); tell(call, 'end', reason); },
`;

/** Stops reading, as a peer does whose network has gone. */
function stopReading(client: StreamClient): void {
  (client.socket as unknown as { readonly _socket: Socket })._socket.pause();
}

/** Plivo goes on sending while it does not read. */
function keepTalking(client: StreamClient): NodeJS.Timeout {
  return setInterval(() => client.isOpen && client.media(new Uint8Array(960)), 20);
}

describe.concurrent('a peer that stops reading', () => {
  it('costs its own call, in bounded memory and within seconds; other calls go on', async () => {
    const gateway = await TestGateway.open({ handler, sampleRate: 24_000 });
    const other = await gateway.liveCall({ format: l16(24_000) });
    const client = await gateway.liveCall({
      format: l16(24_000),
      extraHeaders: { how: 'flood' },
    });
    await client.waitFor('playAudio', 100);
    stopReading(client);
    const talking = keepTalking(client);
    const fromBytes = process.memoryUsage().rss;
    const ended = await until(
      'the end of the call',
      () => gateway.toldOf(client, 'end')[0],
      25_000,
    ).catch(() => undefined);
    clearInterval(talking);
    const grownMb = (process.memoryUsage().rss - fromBytes) / 1e6;
    expect(ended).toEqual(['slow-reader']);
    const page = await gateway.metrics();
    expect(page.drops('slow-reader')).toBeGreaterThan(0);
    expect(grownMb).toBeLessThan(150);
    other.say(new Uint8Array(960 * 10));
    await other.waitForAudio(960 * 10);
    expect(other.closed).toBeUndefined();
    client.socket.terminate();
  }, 45_000);

  it('is found out also when it is only played to at the speed of time', async () => {
    const gateway = await TestGateway.open({ handler, sampleRate: 24_000 });
    const client = await gateway.liveCall({
      format: l16(24_000),
      extraHeaders: { how: 'steady' },
    });
    await client.waitFor('playAudio', 20);
    stopReading(client);
    const talking = keepTalking(client);
    const ended = await until(
      'the end of the call',
      () => gateway.toldOf(client, 'end')[0],
      25_000,
    ).catch(() => undefined);
    clearInterval(talking);
    client.socket.terminate();
    expect(ended).toEqual(['slow-reader']);
  }, 45_000);

  it('for a moment only loses nothing', async () => {
    const gateway = await TestGateway.open({ handler, sampleRate: 24_000 });
    const client = await gateway.liveCall({
      format: l16(24_000),
      extraHeaders: { how: 'steady' },
    });
    await client.waitFor('playAudio', 20);
    const socket = (client.socket as unknown as { readonly _socket: Socket })._socket;
    socket.pause();
    await sleep(1_000);
    socket.resume();
    const count = client.of('playAudio').length;
    await client.waitFor('playAudio', count + 80);
    expect((await gateway.metrics()).drops('slow-reader')).toBe(0);
    await client.hangUp();
  });
});

describe.concurrent('a peer that says nothing', () => {
  it('but opens a socket is closed with 1008 after 10 s', async () => {
    const gateway = await TestGateway.open({ handler });
    const fromMs = performance.now();
    const client = await StreamClient.open(gateway.url());
    client.media(new Uint8Array(160));
    expect((await client.waitForClose(14_000)).code).toBe(1008);
    expect(performance.now() - fromMs).toBeGreaterThan(9_900);
    await gateway.untilMetric('connections_active', {}, 0);
  });
});
