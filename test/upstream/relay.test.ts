import { beforeAll, describe, expect, it } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import type { StreamClient } from '../calls/stream-client.js';
import { knownAtPlivo, openApi, requestsFor, TestGateway } from '../calls/test-gateway.js';
import { sleep, until } from '../calls/wait.js';
import { Application, deadPort } from './application.js';

let api: PlivoApi;
beforeAll(async () => {
  api = await openApi();
});

const handler = `
  start(call) { tell(call, 'start', call.route); },
  audio(call, samples) { tell(call, 'audio', samples.length); },
`;

function gatewayTo(urls: unknown, upstream: object = {}, route: object = {}): Promise<TestGateway> {
  return TestGateway.open({
    api,
    handler,
    settings: { upstreams: [{ name: 'app', protocol: 'plivo', urls, ...upstream }] },
    routes: [
      { name: 'main', upstream: 'app', ...route },
      { name: 'sorry', handler: 'HANDLER' },
    ],
  });
}

const silence = new Uint8Array(160).fill(0xff);
const playAudio = (bytes = 160) =>
  JSON.stringify({
    event: 'playAudio',
    media: {
      contentType: 'audio/x-mulaw',
      sampleRate: 8_000,
      payload: Buffer.alloc(bytes, 0x21).toString('base64'),
    },
  });

/** All text that the client has got, as it came. */
function rawTexts(client: StreamClient): string[] {
  const texts: string[] = [];
  client.socket.on('message', (data) => texts.push(String(data)));
  return texts;
}

describe('an application that speaks the protocol of Plivo', () => {
  it('gets every message as it came, and is sent on as it sends', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(`${app.url}/ws?call={call}`);
    const client = await gateway.call();
    const heard = rawTexts(client);
    const call = await app.untilCall();
    expect(call.request.url).toBe(`/ws?call=${client.callId}`);
    const start = await call.untilEvent('start');
    expect(start).toMatchObject({ start: { callId: client.callId, streamId: client.streamId } });
    const odd = '{ "event" : "media","x":[1, 2],"media":{"payload":"/////w==","track":"inbound"} }';
    client.send(odd);
    const media = JSON.stringify(client.mediaMessage(silence));
    client.send(media);
    client.dtmf('5');
    client.send('no JSON at all');
    await until('all of it', () => call.texts.length === 5);
    expect(call.texts.slice(1)).toEqual([
      odd,
      media,
      expect.stringContaining('"dtmf"'),
      'no JSON at all',
    ]);
    const said = [
      playAudio(),
      '{"event":"checkpoint", "streamId":"s", "name":"a name of its own"}',
      '{"streamId":"s","event":"clearAudio"}',
    ];
    for (const text of said) call.socket.send(text);
    await until('all of that', () => heard.length === 3);
    expect(heard).toEqual(said);
    const [row] = await gateway.calls();
    expect(row).toMatchObject({ upstream: 'app', address: `${app.url}/ws?call={call}` });
    const page = await gateway.metrics();
    expect(page.value('media_in_total')).toBe(2);
    expect(page.value('media_out_total')).toBe(1);
    expect(page.value('digits_in_total')).toBe(1);
    expect(page.value('upstream_connect_seconds_count', { upstream: 'app' })).toBe(1);
    expect(page.value('upstream_first_audio_seconds_count', { upstream: 'app' })).toBe(1);
    const received = said.join('').length;
    const labels = { upstream: 'app', direction: 'received' };
    expect(page.value('upstream_bytes_total', labels)).toBe(received);
    await client.hangUp();
  });

  it('is reached also by a call whose id cannot stand in a URL as it is', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(`${app.url}/?call={call}`);
    const client = await gateway.call({ callId: 'a\ud800b' });
    expect((await app.untilCall()).request.url).toBe('/?call=a%EF%BF%BDb');
    await client.hangUp();
  });

  it('hears first what was said while it was being reached, in order', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo([{ url: await deadPort(), weight: 1_000 }, app.url]);
    const client = await gateway.call();
    client.media(silence);
    client.dtmf('1');
    client.media(silence);
    const call = await app.untilCall();
    await until('all of it', () => call.texts.length === 4);
    const events = call.texts.map((text) => (JSON.parse(text) as { event: string }).event);
    expect(events).toEqual(['start', 'media', 'dtmf', 'media']);
    await client.hangUp();
  });

  it('closes, and that is mirrored: nothing is hung up', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url);
    const client = await gateway.call();
    const call = await app.untilCall();
    await call.untilEvent('start');
    call.socket.close(1000);
    expect((await client.waitForClose()).code).toBe(1000);
    await gateway.untilMetric('calls_ended_total', { reason: 'app-leave' }, 1);
    await sleep(300);
    expect(requestsFor(api, client)).toEqual([]);
  });

  it.each([
    ['closes', (client: StreamClient) => client.socket.close(1000), 1000],
    ['breaks off', (client: StreamClient) => client.socket.terminate(), 1006],
  ])('hears when Plivo %s', async (_how, end, code) => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url);
    const client = await gateway.call();
    const call = await app.untilCall();
    await call.untilEvent('start');
    end(client);
    expect(await until('the close', () => call.closed)).toBe(code);
  });

  it('hears stop, and then the close', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url);
    const client = await gateway.call();
    const call = await app.untilCall();
    await call.untilEvent('start');
    client.send({ event: 'stop', streamId: client.streamId, stop: { reason: 'hangup' } });
    await call.untilEvent('stop');
    expect(await until('the close', () => call.closed)).toBe(1000);
    await gateway.untilMetric('calls_ended_total', { reason: 'stream-stopped' }, 1);
  });

  it('is hung up by an operator', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url);
    const client = await gateway.liveCall();
    const plivo = knownAtPlivo(api, client);
    const call = await app.untilCall();
    await gateway.admin(`/api/calls/${client.callId}`, { method: 'DELETE' });
    await until('the hang-up', () => plivo.hungUp === 1);
    expect(await until('the close', () => call.closed)).toBe(1000);
  });

  it('breaks off: the route that goes on hears the caller', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url, {}, { fallback: 'sorry' });
    const client = await gateway.call();
    const call = await app.untilCall();
    call.socket.send(playAudio());
    await client.waitFor('playAudio');
    call.socket.terminate();
    expect(await gateway.untilTold(client, 'start')).toEqual(['sorry']);
    client.media(silence);
    // 20 ms, less what the filter holds back at first.
    expect(Number((await gateway.untilTold(client, 'audio'))[0])).toBeGreaterThan(250);
    const [row] = await gateway.calls();
    expect(row).toMatchObject({ route: 'main', answeredBy: 'sorry' });
    await gateway.untilMetric('route_fallbacks_total', { route: 'main' }, 1);
    await client.hangUp();
  });

  it('breaks off and is reconnected: it hears start again', async () => {
    const app = await Application.open();
    const route = { onUpstreamLost: 'reconnect' };
    const gateway = await gatewayTo(`${app.url}/?again={resumed}`, {}, route);
    const client = await gateway.call();
    const call = await app.untilCall();
    call.socket.send(playAudio());
    await client.waitFor('playAudio');
    call.socket.terminate();
    const again = await app.untilCall(2);
    expect(again.request.url).toBe('/?again=1');
    expect(await again.untilEvent('start')).toEqual(call.events('start')[0]);
    await client.hangUp();
  });

  it('sends more than Plivo takes in one message: dropped and counted, the call goes on', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url);
    const client = await gateway.call();
    const call = await app.untilCall();
    call.socket.send(playAudio(60_000));
    call.socket.send(playAudio(320));
    await client.waitFor('playAudio');
    expect(client.of('playAudio')).toHaveLength(1);
    expect((await gateway.metrics()).drops('upstream-bad-message')).toBe(1);
    await client.hangUp();
  });

  it('floods: no more is read than half a minute ahead of the caller, until it clears', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo(app.url);
    const client = await gateway.call();
    const call = await app.untilCall();
    // Ten minutes of audio at once, 200 ms each.
    for (let i = 0; i < 3_000; i += 1) call.socket.send(playAudio(1_600));
    await until('half a minute', () => client.of('playAudio').length > 140);
    await sleep(1_000);
    // And what a socket and its reader hold.
    expect(client.of('playAudio').length).toBeLessThan(700);
    expect(call.socket.bufferedAmount).toBeGreaterThan(100_000);
    await client.hangUp();
  });
});
