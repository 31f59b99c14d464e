import { beforeAll, describe, expect, it } from 'vitest';
import { echoMatch } from '../../load/echo-snr.js';
import { noise, samplesOf, speech } from './sound.js';
import { frameBytes, l16, mulaw8, type StreamFormat } from './stream-client.js';
import { TestGateway } from './test-gateway.js';

const routeRates = [8_000, 16_000, 24_000, 48_000];
const formats: readonly StreamFormat[] = [mulaw8, l16(8_000), l16(16_000), l16(24_000)];
/** Ends in a pause of the test signal: a cut within a sound would be compared too. */
const speechMs = 1_020;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.open({
    routes: routeRates.map((sampleRate) => ({
      name: `at-${sampleRate}`,
      to: String(sampleRate),
      handler: 'echo',
      sampleRate,
    })),
  });
});

function title({ encoding, sampleRate }: StreamFormat): string {
  return encoding === 'audio/x-l16' ? `an L16 ${sampleRate} Hz` : 'a µ-law';
}

async function expectLikeness(format: StreamFormat, rate: number): Promise<void> {
  const client = await gateway.call({ format }, `/stream?to=${rate}`);
  const said = speech(format, speechMs);
  client.say(said);
  const audio = await client.waitForAudio(said.length);
  const { contentType, sampleRate } = client.of('playAudio')[0]?.media ?? {};
  expect({ contentType, sampleRate }).toEqual({
    contentType: format.encoding,
    sampleRate: format.sampleRate,
  });
  const rateHz = format.sampleRate;
  const match = echoMatch(samplesOf(said, format), samplesOf(audio, format), { rateHz });
  const snrDbMin = format.encoding === 'audio/x-l16' ? 65 : 35;
  expect(match?.snrDb, `through ${rate} Hz`).toBeGreaterThan(snrDbMin);
  // What the filters hold back comes soon after, and nothing more.
  await client.hangUp();
  const extraMs = client.audioMs() - speechMs;
  expect(extraMs, `through ${rate} Hz`).toBeGreaterThanOrEqual(0);
  expect(extraMs, `through ${rate} Hz`).toBeLessThanOrEqual(20);
}

describe.concurrent('the echo', () => {
  const named = formats.map((format) => ({ name: title(format), format }));
  it.each(named)(
    'of $name stream sounds like the caller, at whatever rate its handler hears',
    async ({ format }) => {
      await Promise.all(routeRates.map((rate) => expectLikeness(format, rate)));
    },
  );

  it.each([
    { format: l16(16_000), rate: 16_000 },
    { format: l16(8_000), rate: 8_000 },
    { format: l16(24_000), rate: 24_000 },
  ])(
    'leaves the bytes of an L16 stream untouched at its own rate, $rate Hz',
    async ({ format, rate }) => {
      const client = await gateway.call({ format }, `/stream?to=${rate}`);
      const said = noise(frameBytes(format) * 30);
      client.say(said);
      const audio = await client.waitForAudio(said.length);
      expect(audio.equals(said)).toBe(true);
      await client.hangUp();
    },
  );

  it('leaves all 256 codes of µ-law as they are at 8 kHz, but for the two zeros', async () => {
    const client = await gateway.call({ format: mulaw8 }, '/stream?to=8000');
    const codes = Uint8Array.from({ length: 320 }, (_, i) => i % 256);
    client.say(codes);
    const audio = await client.waitForAudio(codes.length);
    // 0x7f and 0xff both mean 0: PCM knows only one.
    const plain = (bytes: Uint8Array): number[] => [...bytes].map((c) => (c === 0x7f ? 0xff : c));
    expect(plain(audio)).toEqual(plain(codes));
    await client.hangUp();
  });

  it('keeps up with payloads of any length', async () => {
    const format = l16(16_000);
    const client = await gateway.call({ format }, '/stream?to=16000');
    const said = noise(2 * 7_919);
    let at = 0;
    for (const bytes of [2, 4, 318, 640, 642, 1_280, 5_000]) {
      client.media(said.subarray(at, at + bytes));
      at += bytes;
    }
    client.media(new Uint8Array(0));
    client.media(said.subarray(at));
    const audio = await client.waitForAudio(said.length);
    expect(audio.equals(said)).toBe(true);
    await client.hangUp();
  });

  it('takes one media message of 48 KB and plays all of it, in messages that Plivo takes', async () => {
    const format = l16(16_000);
    const client = await gateway.call({ format }, '/stream?to=16000');
    const said = noise(48_000);
    client.media(said);
    const audio = await client.waitForAudio(said.length);
    expect(audio.equals(said)).toBe(true);
    const longest = Math.max(
      ...client.of('playAudio').map(({ media }) => media?.payload.length ?? 0),
    );
    expect(longest).toBeLessThanOrEqual(16_384);
    await client.hangUp();
  });

  it('finds the payload whatever the order and spacing of a media message', async () => {
    const format = l16(16_000);
    const client = await gateway.call({ format }, '/stream?to=16000');
    const said = noise(640 * 4);
    const payload = (i: number): string =>
      Buffer.from(said.subarray(i * 640, (i + 1) * 640)).toString('base64');
    client.send(`{"media":{"payload":"${payload(0)}","track":"inbound"},"event":"media"}`);
    client.send(` {\n "event" : "media", "media" : {"chunk":"7", "payload" : "${payload(1)}"} } `);
    client.send(`{"event":"media","x":{"deep":[1]},"media":{"payload":"${payload(2)}","ü":"é"}}`);
    const escaped = payload(3).replaceAll('/', '\\/').replaceAll('A', '\\u0041');
    client.send(`{"event":"\\u006dedia","media":{"payload":"${escaped}"}}`);
    const audio = await client.waitForAudio(said.length);
    expect(audio.equals(said)).toBe(true);
    await client.hangUp();
  });
});
