import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Frame, PlivoFrameSerializer } from '../../src/serializer.js';
import { encodeMulaw, resampleWhole } from '../codec/reference.js';
import {
  counted,
  heard,
  media,
  mulaw8,
  open,
  payloadOf,
  speech,
  streamId,
  tone,
} from './library.js';

// Rows of the parity table in docs/serializer.md, each under the row's own words: docs.test.ts
// compares the two. What a row says of Pipecat is from the project's notes; the tests hold what it
// says of this class.

afterEach(() => {
  vi.useRealTimers();
});

describe('to Plivo', () => {
  it('audio becomes `playAudio`', () => {
    const audio = tone(160, 8_000);
    const payload = Buffer.from(Uint8Array.from(audio, encodeMulaw)).toString('base64');
    expect(open().serialize(speech(audio, 8_000))).toBe(
      '{"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":8000,' +
        `"payload":"${payload}"},"streamId":"${streamId}"}`,
    );
  });

  it('input audio is sent like output audio', () => {
    const serializer = open();
    const frame = serializer.deserialize(media(new Uint8Array(160)));
    expect(payloadOf(serializer.serialize(frame!))).toHaveLength(160);
  });

  it('20 ms of application become 20 ms of message, at once', () => {
    const serializer = open();
    for (let i = 0; i < 200; i += 1) {
      expect(payloadOf(serializer.serialize(speech(tone(480, 24_000), 24_000)))).toHaveLength(160);
    }
  });

  it('the tail of an utterance is sent', () => {
    const audio = tone(3_200, 16_000);
    const expected = Uint8Array.from(resampleWhole(audio, 16_000, 8_000), encodeMulaw);
    expect(expected.length).toBeGreaterThan(1_600);
    const checkpoint: Frame = { type: 'CheckpointFrame', name: 'turn-1' };
    const ways = [
      (serializer: PlivoFrameSerializer) => serializer.serialize({ type: 'EndFrame' }),
      (serializer: PlivoFrameSerializer) => serializer.flush(),
      (serializer: PlivoFrameSerializer) => serializer.serializeAll(checkpoint)[0]!,
    ];
    for (const end of ways) {
      const serializer = open();
      const message = serializer.serialize(speech(audio, 16_000));
      const whole = Buffer.concat([payloadOf(message), payloadOf(end(serializer))]);
      expect(whole).toEqual(Buffer.from(expected));
      expect(serializer.flush()).toBeNull();
    }
  });

  it('a pause of `resamplerClearAfterSecs` ends an utterance', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const audio = tone(3_200, 16_000); // 200 ms
    const fresh = open().serialize(speech(audio, 16_000));
    const serializer = open();
    serializer.serialize(speech(audio, 16_000));
    vi.advanceTimersByTime(390); // played after 200 ms: a gap of 190
    expect(serializer.serialize(speech(audio, 16_000))).not.toBe(fresh);
    vi.advanceTimersByTime(410);
    expect(serializer.serialize(speech(audio, 16_000))).toBe(fresh);
    expect(counted(serializer)).toEqual({ 'stale-tail': 1 });
    const never = open({ resamplerClearAfterSecs: null });
    never.serialize(speech(audio, 16_000));
    vi.advanceTimersByTime(60_000);
    expect(never.serialize(speech(audio, 16_000))).not.toBe(fresh);
  });

  it('an interruption becomes `clearAudio`', () => {
    expect(open().serialize({ type: 'InterruptionFrame' })).toBe(
      `{"event":"clearAudio","streamId":"${streamId}"}`,
    );
  });

  it('nothing from before an interruption is heard after it', () => {
    const serializer = open();
    serializer.serialize(speech(tone(320, 16_000), 16_000));
    serializer.serialize({ type: 'InterruptionFrame' });
    const silence = serializer.serialize(speech(new Int16Array(320), 16_000));
    expect(heard([silence], mulaw8).every((sample) => sample === 0)).toBe(true);
  });

  it('the rate may change from frame to frame', () => {
    const serializer = open();
    const [first, second] = [tone(320, 16_000), tone(480, 24_000)];
    const messages = [
      serializer.serialize(speech(first, 16_000)),
      serializer.serialize(speech(second, 24_000)),
      serializer.flush(),
    ];
    const expected = [
      ...resampleWhole(first, 16_000, 8_000),
      ...resampleWhole(second, 24_000, 8_000),
    ];
    expect(Buffer.concat(messages.map(payloadOf))).toEqual(Buffer.from(expected.map(encodeMulaw)));
    expect(counted(serializer)).toEqual({});
  });

  it('two channels are mixed', () => {
    const audio = Int16Array.from({ length: 320 }, (_, i) => (i % 2 === 0 ? 1_000 : 3_000));
    const message = open({}, { format: { encoding: 'l16', sampleRate: 8_000 } }).serialize(
      speech(audio, 8_000, 2),
    );
    expect(heard([message], { encoding: 'l16', sampleRate: 8_000 })).toEqual(
      new Int16Array(160).fill(2_000),
    );
  });

  it('a frame with other channels, a wrong length or a wrong rate is dropped', () => {
    const serializer = open();
    const audio = tone(321, 16_000);
    const frames = [
      speech(audio, 16_000, 3),
      speech(audio, 16_000, 0),
      speech(audio, 16_000, Number.NaN),
      speech(audio, 16_000, 2),
      speech([1, 2] as never, 16_000),
      speech(new Uint8Array(320) as never, 16_000),
      speech(undefined as never, 16_000),
      speech(audio, 11_025),
      speech(audio, Number.NaN),
      speech(audio, -8_000),
    ];
    for (const frame of frames) expect(serializer.serialize(frame)).toBeNull();
    expect(counted(serializer)).toEqual({ 'bad-channels': 3, 'bad-audio': 4, 'bad-rate': 3 });
    expect(payloadOf(serializer.serialize(speech(tone(320, 16_000), 16_000)))).toHaveLength(160);
  });

  it('an empty frame makes no message', () => {
    const serializer = open();
    expect(serializer.serialize(speech(new Int16Array(0), 16_000))).toBeNull();
    expect(serializer.serializeAll(speech(new Int16Array(0), 16_000))).toEqual([]);
    expect(counted(serializer)).toEqual({});
  });

  it('a long frame is one message, up to what Plivo takes', () => {
    const audio = tone(2 * 24_000, 24_000); // Pipecat's two seconds of closing silence
    const serializer = open();
    const message = serializer.serialize(speech(audio, 24_000))!;
    expect(payloadOf(message)).toHaveLength(16_000);
    const six = tone(6 * 8_000, 8_000);
    expect(Buffer.byteLength(serializer.serialize(speech(six, 8_000))!)).toBeLessThan(65_536);
    expect(serializer.serialize(speech(tone(7 * 8_000, 8_000), 8_000))).toBeNull();
    expect(counted(serializer)).toEqual({ 'audio-too-long': 1 });
  });

  it('transport messages are sent as they are, urgent ones too', () => {
    const message = { event: 'checkpoint', streamId, name: 'mine' };
    for (const type of [
      'OutputTransportMessageFrame',
      'OutputTransportMessageUrgentFrame',
    ] as const) {
      expect(open().serialize({ type, message })).toBe(JSON.stringify(message));
    }
  });

  it('messages with the label `rtvi-ai` are not sent', () => {
    const frame = {
      type: 'OutputTransportMessageUrgentFrame',
      message: { label: 'rtvi-ai', type: 'bot-ready' },
    } as const;
    expect(open().serialize(frame)).toBeNull();
    expect(open({ ignoreRtviMessages: false }).serialize(frame)).toContain('bot-ready');
  });

  it('checkpoints', () => {
    const serializer = open();
    expect(serializer.serialize({ type: 'CheckpointFrame', name: 'turn-3' })).toBe(
      `{"event":"checkpoint","streamId":"${streamId}","name":"turn-3"}`,
    );
    for (const name of ['', 'x'.repeat(129), 5 as never]) {
      expect(serializer.serialize({ type: 'CheckpointFrame', name })).toBeNull();
    }
    expect(counted(serializer)).toEqual({ 'bad-checkpoint': 3 });
  });

  it('keys are sent as `sendDTMF`', () => {
    const serializer = open();
    expect(serializer.serialize({ type: 'OutputDTMFFrame', button: '12#' })).toBe(
      '{"event":"sendDTMF","dtmf":"12#"}',
    );
    for (const button of ['', 'E', '1 2', '1'.repeat(65), undefined as never]) {
      expect(serializer.serialize({ type: 'OutputDTMFFrame', button })).toBeNull();
    }
    expect(counted(serializer)).toEqual({ 'bad-dtmf': 5 });
  });

  it('other frames make no message', () => {
    const serializer = open();
    const frames = [
      { type: 'StartFrame', audioInSampleRate: 8_000, audioOutSampleRate: 8_000 },
      { type: 'InputDTMFFrame', button: '1' },
      { type: 'CheckpointPlayedFrame', name: 'a' },
      { type: 'AudioClearedFrame' },
      { type: 'StreamStoppedFrame', reason: '' },
    ] as const;
    for (const frame of frames) expect(serializer.serialize(frame)).toBeNull();
    expect(counted(serializer)).toEqual({});
    for (const frame of [{ type: 'TextFrame' }, null, undefined, 5]) {
      expect(serializer.serialize(frame as never)).toBeNull();
    }
    expect(counted(serializer)).toEqual({ 'unknown-frame': 4 });
  });
});
