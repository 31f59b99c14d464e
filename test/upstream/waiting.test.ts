import { beforeAll, describe, expect, it } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import { wavBytes } from '../../src/codec/wav.js';
import type { StreamClient } from '../calls/stream-client.js';
import { knownAtPlivo, openApi, TestGateway } from '../calls/test-gateway.js';
import { sleep, until } from '../calls/wait.js';
import { Application, deadPort } from './application.js';

let api: PlivoApi;
beforeAll(async () => {
  api = await openApi();
});

const tone = (ms: number) =>
  wavBytes({
    rateHz: 8_000,
    samples: Int16Array.from({ length: ms * 8 }, (_, i) => 9_000 * Math.sin(i / 3)),
  });

function gatewayTo(urls: unknown, upstream: object, route: object): Promise<TestGateway> {
  return TestGateway.open({
    api,
    files: { 'wait.wav': tone(500), 'sorry.wav': tone(300) },
    settings: { upstreams: [{ name: 'app', protocol: 'pcm', urls, ...upstream }] },
    routes: [
      { name: 'main', upstream: 'app', ...route },
      { name: 'sorry', play: './sorry.wav' },
    ],
  });
}

/** A telephone: it speaks silence, and says when it has heard a checkpoint. */
function telephone(client: StreamClient): () => void {
  const silence = new Uint8Array(160).fill(0xff);
  let told = 0;
  const timer = setInterval(() => {
    client.media(silence);
    const checkpoints = client.of('checkpoint');
    for (; told < checkpoints.length; told += 1) client.played(String(checkpoints[told]?.name));
  }, 20);
  return () => clearInterval(timer);
}

describe('a caller whose application is not there yet', () => {
  it.each(['end', 'close'])(
    'does not hear the recording to its end when all it has to say is %s',
    async (how) => {
      const app = await Application.open();
      const gateway = await TestGateway.open({
        api,
        files: { 'long.wav': tone(8_000) },
        settings: { upstreams: [{ name: 'app', protocol: 'pcm', urls: app.url }] },
        routes: [{ name: 'main', upstream: 'app', meanwhile: './long.wav' }],
      });
      const client = await gateway.call();
      const plivo = knownAtPlivo(api, client);
      const hangUp = telephone(client);
      const call = await app.untilCall();
      await client.waitFor('playAudio', 3);
      if (how === 'end') call.send({ event: 'end' });
      else call.socket.close(1000);
      await until('the hang-up', () => plivo.hungUp === 1, 3_000);
      hangUp();
    },
  );

  it.each(['pcm', 'plivo'])(
    'hears a recording, again and again, until the application speaks: %s',
    async (protocol) => {
      const app = await Application.open();
      const gateway = await gatewayTo(app.url, { protocol }, { meanwhile: './wait.wav' });
      const client = await gateway.call();
      const hangUp = telephone(client);
      const call = await app.untilCall();
      const heardMs = () => client.of('playAudio').length * 20;
      await until('more than one round', () => heardMs() > 1_200);
      expect(client.of('clearAudio')).toEqual([]);
      const payload = Buffer.alloc(160, 0x11).toString('base64');
      const media = { contentType: 'audio/x-mulaw', sampleRate: 8_000, payload };
      if (protocol === 'plivo') call.send({ event: 'playAudio', media });
      else call.socket.send(Buffer.alloc(640, 0x11));
      await client.waitFor('clearAudio');
      await sleep(100);
      const { length } = client.of('playAudio');
      await sleep(700);
      expect(client.of('playAudio')).toHaveLength(length);
      hangUp();
      await client.hangUp();
    },
  );

  it('goes to the next address if the first says nothing in time', async () => {
    const mute = await Application.open();
    const app = await Application.open(({ socket }) => socket.send(Buffer.alloc(640, 0x11)));
    const gateway = await gatewayTo(
      [{ url: mute.url, weight: 1_000 }, app.url],
      { readyTimeout: '300ms' },
      {},
    );
    const client = await gateway.call();
    await mute.untilCall();
    const beganMs = performance.now();
    await app.untilCall();
    expect(performance.now() - beganMs).toBeGreaterThan(150);
    expect(await until('its end', () => mute.calls[0]?.closed)).toBeGreaterThan(0);
    const event = { upstream: 'app', event: 'silent' };
    await gateway.untilMetric('upstream_events_total', event, 1);
    await sleep(600);
    expect(client.isOpen).toBe(true);
    await client.hangUp();
  });

  it('hears the last word of a recording, and is hung up, if nobody answers', async () => {
    const gateway = await gatewayTo(await deadPort(), {}, { fallback: 'sorry' });
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    const hangUp = telephone(client);
    await until('the hang-up', () => plivo.hungUp === 1);
    hangUp();
    expect(client.of('playAudio').length).toBeGreaterThanOrEqual(15);
    await gateway.untilMetric('calls_ended_total', { reason: 'app-end' }, 1);
  });
});

describe('a recording that cannot be used', () => {
  it.each([
    ['no WAV', 'ID3 and so on', /not a WAV file/],
    ['too long for the queue', tone(61_000), /61\.0 s long, and 59 s fit/],
  ])('stops the start: %s', async (_what, content, expected) => {
    const opening = TestGateway.open({
      files: { 'long.wav': content },
      routes: [{ name: 'main', play: './long.wav' }],
    });
    await expect(opening).rejects.toThrow(expected);
    await expect(opening).rejects.toThrow(/route main.*long\.wav/);
  });
});
