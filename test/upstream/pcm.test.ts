import { beforeAll, describe, expect, it } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import type { StreamClient } from '../calls/stream-client.js';
import { knownAtPlivo, openApi, requestsFor, TestGateway } from '../calls/test-gateway.js';
import { sleep, until } from '../calls/wait.js';
import { Application, silentPort } from './application.js';

let api: PlivoApi;
beforeAll(async () => {
  api = await openApi();
});

function gatewayTo(url: string, upstream: object = {}, route: object = {}): Promise<TestGateway> {
  return TestGateway.open({
    api,
    settings: { upstreams: [{ name: 'app', protocol: 'pcm', urls: url, ...upstream }] },
    routes: [{ name: 'main', upstream: 'app', ...route }],
  });
}

/** A second of a tone as µ-law would not do: its level counts. */
const tone = (rate: number, ms: number) =>
  Buffer.from(
    Int16Array.from({ length: (rate * ms) / 1_000 }, (_, i) => 12_000 * Math.sin(i / 5)).buffer,
  );

const silence = new Uint8Array(160).fill(0xff);

/** Speaks silence in real time until told to stop: what a telephone does. */
function speaking(client: StreamClient): () => void {
  const timer = setInterval(() => client.media(silence), 20);
  return () => clearInterval(timer);
}

describe('an application that speaks pcm', () => {
  it('hears who calls, the caller, keys and checkpoints, and is heard', async () => {
    const app = await Application.open();
    const headers = { Authorization: 'Bearer app-secret', Origin: 'https://gateway.example' };
    const gateway = await gatewayTo(`${app.url}/?call={call}&from={from}&resumed={resumed}`, {
      headers,
      sampleRate: 24_000,
    });
    const client = await gateway.call({}, '/stream?from=%2B15550001111&to=15550002222&tenant=a');
    const plivo = knownAtPlivo(api, client);
    const call = await app.untilCall();
    const asked = new URL(call.request.url ?? '', 'ws://x').searchParams;
    expect(Object.fromEntries(asked)).toEqual({
      call: client.callId,
      from: '+15550001111',
      resumed: '0',
    });
    expect(call.request.headers).toMatchObject({
      authorization: 'Bearer app-secret',
      origin: 'https://gateway.example',
    });
    expect(call.request.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(await call.untilEvent('start')).toEqual({
      event: 'start',
      sampleRate: 24_000,
      callId: client.callId,
      streamId: client.streamId,
      accountId: 'MAEXAMPLE0000000000A',
      from: '+15550001111',
      to: '15550002222',
      query: { from: '+15550001111', to: '15550002222', tenant: 'a' },
      extraHeaders: {},
      route: 'main',
      resumed: false,
    });

    client.say(new Uint8Array(160 * 10).fill(0x20));
    await until('the caller is heard', () => call.pcmBytes === 10 * 480 * 2);
    const heard = Buffer.concat(call.binaries);
    const loudest = Math.max(...new Int16Array(new Uint8Array(heard).buffer).map(Math.abs));
    expect(loudest).toBeGreaterThan(4_000);
    client.dtmf('5');
    expect(await call.untilEvent('dtmf')).toEqual({ event: 'dtmf', digit: '5' });

    call.socket.send(tone(24_000, 300));
    call.send({ event: 'checkpoint', name: 'said' });
    await client.waitForAudio(8 * 280);
    const checkpoint = await client.waitFor('checkpoint');
    client.played(String(checkpoint.name));
    const played = { event: 'played', name: 'said', interrupted: false };
    expect(await call.untilEvent('played')).toEqual(played);

    call.send({ event: 'dtmf', digits: '12' });
    await client.waitFor('sendDTMF');
    call.socket.send(tone(24_000, 5_000));
    call.send({ event: 'clear' });
    await client.waitFor('clearAudio');
    call.send({ event: 'cancel' });
    await until('the hang-up', () => plivo.hungUp === 1);
    await client.waitForClose();
    expect(await call.untilEvent('end')).toEqual({ event: 'end', reason: 'app-cancel' });
    await until('its close', () => call.closed === 1000);
    await gateway.untilMetric('upstream_calls', { upstream: 'app' }, 0);
  });

  it('hears also what was said while it was being reached', async () => {
    const app = await Application.open();
    const silent = await silentPort();
    const gateway = await gatewayTo(app.url, {
      urls: [{ url: silent, weight: 1_000 }, app.url],
      connectTimeout: '600ms',
    });
    const client = await gateway.call();
    client.say(new Uint8Array(160 * 5).fill(0x20));
    const call = await app.untilCall();
    await until('the first words', () => call.pcmBytes === 5 * 640);
    expect((await gateway.metrics()).value('drops_total', { reason: 'upstream-slow' })).toBe(0);
    await client.hangUp();
  });

  it('that closes with 1000 is played out, and the call hung up', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url, { sampleRate: 8_000 });
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    const call = await app.untilCall();
    call.socket.send(tone(8_000, 600));
    call.socket.close(1000);
    const last = await client.waitFor('checkpoint');
    expect(client.audioMs()).toBe(600);
    expect(plivo.hungUp).toBe(0);
    client.played(String(last.name));
    await until('the hang-up', () => plivo.hungUp === 1);
    await gateway.untilMetric('calls_ended_total', { reason: 'app-end' }, 1);
  });

  it('that hangs up itself is left alone', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url, {}, { autoHangUp: false });
    const client = await gateway.call();
    const call = await app.untilCall();
    call.socket.close(1000);
    expect((await client.waitForClose()).code).toBe(1000);
    await sleep(200);
    expect(requestsFor(api, client)).toEqual([]);
  });

  it('hears of the end when the caller hangs up', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url);
    const client = await gateway.call();
    const call = await app.untilCall();
    await call.untilEvent('start');
    await client.hangUp();
    expect(await call.untilEvent('end')).toEqual({ event: 'end', reason: 'stream-closed' });
    await until('its close', () => call.closed === 1000);
  });

  it('that sends nonsense is counted, and the call goes on; too much of it ends the connection', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url);
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    const call = await app.untilCall();
    const nonsense = [
      'no json',
      '[]',
      'null',
      '{}',
      '{"event":"constructor"}',
      '{"event":5}',
      '{"event":"checkpoint"}',
      '{"event":"checkpoint","name":""}',
      '{"event":"dtmf","digits":"x"}',
      '{"event":"transfer","url":7}',
      Buffer.alloc(3),
      Buffer.alloc(0),
      Buffer.alloc(2 * 1024 * 1024),
    ];
    for (const one of nonsense) call.socket.send(one);
    const counted = nonsense.length;
    await gateway.untilMetric('drops_total', { reason: 'upstream-bad-message' }, counted);
    call.socket.send(tone(16_000, 100));
    await client.waitForAudio(8 * 80);
    for (let i = 0; i < 20; i += 1) call.socket.send('no json');
    await until('the hang-up', () => plivo.hungUp === 1);
    expect(call.closed).toBe(1006);
    await client.waitForClose();
    await gateway.untilMetric('calls_ended_total', { reason: 'upstream-lost' }, 1);
  });

  it('that sends a flood is read no faster than it is heard', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url);
    const client = await gateway.call();
    const stop = speaking(client);
    const call = await app.untilCall();
    const second = tone(16_000, 1_000);
    for (let i = 0; i < 600; i += 1) call.socket.send(second);
    await client.waitForAudio(8_000);
    await sleep(500);
    // Ten minutes were sent; the queue has room for one, and nothing was thrown away.
    const page = await gateway.metrics();
    expect(page.value('drops_total', { reason: 'queue-full' })).toBe(0);
    expect(call.socket.bufferedAmount).toBeGreaterThan(100 * second.length);
    stop();
    await client.hangUp();
  });

  it('that stops reading loses the oldest audio, and the call goes on', {
    timeout: 30_000,
  }, async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url);
    const client = await gateway.call();
    const stop = speaking(client);
    const call = await app.untilCall();
    await until('audio', () => call.pcmBytes > 0);
    call.socket.pause();
    await until(
      'audio is dropped',
      async () => (await gateway.metrics()).value('drops_total', { reason: 'upstream-slow' }) > 5,
      12_000,
    );
    expect(client.isOpen).toBe(true);
    const before = call.pcmBytes;
    call.socket.resume();
    await until('it hears again', () => call.pcmBytes > before + 640 * 50);
    stop();
    await client.hangUp();
  });
});
