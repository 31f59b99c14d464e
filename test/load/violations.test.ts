import { describe, expect, it } from 'vitest';
import { call } from '../../load/call.js';
import { readGatewayMessage } from '../../load/gateway-message.js';
import { type StreamFormatName, streamFormats } from '../../load/stream-format.js';
import { ViolationLog, type ViolationName } from '../../load/violations.js';
import { playAudio, type StubBehaviour, type StubStream, startStub } from './stub-gateway.js';

const streamId = 'b4d0a9de-52f7-4e7c-8f1e-1c7a5d2e9b02';

function judge(message: unknown, format: StreamFormatName = 'mulaw8') {
  const log = new ViolationLog();
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  const stream = { streamId, format: streamFormats[format] };
  const read = readGatewayMessage(Buffer.from(text), stream, (name, detail) =>
    log.record(name, detail),
  );
  return { read, names: log.list().map(({ name }) => name) };
}

const frame = Buffer.alloc(160, 0x7e).toString('base64');

describe('a message of the gateway', () => {
  it.each([
    playAudio(frame),
    { ...playAudio(frame), streamId },
    { event: 'checkpoint', streamId, name: 'turn-3' },
    { event: 'clearAudio', streamId },
    { event: 'sendDTMF', dtmf: '0123456789*#ABCD' },
  ])('is taken as it stands in the protocol: $event', (message) => {
    expect(judge(message)).toMatchObject({ read: { event: message.event }, names: [] });
  });

  it('keeps the audio byte for byte', () => {
    const { read } = judge(playAudio(frame));
    expect(read).toEqual({ event: 'playAudio', audio: Buffer.alloc(160, 0x7e) });
  });

  const bad: [ViolationName, unknown][] = [
    ['not-json', '{"event":'],
    ['not-an-object', '[1]'],
    ['not-an-object', 'null'],
    ['event-missing', {}],
    ['unknown-event', { event: 'stop' }],
    ['unknown-event', { event: 7 }],
    ['message-too-large', { event: 'x'.repeat(65_536) }],
    ['media-missing', { event: 'playAudio' }],
    ['media-missing', { event: 'playAudio', media: null }],
    ['content-type-wrong', playAudio(frame, 'audio/x-mulaw;rate=8000')],
    ['content-type-wrong', playAudio(frame, 'audio/x-l16')],
    ['sample-rate-wrong', playAudio(frame, 'audio/x-mulaw', 16_000)],
    ['payload-missing', playAudio('')],
    ['payload-missing', { event: 'playAudio', media: { ...playAudio('').media, payload: 5 } }],
    ['payload-not-base64', playAudio('abc')],
    ['payload-not-base64', playAudio('ab-_')],
    ['payload-not-base64', playAudio('a===')],
    ['checkpoint-name-empty', { event: 'checkpoint', streamId, name: '' }],
    ['checkpoint-name-empty', { event: 'checkpoint', streamId }],
    ['dtmf-digits-bad', { event: 'sendDTMF', dtmf: '12x' }],
    ['dtmf-digits-bad', { event: 'sendDTMF', dtmf: '' }],
  ];
  it.each(bad)('is thrown away as %s', (name, message) => {
    expect(judge(message)).toEqual({ read: null, names: [name] });
  });

  const odd: [ViolationName, unknown][] = [
    ['sample-rate-not-number', playAudio(frame, 'audio/x-mulaw', '8000' as unknown as number)],
    ['payload-too-large', playAudio(Buffer.alloc(12_289).toString('base64'))],
    ['stream-id-missing', { event: 'clearAudio' }],
    ['stream-id-missing', { event: 'checkpoint', name: 'turn-3' }],
    ['stream-id-wrong', { event: 'clearAudio', streamId: 'other' }],
    ['stream-id-wrong', { ...playAudio(frame), streamId: 'other' }],
  ];
  it.each(odd)('is used in spite of %s', (name, message) => {
    const { read, names } = judge(message);
    expect(names).toEqual([name]);
    expect(read).not.toBeNull();
  });

  it('has whole samples in L16', () => {
    const odd = Buffer.alloc(321).toString('base64');
    expect(judge(playAudio(odd, 'audio/x-l16'), 'l16-8').names).toEqual(['l16-odd-bytes']);
  });
});

describe.concurrent('on a socket', () => {
  /** Names of the violations of a short call to a gateway that behaves like this. */
  async function violationsOf(behaviour: StubBehaviour): Promise<ViolationName[]> {
    const gateway = await startStub(behaviour);
    const summary = await call({ url: gateway.url, apiPort: 0, timeLimitMs: 150 });
    await gateway.close();
    return summary.violations.map(({ name }) => name);
  }

  /** Does something once `start` has arrived. */
  function atStart(act: (stream: StubStream) => void): StubBehaviour {
    return { message: (stream, { event }) => event === 'start' && act(stream) };
  }

  it('a binary frame is a violation', async ({ expect }) => {
    const behaviour = atStart(({ socket }) => socket.send(Buffer.from('{}')));
    expect(await violationsOf(behaviour)).toEqual(['binary-frame']);
  });

  it('a checkpoint name must not be pending twice', async ({ expect }) => {
    const behaviour = atStart((stream) => {
      stream.send(playAudio(Buffer.alloc(8_000).toString('base64')));
      for (let i = 0; i < 2; i += 1) {
        stream.send({ event: 'checkpoint', streamId: stream.streamId, name: 'same' });
      }
    });
    expect(await violationsOf(behaviour)).toEqual(['checkpoint-name-duplicate']);
  });

  it('more than 60 s in the playback queue is a violation', async ({ expect }) => {
    const second = Buffer.alloc(8_000, 0xff).toString('base64');
    const behaviour = atStart((stream) => {
      for (let i = 0; i < 61; i += 1) stream.send(playAudio(second));
    });
    expect(await violationsOf(behaviour)).toEqual(['playout-overflow']);
  });

  it.each([1002, 1007, 1008, 1011, 4000])('closing with %i is a violation', async (code) => {
    const names = await violationsOf(atStart(({ socket }) => socket.close(code)));
    expect(names).toEqual(['close-code-unexpected']);
  });

  it.each([1000, 1001])('closing with %i is none', async (code) => {
    expect(await violationsOf(atStart(({ socket }) => socket.close(code)))).toEqual([]);
  });

  it('speaking before start is a violation', async ({ expect }) => {
    const behaviour = { opened: (stream: StubStream) => stream.send({ event: 'clearAudio' }) };
    expect(await violationsOf(behaviour)).toEqual(['before-start']);
  });

  it('text that is not UTF-8 is a violation', async ({ expect }) => {
    const bytes = Buffer.from([0x7b, 0xff, 0x7d]);
    const names = await violationsOf(
      atStart(({ socket }) => socket.send(bytes, { binary: false })),
    );
    expect(names[0]).toBe('websocket-error');
  });

  it('not answering the close frame is a violation', async ({ expect }) => {
    const behaviour = atStart(({ socket }) => socket.pause());
    expect(await violationsOf(behaviour)).toEqual(['close-unanswered']);
  });
});
