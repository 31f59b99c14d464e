import { type AddressInfo, createServer } from 'node:net';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import type { StreamClient } from '../calls/stream-client.js';
import { knownAtPlivo, openApi, requestsFor, TestGateway } from '../calls/test-gateway.js';
import { sleep, until } from '../calls/wait.js';
import { Application } from './application.js';

let api: PlivoApi;
beforeAll(async () => {
  api = await openApi();
});

function gatewayTo(
  urls: readonly unknown[],
  upstream: object = {},
  route: object = {},
  settings: object = {},
) {
  return TestGateway.open({
    api,
    handler: `
      start(call) { tell(call, 'start', call.route); call.play(tone(200, 16000)); },
      played(call, name) { tell(call, 'played', name); }`,
    settings: { ...settings, upstreams: [{ name: 'app', protocol: 'pcm', urls, ...upstream }] },
    routes: [
      { name: 'main', upstream: 'app', ...route },
      { name: 'sorry', handler: 'HANDLER' },
    ],
  });
}

/** A caller who is silent: media comes all the time. */
function silence(client: StreamClient): void {
  const timer = setInterval(
    () => client.isOpen && client.media(new Uint8Array(160).fill(0xff)),
    20,
  );
  onTestFinished(() => clearInterval(timer));
}

const seconds = (count: number) => Buffer.alloc(count * 32_000, 1);
const events = async (gateway: TestGateway, event: string) =>
  (await gateway.metrics()).value('upstream_events_total', { upstream: 'app', event });

describe('an application that sends far ahead', () => {
  it('is not read for a while, and hears the caller all the time', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo([app.url], {}, {}, { playout: { queue: '20s' } });
    const client = await gateway.call();
    silence(client);
    const call = await app.untilCall();
    // 8 s is how far it may be ahead; the rest waits in its socket.
    for (let i = 0; i < 12; i += 1) call.socket.send(seconds(1));
    const before = call.pcmBytes;
    await sleep(6_000);
    expect(client.isOpen).toBe(true);
    expect(call.closed).toBeUndefined();
    // 6 s of 640 bytes each 20 ms, a little less for a busy machine.
    expect(call.pcmBytes - before).toBeGreaterThan(5.4 * 32_000);
    expect((await gateway.metrics()).value('upstream_dropped_total', { upstream: 'app' })).toBe(0);
    expect((await gateway.metrics()).value('drops_total', { reason: 'queue-full' })).toBe(0);
    await client.hangUp();
    await until('the application hears of the end', () => call.closed !== undefined, 3_000);
  }, 20_000);
});

describe('an application that is slow to come', () => {
  it('with an answer that never ends is passed over in time', async () => {
    const drip = createServer((socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nX: ');
      const timer = setInterval(() => socket.write('x'), 50);
      socket.on('close', () => clearInterval(timer)).on('error', () => {});
    });
    await new Promise<void>((resolve) => drip.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void drip.close());
    const { port } = drip.address() as AddressInfo;
    const gateway = await gatewayTo(
      [`ws://127.0.0.1:${port}`],
      { connectTimeout: '600ms' },
      { fallback: 'sorry' },
    );
    const client = await gateway.call();
    const startMs = performance.now();
    await gateway.untilTold(client, 'start');
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(await events(gateway, 'timeout')).toBe(1);
    await client.hangUp();
  });

  it('that says it is busy after a while is passed over as well, and is no failure', async () => {
    const busy = await Application.open(({ socket }) =>
      setTimeout(() => socket.close(1013), 1_300),
    );
    const free = await Application.open();
    const gateway = await gatewayTo([{ url: busy.url, weight: 1_000 }, free.url]);
    const client = await gateway.call();
    await free.untilCall();
    expect(await events(gateway, 'busy')).toBe(1);
    expect(client.isOpen).toBe(true);
    await client.hangUp();
  });
});

describe('readyTimeout', () => {
  it('is for the first audio of a call: one that comes back may listen first', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(
      [app.url],
      { readyTimeout: '300ms' },
      { onUpstreamLost: 'reconnect' },
    );
    const client = await gateway.call();
    silence(client);
    const first = await app.untilCall();
    first.socket.send(seconds(1));
    await client.waitForAudio(160);
    first.socket.terminate();
    const second = await app.untilCall(2);
    await sleep(1_000);
    expect(second.closed).toBeUndefined();
    expect(app.calls).toHaveLength(2);
    await client.hangUp();
  });
});

describe('a close of the application', () => {
  it('without a code is on purpose: the caller hears the rest', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo([app.url]);
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    const call = await app.untilCall();
    call.socket.send(seconds(1));
    call.socket.close();
    const name = String((await client.waitFor('checkpoint')).name);
    expect(plivo.hungUp).toBe(0);
    expect(client.audioMs()).toBeGreaterThan(900);
    client.played(name);
    await until('the hang-up', () => plivo.hungUp === 1);
    await gateway.untilMetric('calls_ended_total', { reason: 'app-end', route: 'main' }, 1);
  });

  it('behind a transfer does not hang up the call that Plivo has taken over', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo([app.url]);
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    const call = await app.untilCall();
    call.send({ event: 'transfer', url: 'https://voice.example.com/next' });
    call.socket.close(1011);
    expect(await client.waitForClose()).toMatchObject({ reason: 'app-transfer' });
    expect(plivo.transferredTo).toBe('https://voice.example.com/next');
    await sleep(300);
    expect(requestsFor(api, client)).toEqual([]);
  });

  it('behind an end gets it no second connection', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo([app.url], {}, { onUpstreamLost: 'reconnect' });
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    const call = await app.untilCall();
    call.socket.send(seconds(1));
    call.send({ event: 'end' });
    call.socket.close(1001);
    const name = String((await client.waitFor('checkpoint')).name);
    await sleep(600);
    expect(app.calls).toHaveLength(1);
    client.played(name);
    await until('the hang-up', () => plivo.hungUp === 1);
  });

  it('that is followed by the fallback lets the caller hear it at once', async () => {
    for (const protocol of ['pcm', 'plivo']) {
      const app = await Application.open();
      const gateway = await gatewayTo([app.url], { protocol }, { fallback: 'sorry' });
      const client = await gateway.call();
      const call = await app.untilCall();
      if (protocol === 'pcm') call.socket.send(seconds(10));
      else {
        const payload = Buffer.alloc(8_000, 1).toString('base64');
        const media = { contentType: 'audio/x-mulaw', sampleRate: 8_000, payload };
        for (let i = 0; i < 5; i += 1) call.send({ event: 'playAudio', media });
      }
      await client.waitFor('playAudio', 3);
      call.socket.terminate();
      expect(await gateway.untilTold(client, 'start')).toEqual(['sorry']);
      await client.waitFor('clearAudio');
      const cleared = client.heard.findIndex(({ event }) => event === 'clearAudio');
      await until('the fallback', () =>
        client.heard.slice(cleared).some(({ event }) => event === 'playAudio'),
      );
      const [view] = await gateway.calls();
      expect(view).toMatchObject({ route: 'main', answeredBy: 'sorry', upstream: '', address: '' });
      await client.hangUp();
    }
  });
});

it('a message of an application with nonsense for a text is dropped, and the next one heard', async () => {
  const app = await Application.open();
  const gateway = await gatewayTo([app.url]);
  const client = await gateway.call();
  const call = await app.untilCall();
  for (const name of [{ toString: 0 }, null, [], true]) {
    call.send({ event: 'checkpoint', name });
    call.send({ event: 'dtmf', digits: name });
  }
  call.socket.send(seconds(1));
  await client.waitForAudio(160);
  const page = await gateway.metrics();
  expect(page.value('drops_total', { reason: 'upstream-bad-message' })).toBe(8);
  expect(page.value('handler_errors_total')).toBe(0);
  await client.hangUp();
});
