import { beforeAll, describe, expect, it } from 'vitest';
import { noise } from './sound.js';
import { l16, StreamClient } from './stream-client.js';
import { TestGateway } from './test-gateway.js';

const base64 = Buffer.from(noise(640)).toString('base64');
const media = (payload: unknown): string =>
  JSON.stringify({ event: 'media', media: { track: 'inbound', payload } });

/** What a confused peer may send after `start`, and the reason it is counted by. */
const nonsense: readonly (readonly [string, string, string | Uint8Array])[] = [
  ['unreadable JSON', 'bad-json', '{"event":"media","media":'],
  ['an empty message', 'bad-json', ''],
  ['text with a stray end', 'bad-json', '{"event":"stop"} }'],
  ['an array', 'not-an-object', '[{"event":"stop"}]'],
  ['a number', 'not-an-object', '42'],
  ['null', 'not-an-object', 'null'],
  ['a string', 'not-an-object', '"stop"'],
  ['deep brackets', 'bad-json', '['.repeat(60_000)],
  ['deep brackets that close', 'not-an-object', '['.repeat(30_000) + ']'.repeat(30_000)],
  ['an object without event', 'bad-message', '{}'],
  ['an event that is null', 'bad-message', '{"event":null}'],
  ['an event that is an object', 'bad-message', '{"event":{"event":"stop"}}'],
  ['media that is null', 'bad-message', '{"event":"media","media":null}'],
  ['media that is a list', 'bad-message', '{"event":"media","media":["payload"]}'],
  ['media that is absent', 'bad-message', '{"event":"media"}'],
  ['a payload that is a number', 'bad-message', media(7)],
  ['a payload that is null', 'bad-message', media(null)],
  ['a payload that is a list', 'bad-message', media([base64])],
  ['a payload with a foreign character', 'bad-payload', media(`${base64.slice(0, -4)}!!==`)],
  ['a payload beyond ASCII', 'bad-payload', media('füür')],
  ['a payload cut short', 'bad-payload', media(base64.slice(0, -1))],
  ['a payload padded in the middle', 'bad-payload', media(`AA==${base64}`)],
  ['a payload with half a sample', 'bad-payload', media('AAAA')],
  ['dtmf that is null', 'bad-digit', '{"event":"dtmf","dtmf":null}'],
  ['a digit outside of the alphabet', 'bad-digit', '{"event":"dtmf","dtmf":{"digit":"E"}}'],
  ['two digits at once', 'bad-digit', '{"event":"dtmf","dtmf":{"digit":"12"}}'],
  ['a digit that is a list', 'bad-digit', '{"event":"dtmf","dtmf":{"digit":["1"]}}'],
  ['an unknown event', 'unknown-event', '{"event":"playFailed","reason":"x"}'],
  ['an event named like a method', 'unknown-event', '{"event":"__proto__"}'],
  ['a checkpoint of nobody', 'unknown-checkpoint', '{"event":"playedStream","name":"nobody"}'],
  ['a checkpoint without name', 'bad-message', '{"event":"playedStream","name":null}'],
  ['binary garbage', 'binary-message', noise(300)],
  ['an empty binary message', 'binary-message', new Uint8Array(0)],
  ['binary JSON that is no message', 'binary-message', Buffer.from('[1]')],
];

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.open({ sampleRate: 16_000 });
});

/** The echo works as if nothing had been. */
async function expectEcho(client: StreamClient): Promise<void> {
  const before = client.audio().length;
  const said = noise(640 * 5, 7);
  client.say(said);
  const audio = await client.waitForAudio(before + said.length);
  expect(audio.subarray(before).equals(said)).toBe(true);
}

describe('a message that makes no sense', () => {
  it.each(nonsense)(
    '%s is counted as %s and costs nothing else',
    async (_name, reason, message) => {
      const before = (await gateway.metrics()).drops(reason);
      const client = await gateway.call({ format: l16(16_000) });
      client.send(message);
      await expectEcho(client);
      await client.hangUp();
      await gateway.untilMetric('drops_total', { reason }, before + 1);
    },
  );

  it('one after another, in one call, leaves that call and its echo alive', async () => {
    const client = await gateway.call({ format: l16(16_000) });
    for (let round = 0; round < 20; round += 1) {
      for (const [, , message] of nonsense) client.send(message);
    }
    await expectEcho(client);
    expect(client.closed).toBeUndefined();
    await client.hangUp();
  });

  it('is no reason to lose a message beside it that does', async () => {
    const client = await gateway.call({ format: l16(16_000) });
    const said = noise(640 * 34, 3);
    for (const [index, [, , message]] of nonsense.entries()) {
      client.media(said.subarray(index * 640, (index + 1) * 640));
      client.send(message);
    }
    const audio = await client.waitForAudio(nonsense.length * 640);
    expect(audio.equals(said.subarray(0, nonsense.length * 640))).toBe(true);
    await client.hangUp();
  });
});

describe('before and around start', () => {
  it('media and digits before start are counted, and start still begins the call', async () => {
    const before = (await gateway.metrics()).drops('before-start');
    const client = await StreamClient.open(gateway.url());
    client.media(noise(640));
    client.dtmf('1');
    client.played('x');
    client.start({ format: l16(16_000) });
    await expectEcho(client);
    await client.hangUp();
    await gateway.untilMetric('drops_total', { reason: 'before-start' }, before + 3);
  });

  it('a second start is counted and changes nothing', async () => {
    const before = (await gateway.metrics()).drops('duplicate-start');
    const client = await gateway.liveCall({ format: l16(16_000) });
    client.send(client.startMessage({ callId: 'another', format: l16(8_000) }));
    await expectEcho(client);
    expect((await gateway.calls()).map(({ callId }) => callId)).toContain(client.callId);
    await client.hangUp();
    await gateway.untilMetric('drops_total', { reason: 'duplicate-start' }, before + 1);
  });

  it.each([
    ['without a start object', 'bad-message', { event: 'start' }],
    ['with a start object that is null', 'bad-message', { event: 'start', start: null }],
    ['without a callId', 'bad-message', { event: 'start', start: { streamId: 's' } }],
    [
      'with an empty callId',
      'bad-message',
      { event: 'start', start: { streamId: 's', callId: '' } },
    ],
    [
      'with a callId that is null',
      'bad-message',
      { event: 'start', start: { streamId: 's', callId: null } },
    ],
    ['without a streamId', 'bad-message', { event: 'start', start: { callId: 'c' } }],
    [
      'with an unknown encoding',
      'bad-format',
      { event: 'start', start: { streamId: 's', callId: 'c', mediaFormat: { encoding: 'opus' } } },
    ],
    [
      'with a rate that µ-law has not',
      'bad-format',
      {
        event: 'start',
        start: { streamId: 's', callId: 'c', mediaFormat: { sampleRate: 16_000 } },
      },
    ],
    [
      'with a rate of null',
      'bad-format',
      { event: 'start', start: { streamId: 's', callId: 'c', mediaFormat: { sampleRate: 'x' } } },
    ],
    [
      'with a format that is a text',
      'bad-format',
      { event: 'start', start: { streamId: 's', callId: 'c', mediaFormat: 'l16' } },
    ],
  ])('a start %s is counted as %s, and a right one may follow', async (_name, reason, start) => {
    const before = (await gateway.metrics()).drops(reason);
    const client = await StreamClient.open(gateway.url());
    client.send(start);
    client.start({ format: l16(16_000) });
    await expectEcho(client);
    await client.hangUp();
    await gateway.untilMetric('drops_total', { reason }, before + 1);
  });

  it('a call whose messages all come as binary frames works', async () => {
    const client = await StreamClient.open(gateway.url());
    const binary = (message: object): Buffer => Buffer.from(JSON.stringify(message));
    client.format = l16(16_000);
    client.send(binary(client.startMessage({ format: client.format })));
    const said = noise(640 * 3);
    for (let i = 0; i < 3; i += 1) {
      client.send(binary(client.mediaMessage(said.subarray(i * 640, (i + 1) * 640))));
    }
    expect((await client.waitForAudio(said.length)).equals(said)).toBe(true);
    await client.hangUp();
  });
});

describe('a message in pieces', () => {
  it('is read as one, whatever comes between', async () => {
    const client = await gateway.call({ format: l16(16_000) });
    const said = noise(640);
    const text = Buffer.from(JSON.stringify(client.mediaMessage(said)));
    for (let at = 0; at < text.length; at += 7) {
      const fin = at + 7 >= text.length;
      client.socket.send(text.subarray(at, at + 7), { fin, binary: false });
      if (at % 21 === 0) client.socket.ping();
    }
    expect((await client.waitForAudio(said.length)).equals(said)).toBe(true);
    await client.hangUp();
  });

  it('that add up to more than 64 KB closes the socket with 1009', async () => {
    const client = await gateway.liveCall({ format: l16(16_000) });
    for (let i = 0; i < 70; i += 1) {
      client.socket.send('x'.repeat(1_000), { fin: i === 69, binary: false });
    }
    expect((await client.waitForClose()).code).toBe(1009);
  });
});

describe('a message above 64 KB', () => {
  it('of just 64 KB is still read', async () => {
    const client = await gateway.call({ format: l16(16_000) });
    const text = '{"event":"clearedAudio","x":""}';
    client.send(text.replace('""', `"${'x'.repeat(65_536 - text.length)}"`));
    await expectEcho(client);
    await client.hangUp();
  });

  it('closes the socket with 1009 and is told so in the metrics', async () => {
    const client = await gateway.liveCall({ format: l16(16_000) });
    client.send(`{"event":"x","x":"${'x'.repeat(70_000)}"}`);
    expect((await client.waitForClose()).code).toBe(1009);
    await gateway.untilMetric('calls_ended_total', { reason: 'message-too-large' }, 2);
  });

  it('that is very large closes the socket, and other calls go on', async () => {
    const other = await gateway.call({ format: l16(16_000) });
    const client = await gateway.liveCall({ format: l16(16_000) });
    client.send(`{"event":"x","x":"${'x'.repeat(200_000)}"}`);
    expect([1006, 1009]).toContain((await client.waitForClose()).code);
    await expectEcho(other);
    await other.hangUp();
  });
});
