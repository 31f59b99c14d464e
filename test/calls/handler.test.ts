import { beforeAll, describe, expect, it } from 'vitest';
import { noise } from './sound.js';
import { l16 } from './stream-client.js';
import { TestGateway } from './test-gateway.js';
import { sleep } from './wait.js';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.open({
    sampleRate: 16_000,
    handler: `
      start(call) { call.data.frames = 0; tell(call, 'start'); },
      audio(call, samples, track) {
        call.data.frames += 1;
        tell(call, 'audio', samples.slice(), track, samples instanceof Int16Array);
        if (samples.length === 1) call.play(samples);
      },
      dtmf(call, digit) {
        tell(call, 'dtmf', digit);
        if (digit === 'A') call.checkpoint('first');
      },
      played(call, name, interrupted) { tell(call, 'played', name, interrupted); },
      end(call, reason) {
        tell(call, 'end', reason, call.data.frames);
        const after = [call.play(tone(20, 8000), 8000), call.checkpoint('x'), call.sendDtmf('1')];
        call.clear(); call.end(); call.cancel(); call.leave();
        call.transfer('https://voice.example.com/a').then((ok) => tell(call, 'after', after, ok));
      },
    `,
  });
});

describe.concurrent('a handler', () => {
  it('hears every sample of the caller, in order, at the rate of its route', async () => {
    const format = l16(16_000);
    const client = await gateway.call({ format });
    const said = noise(640 * 25);
    client.say(said);
    await gateway.untilTold(client, 'audio', 25);
    const heard = gateway.toldOf(client, 'audio');
    const bytes = heard.map(([samples]) => Buffer.from((samples as Int16Array).buffer));
    expect(Buffer.concat(bytes).equals(said)).toBe(true);
    expect(heard.every(([, track, isInt16]) => track === 'inbound' && isInt16)).toBe(true);
    await client.hangUp();
  });

  it('hears 320 samples per 20 ms of a µ-law stream at 16 kHz', async () => {
    const client = await gateway.call();
    client.say(new Uint8Array(160 * 10).fill(0xff));
    await gateway.untilTold(client, 'audio', 10);
    const lengths = gateway.toldOf(client, 'audio').map(([samples]) => (samples as []).length);
    expect(lengths).toEqual(new Array(10).fill(320));
    await client.hangUp();
  });

  it('is told the track of each frame of a two-track stream, unmixed', async () => {
    const format = l16(16_000);
    const client = await gateway.call({ format, tracks: ['inbound', 'outbound'] });
    const caller = noise(640 * 5, 1);
    const other = noise(640 * 5, 2);
    for (let at = 0; at < caller.length; at += 640) {
      client.media(caller.subarray(at, at + 640), 'inbound');
      client.media(other.subarray(at, at + 640), 'outbound');
    }
    await gateway.untilTold(client, 'audio', 10);
    const of = (wanted: string): Buffer =>
      Buffer.concat(
        gateway
          .toldOf(client, 'audio')
          .filter(([, track]) => track === wanted)
          .map(([samples]) => Buffer.from((samples as Int16Array).buffer)),
      );
    expect(of('inbound').equals(caller)).toBe(true);
    expect(of('outbound').equals(other)).toBe(true);
    await client.hangUp();
  });

  it('is told each digit, and a small letter as a capital one', async () => {
    const client = await gateway.call();
    for (const digit of [...'0123456789*#ABCD', 'a', 7]) client.dtmf(digit);
    await gateway.untilTold(client, 'dtmf', 18);
    const digits = gateway.toldOf(client, 'dtmf').map(([digit]) => digit);
    expect(digits.join('')).toBe('0123456789*#ABCDA7');
    await client.hangUp();
  });

  it('hears of a checkpoint under its own name, by either name of the event', async () => {
    const client = await gateway.call();
    client.dtmf('A');
    client.dtmf('A');
    await client.waitFor('checkpoint', 2);
    const names = client.of('checkpoint').map(({ name }) => name ?? '');
    expect(new Set(names).size).toBe(2);
    expect(client.of('checkpoint')[0]?.streamId).toBe(client.streamId);
    client.played(names[0] ?? '');
    client.send({ event: 'played', name: names[1] });
    await gateway.untilTold(client, 'played', 2);
    expect(gateway.toldOf(client, 'played')).toEqual([
      ['first', false],
      ['first', false],
    ]);
    // The same acknowledgement once more is nobody's.
    client.played(names[0] ?? '');
    await client.hangUp();
    await gateway.untilTold(client, 'end');
    expect(gateway.toldOf(client, 'played')).toHaveLength(2);
  });

  it.each([
    [1000, 'stream-closed'],
    [1001, 'stream-closed'],
    [4000, 'stream-dropped'],
  ])('is told once that the call ended, after code %i because of %s', async (code, reason) => {
    const client = await gateway.call();
    client.media(new Uint8Array(160));
    await client.hangUp(code);
    await gateway.untilTold(client, 'after');
    expect(gateway.toldOf(client, 'end')).toEqual([[reason, 1]]);
    expect(gateway.toldOf(client, 'after')).toEqual([[[false, false, false], false]]);
    expect(gateway.told.filter(({ callId }) => callId === client.callId).at(-1)?.what).toBe(
      'after',
    );
  });

  it('is told that a broken connection was dropped', async () => {
    const client = await gateway.call();
    await gateway.untilTold(client, 'start');
    client.socket.terminate();
    expect(await gateway.untilTold(client, 'end')).toEqual(['stream-dropped', 0]);
  });

  it.each([
    { event: 'stop', streamId: 'x', reason: 'callHangup' },
    { event: 'stop', stop: { callId: 'x', streamId: 'y' } },
    { event: 'stop' },
  ])('is told of a stop in the form %j, once, and the socket closes with 1000', async (stop) => {
    const client = await gateway.call();
    client.send(stop);
    client.send(stop);
    client.media(new Uint8Array(160));
    expect((await client.waitForClose()).code).toBe(1000);
    await gateway.untilTold(client, 'after');
    expect(gateway.toldOf(client, 'end')).toEqual([['stream-stopped', 0]]);
  });

  it('has its own data in every call, however many there are', async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => gateway.call()));
    for (const [index, client] of clients.entries()) {
      client.say(new Uint8Array(160 * (index + 1)).fill(0xff));
    }
    await Promise.all(clients.map((client) => client.hangUp()));
    const frames = await Promise.all(clients.map((client) => gateway.untilTold(client, 'end')));
    expect(frames.map(([, count]) => count)).toEqual(clients.map((_, index) => index + 1));
  });

  it('may play a single sample, and it is heard', async () => {
    const format = l16(16_000);
    const client = await gateway.call({ format });
    client.media(Buffer.from([0x34, 0x12]));
    const audio = await client.waitForAudio(2);
    await sleep(100);
    expect([...audio]).toEqual([0x34, 0x12]);
    expect(client.of('playAudio')).toHaveLength(1);
    await client.hangUp();
  });

  it('is called in the order in which Plivo sent things', async () => {
    const client = await gateway.call();
    for (let i = 0; i < 9; i += 1) {
      client.media(new Uint8Array(160));
      client.dtmf(String(i));
    }
    await client.hangUp();
    await gateway.untilTold(client, 'end');
    const told = gateway.told.filter(({ callId }) => callId === client.callId);
    const order = told.map(({ what, values }) => (what === 'dtmf' ? values[0] : what));
    const expected = Array.from({ length: 9 }, (_, i) => ['audio', String(i)]).flat();
    expect(order.slice(0, 20)).toEqual(['start', ...expected, 'end']);
  });
});
