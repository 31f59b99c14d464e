import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { audioFrame, messageFrame, readFrame } from '../../workers/upstream/protobuf.js';
import { knownAtPlivo, openApi, TestGateway } from '../calls/test-gateway.js';
import { until } from '../calls/wait.js';
import { type AppCall, Application } from './application.js';

/** Pipecat's schema by its field numbers, read by an implementation that is not ours. */
const schema = protobuf.parse(`
  syntax = "proto3";
  package pipecat;
  message TextFrame { uint64 id = 1; string name = 2; string text = 3; }
  message AudioRawFrame {
    uint64 id = 1; string name = 2; bytes audio = 3; uint32 sample_rate = 4; uint32 num_channels = 5;
    optional uint64 pts = 6;
  }
  message TranscriptionFrame {
    uint64 id = 1; string name = 2; string text = 3; string user_id = 4; string timestamp = 5;
  }
  message MessageFrame { string data = 1; }
  message InterruptionFrame { uint64 id = 1; string name = 2; }
  message Frame {
    oneof frame {
      TextFrame text = 1; AudioRawFrame audio = 2; TranscriptionFrame transcription = 3;
      MessageFrame message = 4; InterruptionFrame interruption = 5;
    }
  }
`);
const Frame = schema.root.lookupType('pipecat.Frame');
type Members = Readonly<Record<string, unknown>>;
const encode = (members: Members): Buffer =>
  Buffer.from(Frame.encode(Frame.create(members)).finish());
const decode = (bytes: Uint8Array): Members =>
  Frame.toObject(Frame.decode(bytes), { bytes: Buffer, longs: Number });

const pcm = (count: number, level = 8_000) =>
  Buffer.from(Int16Array.from({ length: count }, (_, i) => level * Math.sin(i / 4)).buffer);

/** The RTVI messages that a bot was sent. */
function rtvi(call: AppCall): Members[] {
  return call.binaries
    .map(decode)
    .flatMap(({ message }) => (message ? [JSON.parse(String((message as Members).data))] : []));
}

function audioOf(call: AppCall): Members[] {
  return call.binaries.map(decode).flatMap(({ audio }) => (audio ? [audio as Members] : []));
}

describe('frames of Pipecat', () => {
  it('are written as another implementation reads them', () => {
    const { frame, audioAt } = audioFrame(640, 16_000);
    expect(frame.length).toBe(651);
    const samples = pcm(320);
    frame.set(samples, audioAt);
    expect(decode(frame)).toEqual({
      audio: { audio: samples, sampleRate: 16_000, numChannels: 1 },
    });
    const text = JSON.stringify({ a: 'ä'.repeat(200) });
    expect(decode(messageFrame(text))).toEqual({ message: { data: text } });
  });

  it('are read as another implementation writes them', () => {
    const audio = pcm(480);
    const written = encode({
      audio: { id: 2 ** 40, name: 'TTS#1', audio, sampleRate: 24_000, numChannels: 1, pts: 5 },
    });
    const read = readFrame(written);
    expect(read).toMatchObject({ kind: 'audio', sampleRate: 24_000, numChannels: 1 });
    expect(Buffer.from(read?.kind === 'audio' ? read.audio : [])).toEqual(audio);
    expect(readFrame(encode({ message: { data: '{}' } }))).toEqual({ kind: 'message', data: '{}' });
    expect(readFrame(encode({ interruption: { id: 1, name: 'x' } }))).toEqual({
      kind: 'interruption',
    });
    expect(readFrame(encode({ text: { text: 'hello' } }))).toEqual({ kind: 'other' });
  });

  it('that are damaged in any way are refused or read, and never throw', () => {
    const good = encode({ audio: { audio: pcm(20), sampleRate: 16_000, numChannels: 1 } });
    const cut = fc.nat(good.length).map((at) => good.subarray(0, at));
    const changed = fc
      .tuple(fc.nat(good.length - 1), fc.nat(255))
      .map(([at, value]) => Buffer.from(good).fill(value, at, at + 1));
    fc.assert(
      fc.property(fc.oneof(cut, changed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        readFrame(bytes);
      }),
      { seed: 8, numRuns: 3_000 },
    );
    expect(readFrame(good.subarray(0, good.length - 1))).toBeUndefined();
    expect(readFrame(Buffer.alloc(0))).toBeUndefined();
  });
});

describe('a Pipecat bot', () => {
  it('is greeted, hears the caller and keys, speaks, interrupts itself, and ends the call', async () => {
    const app = await Application.open();
    const api = await openApi();
    const gateway = await TestGateway.open({
      api,
      settings: {
        upstreams: [{ name: 'bot', protocol: 'pipecat', urls: `${app.url}/?body={body}` }],
      },
      routes: [{ name: 'main', upstream: 'bot' }],
    });
    const client = await gateway.call({}, '/stream?from=15550001111&to=15550002222');
    const plivo = knownAtPlivo(api, client);
    const bot = await app.untilCall();
    const body = new URL(bot.request.url ?? '', 'ws://x').searchParams.get('body') ?? '';
    expect(JSON.parse(Buffer.from(body, 'base64').toString('utf8'))).toMatchObject({
      callId: client.callId,
      from: '15550001111',
      to: '15550002222',
    });
    const [ready, told] = await until('a greeting', () => rtvi(bot).length >= 2 && rtvi(bot));
    expect(ready).toMatchObject({ label: 'rtvi-ai', type: 'client-ready' });
    expect(told).toMatchObject({
      type: 'client-message',
      data: { t: 'call', d: { callId: client.callId } },
    });

    client.say(new Uint8Array(160 * 5).fill(0x20));
    await until('the caller is heard', () => audioOf(bot).length === 5);
    for (const audio of audioOf(bot)) {
      expect(audio).toMatchObject({ sampleRate: 16_000, numChannels: 1 });
      expect((audio.audio as Buffer).length).toBe(640);
    }
    client.dtmf('#');
    await until('the key', () => rtvi(bot).some(({ type }) => type === 'dtmf'));
    expect(rtvi(bot).find(({ type }) => type === 'dtmf')).toMatchObject({
      data: { button: '#', buttons: ['#'] },
    });
    // A bot would not survive a text message.
    expect(bot.texts).toEqual([]);

    // As a bot speaks: 40 ms at 24 kHz, with names; two channels; a WAV header in front.
    const forty = pcm(960);
    const speak = (members: Members) => bot.socket.send(encode({ audio: members }));
    for (let i = 0; i < 10; i += 1) {
      speak({ id: i, name: 'TTS', audio: forty, sampleRate: 24_000, numChannels: 1 });
    }
    speak({ audio: pcm(1_920), sampleRate: 24_000, numChannels: 2 });
    const header = Buffer.alloc(44);
    header.write('RIFF');
    speak({
      audio: Buffer.concat([header, forty]),
      sampleRate: 24_000,
      numChannels: 1,
    });
    await client.waitForAudio(8 * 460);
    expect(client.audioMs()).toBeLessThanOrEqual(500);

    for (let i = 0; i < 100; i += 1) speak({ audio: forty, sampleRate: 24_000, numChannels: 1 });
    bot.socket.send(encode({ interruption: { id: 1, name: 'x' } }));
    await client.waitFor('clearAudio');
    bot.socket.send(encode({ message: { data: '{"label":"rtvi-ai","type":"bot-ready"}' } }));
    bot.socket.send(encode({ message: { data: '{"event":"dtmf","digits":"7"}' } }));
    await client.waitFor('sendDTMF');

    const bad = ['a text', Buffer.from([0xff]), encode({ message: { data: 'no json' } })];
    for (const one of bad) bot.socket.send(one);
    speak({ audio: forty, sampleRate: 11_025, numChannels: 1 });
    speak({ audio: forty, sampleRate: 16_000, numChannels: 0 });
    speak({ audio: Buffer.alloc(3), sampleRate: 16_000, numChannels: 1 });
    await gateway.untilMetric('drops_total', { reason: 'upstream-bad-message' }, 6);
    expect(client.isOpen).toBe(true);

    bot.socket.close(1000);
    const last = await client.waitFor('checkpoint');
    client.played(String(last.name));
    await until('the hang-up', () => plivo.hungUp === 1);
    await gateway.untilMetric('calls_ended_total', { reason: 'app-end' }, 1);
  });
});
