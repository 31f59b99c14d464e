import { describe, expect, it } from 'vitest';
import { echoMatch } from '../../load/echo-snr.js';
import { samplesOf } from './sound.js';
import { mulaw8, type StreamClient } from './stream-client.js';
import { type GatewayOptions, TestGateway } from './test-gateway.js';

// One after another and in a file of their own: here it is about time.

/** Ahead of the caller, in milliseconds of audio, when each message came; the last one with it. */
function leads(client: StreamClient): number[] {
  const messages = client.of('playAudio');
  const firstMs = messages[0]?.atMs ?? 0;
  let audioMs = 0;
  return messages.map(({ atMs, media }) => {
    audioMs += Buffer.from(media?.payload ?? '', 'base64').length / 8;
    return audioMs - (atMs - firstMs);
  });
}

async function playing(code: string, options: GatewayOptions = {}): Promise<StreamClient> {
  const gateway = await TestGateway.open({ ...options, handler: `start(call) { ${code} }` });
  return gateway.call();
}

/** What timers on a busy machine may add. */
const lateMs = 80;

describe('audio on its way to Plivo', () => {
  it('leaves with at most the lead and a chunk at once, then at the speed of time', async () => {
    const client = await playing('call.play(tone(3000, 16000));');
    await client.waitForAudio(3_000 * 8);
    const ahead = leads(client);
    // One more for what the filter holds.
    expect([150, 151]).toContain(ahead.length);
    expect(Math.max(...ahead)).toBeLessThanOrEqual(220 + lateMs);
    expect(Math.min(...ahead.slice(10))).toBeGreaterThan(200 - 20 - lateMs);
    const [first, tenth] = [client.of('playAudio')[0], client.of('playAudio')[9]];
    expect((tenth?.atMs ?? 0) - (first?.atMs ?? 0)).toBeLessThan(lateMs);
    await client.hangUp();
  });

  it('keeps to the lead and the chunk that are configured', async () => {
    const settings = { playout: { lead: '60ms', chunk: '40ms' } };
    const client = await playing('call.play(tone(1000, 16000));', { settings });
    await client.waitForAudio(1_000 * 8);
    expect([25, 26]).toContain(client.of('playAudio').length);
    expect(Math.max(...leads(client))).toBeLessThanOrEqual(100 + lateMs);
    await client.hangUp();
  });

  it('neither gaps nor bursts when it is played piece by piece', async () => {
    const client = await playing(`let n = 0; const timer = setInterval(() => {
      call.play(tone(20, 16000)); if (++n === 60) clearInterval(timer); }, 20);`);
    await client.waitForAudio(60 * 160);
    const messages = client.of('playAudio');
    const gaps = messages.slice(1).map(({ atMs }, i) => atMs - (messages[i]?.atMs ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(20 + lateMs);
    await client.hangUp();
  });

  it('has no seam where one burst of speech follows another before the first has been heard', async () => {
    // As from speech synthesis: half a second at a time, each a little before it is needed.
    const client = await playing(`
      const whole = Int16Array.from({ length: 48000 }, (_, i) =>
        (8000 * i / 48000) * Math.sin(2 * Math.PI * (300 + 400 * i / 48000) * i / 24000));
      let at = 0;
      const burst = () => {
        call.play(whole.subarray(at, at + 12000), 24000);
        at += 12000;
        if (at < whole.length) setTimeout(burst, 400);
      };
      burst();
    `);
    const audio = await client.waitForAudio(2_000 * 8);
    const expected = Int16Array.from(
      { length: 16_000 },
      (_, i) =>
        ((8_000 * i) / 16_000) * Math.sin((2 * Math.PI * (300 + (400 * i) / 16_000) * i) / 8_000),
    );
    const match = echoMatch(expected, samplesOf(audio, mulaw8), { rateHz: 8_000 });
    expect(match?.snrDb).toBeGreaterThan(35);
    await client.hangUp();
  });

  it('starts anew after a pause, without making up for the silence', async () => {
    const client = await playing(
      'call.play(tone(200, 16000)); setTimeout(() => call.play(tone(400, 16000)), 700);',
    );
    await client.waitForAudio(600 * 8);
    const second = client.of('playAudio').slice(10);
    const startMs = second[0]?.atMs ?? 0;
    const early = second.filter(({ atMs }) => atMs - startMs < 10).length;
    expect(early * 20).toBeLessThanOrEqual(220 + 20);
    await client.hangUp();
  });
});
