import { beforeAll, describe, expect, it } from 'vitest';
import { echoMatch } from '../../load/echo-snr.js';
import { samplesOf } from './sound.js';
import { l16, type mulaw8, type StreamClient } from './stream-client.js';
import { TestGateway } from './test-gateway.js';
import { sleep, until } from './wait.js';

const playRates = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.open({
    sampleRate: 16_000,
    settings: { playout: { queue: '5s' } },
    // The test sends what to do as extra headers: `do` is the body of a function of (call, tell, tone).
    handler: `
      start(call) {
        const code = call.extraHeaders.do;
        if (code) new Function('call', 'tell', 'tone', code)(call, tell, tone);
      },
      dtmf(call, digit) {
        const code = call.extraHeaders['on' + digit];
        if (code) new Function('call', 'tell', 'tone', code)(call, tell, tone);
      },
      played(call, name, interrupted) { tell(call, 'played', name, interrupted, call.queuedMs); },
      end(call, reason) { tell(call, 'end', reason); },
    `,
  });
});

/** A call whose handler runs this code at its start, and other code when it gets a digit. */
function callDoing(
  body: string,
  options: { format?: typeof mulaw8; tracks?: string[]; on?: Record<string, string> } = {},
): Promise<StreamClient> {
  const code = { do: body } as Record<string, string>;
  for (const [digit, onDigit] of Object.entries(options.on ?? {})) code[`on${digit}`] = onDigit;
  const quoted = Object.entries(code).map(([name, text]) => [name, encodeURIComponent(text)]);
  return gateway.call({ ...options, extraHeaders: Object.fromEntries(quoted) });
}

describe.concurrent('what a handler plays', () => {
  it.each(playRates)('at %i Hz is heard as it is, on an L16 stream', async (rate) => {
    const format = l16(16_000);
    // A tone that swells: no two places of it are alike.
    const code = `call.play(Int16Array.from({ length: ${rate} }, (_, i) =>
      (8000 * i / ${rate}) * Math.sin(2 * Math.PI * (300 + 400 * i / ${rate}) * i / ${rate})), ${rate});`;
    const client = await callDoing(code, { format });
    const audio = await client.waitForAudio(32_000);
    const expected = Int16Array.from(
      { length: 16_000 },
      (_, i) =>
        ((8_000 * i) / 16_000) * Math.sin((2 * Math.PI * (300 + (400 * i) / 16_000) * i) / 16_000),
    );
    const match = echoMatch(expected, samplesOf(audio, format), { rateHz: 16_000 });
    expect(match?.snrDb).toBeGreaterThan(50);
    await sleep(150);
    expect(client.audioMs() - 1_000).toBeLessThanOrEqual(20);
    await client.hangUp();
  });

  it('at changing rates comes in order and whole', async () => {
    const format = l16(8_000);
    const code = playRates.map((rate) => `call.play(tone(100, ${rate}), ${rate});`).join('');
    const client = await callDoing(code, { format });
    await client.waitForAudio(700 * 16);
    await sleep(150);
    const extraMs = client.audioMs() - 700;
    expect(extraMs).toBeGreaterThanOrEqual(0);
    expect(extraMs).toBeLessThanOrEqual(60);
    // Every piece is the same tone: loud from its beginning to its end.
    const samples = samplesOf(client.audio(), format);
    for (let at = 160; at + 160 < 5_600; at += 160) {
      const peak = Math.max(
        ...Array.from(samples.subarray(at, at + 160), (sample) => Math.abs(sample)),
      );
      expect(peak, `at ${at / 8} ms`).toBeGreaterThan(6_000);
    }
    await client.hangUp();
  });

  it('is refused, counted and answered with false when it makes no sense', async () => {
    const before = (await gateway.metrics()).drops('bad-argument');
    const code = `tell(call, 'refused', [
      call.play(), call.play(null), call.play([1, 2, 3]), call.play(new Uint8Array(320)),
      call.play(new Float32Array(320)), call.play('audio'), call.play(Buffer.alloc(640)),
      call.play(tone(20, 16000), 11025), call.play(tone(20, 16000), 0), call.play(tone(20, 16000), NaN),
      call.play(tone(20, 16000), '16000'), call.play(tone(20, 16000), -8000), call.play(tone(20, 16000), null),
      call.checkpoint(), call.checkpoint(''), call.checkpoint(7), call.checkpoint('x'.repeat(129)),
      call.sendDtmf(), call.sendDtmf(''), call.sendDtmf('12x'), call.sendDtmf(5), call.sendDtmf('1'.repeat(65)),
    ]);`;
    const client = await callDoing(code);
    const [refused] = await gateway.untilTold(client, 'refused');
    expect(refused).toEqual(new Array(22).fill(false));
    await sleep(100);
    expect(client.heard).toEqual([]);
    await client.hangUp();
    const after = (await gateway.metrics()).drops('bad-argument');
    expect(after - before).toBeGreaterThanOrEqual(22);
  });

  it('is refused on a stream whose tracks include outbound', async () => {
    const before = (await gateway.metrics()).drops('one-way');
    for (const tracks of [['inbound', 'outbound'], ['outbound']]) {
      const code = `tell(call, 'refused', call.play(tone(20, 16000)));`;
      const client = await callDoing(code, { tracks });
      expect(await gateway.untilTold(client, 'refused')).toEqual([false]);
      await client.hangUp();
      expect(client.heard).toEqual([]);
    }
    await gateway.untilMetric('drops_total', { reason: 'one-way' }, before + 2);
  });

  it('is refused when more is queued than playout.queue, and taken again when there is room', async () => {
    const before = (await gateway.metrics()).drops('queue-full');
    const code = `let taken = 0;
      while (taken < 100 && call.play(tone(500, 16000))) taken += 1;
      tell(call, 'taken', taken, call.queuedMs);
      setTimeout(() => tell(call, 'again', call.play(tone(500, 16000)), call.play(tone(500, 16000))), 700);`;
    const client = await callDoing(code);
    const [taken, queuedMs] = (await gateway.untilTold(client, 'taken')) as [number, number];
    expect(taken).toBe(10);
    expect(queuedMs).toBeGreaterThan(4_900);
    expect(queuedMs).toBeLessThanOrEqual(5_010);
    expect(await gateway.untilTold(client, 'again')).toEqual([true, false]);
    await client.hangUp();
    await gateway.untilMetric('drops_total', { reason: 'queue-full' }, before + 2);
  });

  it('and the digits it sends reach Plivo in one message', async () => {
    const client = await callDoing(`tell(call, 'sent', call.sendDtmf('0123456789*#ABCD'));`);
    expect(await gateway.untilTold(client, 'sent')).toEqual([true]);
    expect((await client.waitFor('sendDTMF')).dtmf).toBe('0123456789*#ABCD');
    await client.hangUp();
  });
});

describe.concurrent('a clear', () => {
  it('is one clearAudio, stops the audio, and interrupts the checkpoints in order', async () => {
    const code = `call.play(tone(1000, 16000)); call.checkpoint('one');
      call.play(tone(1000, 16000)); call.checkpoint('two'); call.checkpoint('three');`;
    const client = await callDoing(code, {
      on: { 1: `call.clear(); tell(call, 'queued', call.queuedMs);` },
    });
    await client.waitFor('playAudio', 15);
    client.dtmf('1');
    await client.waitFor('clearAudio');
    expect(client.of('clearAudio')[0]).toMatchObject({ streamId: client.streamId });
    const soFar = client.of('playAudio').length;
    expect(client.heard.at(-1)?.event).toBe('clearAudio');
    await gateway.untilTold(client, 'played', 3);
    expect(gateway.toldOf(client, 'played').map(([name, cut]) => [name, cut])).toEqual([
      ['one', true],
      ['two', true],
      ['three', true],
    ]);
    expect(await gateway.untilTold(client, 'queued')).toEqual([0]);
    await sleep(150);
    expect(client.of('playAudio')).toHaveLength(soFar);
    expect(client.of('clearAudio')).toHaveLength(1);
    expect(client.of('checkpoint')).toHaveLength(0);
    await client.hangUp();
  });

  it('makes room at once for what is played next, and only that is heard', async () => {
    const code = `call.play(new Int16Array(32000).fill(1111)); call.checkpoint('old');`;
    const format = l16(16_000);
    const on = {
      1: `call.clear(); call.play(new Int16Array(3200).fill(2222)); call.checkpoint('new');`,
    };
    const client = await callDoing(code, { format, on });
    await client.waitFor('playAudio', 12);
    client.dtmf('1');
    const cleared = await client.waitFor('clearAudio');
    const checkpoint = await client.waitFor('checkpoint');
    const after = client.heard.slice(client.heard.indexOf(cleared) + 1);
    const audio = Buffer.concat(
      after.map(({ media }) => Buffer.from(media?.payload ?? '', 'base64')),
    );
    expect(new Set(samplesOf(audio, format))).toEqual(new Set([2_222]));
    expect(audio).toHaveLength(6_400);
    client.played(checkpoint.name ?? '');
    await gateway.untilTold(client, 'played', 2);
    expect(gateway.toldOf(client, 'played').map(([name, cut]) => [name, cut])).toEqual([
      ['old', true],
      ['new', false],
    ]);
    await client.hangUp();
  });

  it('is told before what was heard after it, however soon that is', async () => {
    const turn = `call.play(tone(500, 16000)); call.checkpoint('old');`;
    const client = await callDoing(turn, {
      on: { 1: `call.clear(); call.checkpoint('new');`, 2: turn },
    });
    client.socket.on('message', (data) => {
      const { event, name } = JSON.parse(String(data)) as { event: string; name?: string };
      if (event === 'checkpoint' && name) client.played(name);
    });
    for (let round = 1; round <= 5; round += 1) {
      client.dtmf('1');
      await gateway.untilTold(client, 'played', 2 * round);
      client.dtmf('2');
    }
    const names = gateway.toldOf(client, 'played').map(([name]) => name);
    expect(names).toEqual(['old', 'new', 'old', 'new', 'old', 'new', 'old', 'new', 'old', 'new']);
    await client.hangUp();
  });

  it('of nothing sends nothing', async () => {
    const client = await callDoing(`call.clear(); call.clear(); tell(call, 'done');`);
    await gateway.untilTold(client, 'done');
    await sleep(50);
    expect(client.heard).toEqual([]);
    await client.hangUp();
  });
});

describe.concurrent('checkpoints', () => {
  it('stand behind the audio they mark, and come back in order', async () => {
    const code = `call.checkpoint('before');
      for (let i = 0; i < 5; i += 1) { call.play(tone(30, 16000)); call.checkpoint('turn ' + i); }`;
    const client = await callDoing(code);
    await client.waitFor('checkpoint', 6);
    let audioMs = 0;
    for (const message of client.heard) {
      if (message.event === 'playAudio') {
        audioMs += Buffer.from(message.media?.payload ?? '', 'base64').length / 8;
      } else {
        const turn = Number(/turn (\d)/.exec(message.name ?? '')?.[1] ?? -1);
        // Behind at least all of its own turn, and at most a chunk of the next.
        expect(audioMs).toBeGreaterThanOrEqual(30 * (turn + 1));
        expect(audioMs).toBeLessThanOrEqual(30 * (turn + 1) + 20 + 10 * (turn + 2));
      }
    }
    for (const { name } of client.of('checkpoint')) client.played(name ?? '');
    await gateway.untilTold(client, 'played', 6);
    const names = gateway.toldOf(client, 'played').map(([name]) => name);
    expect(names).toEqual(['before', 'turn 0', 'turn 1', 'turn 2', 'turn 3', 'turn 4']);
    await client.hangUp();
  });

  it('may be 64 at a time; one more is refused and counted', async () => {
    const before = (await gateway.metrics()).drops('too-many-checkpoints');
    const code = `let taken = 0; while (taken < 100 && call.checkpoint('same name')) taken += 1; tell(call, 'taken', taken);`;
    const client = await callDoing(code);
    expect(await gateway.untilTold(client, 'taken')).toEqual([64]);
    await client.waitFor('checkpoint', 64);
    expect(new Set(client.of('checkpoint').map(({ name }) => name)).size).toBe(64);
    await client.hangUp();
    await gateway.untilMetric('drops_total', { reason: 'too-many-checkpoints' }, before + 1);
  });

  it('may hold any name of 128 bytes', async () => {
    const name = '"\\\n€𝄞'.repeat(12).slice(0, 80);
    const client = await callDoing(`tell(call, 'ok', call.checkpoint(${JSON.stringify(name)}));`);
    const checkpoint = await until('an answer', () => client.of('checkpoint')[0], 2_000).catch(
      () => undefined,
    );
    const [ok] = await gateway.untilTold(client, 'ok');
    expect(ok).toBe(Buffer.byteLength(name) <= 128);
    if (checkpoint) {
      client.played(checkpoint.name ?? '');
      expect((await gateway.untilTold(client, 'played'))[0]).toBe(name);
    }
    await client.hangUp();
  });
});
