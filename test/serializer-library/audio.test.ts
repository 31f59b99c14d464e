import { describe, expect, it } from 'vitest';
import { audioRates } from '../../src/limits.js';
import type { InputAudioRawFrame } from '../../src/serializer.js';
import { encodeMulaw } from '../codec/reference.js';
import {
  bytesOf,
  counted,
  heard,
  media,
  mulaw8,
  open,
  payloadOf,
  resampled,
  speech,
  streamFormats,
  tone,
} from './library.js';

const pairs = streamFormats.flatMap((format) => audioRates.map((rate) => ({ format, rate })));
const named = pairs.map(
  ({ format, rate }) => [`${format.encoding} ${format.sampleRate}`, rate, format] as const,
);

function joined(parts: readonly Int16Array[]): Int16Array {
  return Int16Array.from(parts.flatMap((part) => [...part]));
}

describe('a stream and an application', () => {
  it.each(named)(
    '%s, %i Hz: every 20 ms out are sent at once, and nothing is missing',
    (...row) => {
      const [, rate, format] = row;
      const serializer = open({ sampleRate: rate }, { format });
      const frame = rate / 50;
      const audio = tone(frame * 10, rate);
      const messages: (string | null)[] = [];
      for (let at = 0; at < audio.length; at += frame) {
        messages.push(serializer.serialize(speech(audio.subarray(at, at + frame), rate)));
        const due = Math.ceil(((at + frame) * format.sampleRate) / rate);
        expect(heard(messages, format)).toHaveLength(due);
      }
      messages.push(serializer.flush());
      const expected = resampled(audio, rate, format.sampleRate, true);
      if (format.encoding === 'l16') expect(heard(messages, format)).toEqual(expected);
      else {
        expect(Buffer.concat(messages.map(payloadOf))).toEqual(
          Buffer.from(Uint8Array.from(expected, encodeMulaw)),
        );
      }
    },
  );

  it.each(named)('%s, %i Hz: every 20 ms in are a frame at once', (_, rate, format) => {
    const serializer = open({ sampleRate: rate }, { format });
    const perMessage = format.sampleRate / 50;
    const said = tone(perMessage * 10, format.sampleRate);
    const wire = format.encoding === 'l16' ? bytesOf(said) : Uint8Array.from(said, encodeMulaw);
    const bytes = wire.length / 10;
    const frames: Int16Array[] = [];
    for (let i = 0; i < 10; i += 1) {
      const message = media(wire.subarray(i * bytes, (i + 1) * bytes));
      const frame = serializer.deserialize(message) as InputAudioRawFrame;
      frames.push(frame.audio);
      const due = Math.ceil(((i + 1) * perMessage * rate) / format.sampleRate);
      expect(frames.reduce((sum, { length }) => sum + length, 0)).toBe(due);
      expect(frame).toMatchObject({ sampleRate: rate, numChannels: 1 });
    }
    const samples = heard([JSON.stringify(playAudioOf(wire))], format);
    expect(joined(frames)).toEqual(resampled(samples, format.sampleRate, rate, false));
  });
});

function playAudioOf(wire: Uint8Array) {
  return { event: 'playAudio', media: { payload: Buffer.from(wire).toString('base64') } };
}

describe('frames of the application', () => {
  it('keep their samples when the next message comes', () => {
    const serializer = open({ sampleRate: 8_000 });
    const first = serializer.deserialize(media(new Uint8Array(160).fill(1))) as InputAudioRawFrame;
    const copy = Int16Array.from(first.audio);
    serializer.deserialize(media(new Uint8Array(160).fill(0x81)));
    expect(first.audio).toEqual(copy);
    expect(first.audio.buffer.byteLength).toBe(320);
  });

  it('may be of any length, and come as messages that Plivo recommends', () => {
    for (const rate of [8_000, 24_000]) {
      const audio = tone(rate * 10, rate);
      const serializer = open();
      const messages = serializer.serializeAll(speech(audio, rate));
      expect(Math.max(...messages.map((text) => payloadOf(text).length))).toBe(12_288);
      const tail = serializer.flush();
      const expected = Uint8Array.from(resampled(audio, rate, 8_000, true), encodeMulaw);
      expect(Buffer.concat([...messages, tail].map(payloadOf))).toEqual(Buffer.from(expected));
    }
  });

  it('sound the same in one piece and in many', () => {
    const audio = tone(20_000, 48_000);
    const whole = open().serialize(speech(audio, 48_000));
    const serializer = open();
    const parts: (string | null)[] = [];
    for (let at = 0; at < audio.length; at += 777) {
      parts.push(serializer.serialize(speech(audio.subarray(at, at + 777), 48_000)));
    }
    expect(Buffer.concat(parts.map(payloadOf))).toEqual(payloadOf(whole));
  });

  it('of two channels are mixed over the length of many pieces', () => {
    const mono = tone(10_000, 16_000);
    const stereo = Int16Array.from({ length: 20_000 }, (_, i) => mono[i >> 1]!);
    expect(open().serialize(speech(stereo, 16_000, 2))).toBe(
      open().serialize(speech(mono, 16_000)),
    );
  });

  it('are unharmed by those of another stream on the same kernel', () => {
    const [one, two, alone] = [open(), open({ sampleRate: 24_000 }), open()];
    for (let i = 0; i < 10; i += 1) {
      const frame = speech(tone(320, 16_000), 16_000);
      const expected = alone.serialize(frame);
      two.serialize(speech(new Int16Array(480).fill(i * 999), 24_000));
      two.deserialize(media(new Uint8Array(160).fill(i)));
      expect(one.serialize(frame)).toBe(expected);
    }
  });

  it('leave no tail where rates are equal', () => {
    const serializer = open();
    serializer.serialize(speech(tone(160, 8_000), 8_000));
    expect(serializer.flush()).toBeNull();
    const checkpoint = { type: 'CheckpointFrame', name: 'a' } as const;
    expect(serializer.serializeAll(checkpoint)).toHaveLength(1);
  });

  it('leave no tail after a cancel', () => {
    const serializer = open();
    serializer.serialize(speech(tone(320, 16_000), 16_000));
    expect(serializer.serialize({ type: 'CancelFrame' })).toBeNull();
    expect(serializer.flush()).toBeNull();
  });

  it('made faster than real time are one utterance in spite of pauses', () => {
    const audio = tone(16_000, 16_000); // a second, played long after the pause
    const together = open();
    const whole = payloadOf(together.serialize(speech(audio, 16_000)));
    const serializer = open();
    const first = serializer.serialize(speech(audio.subarray(0, 8_000), 16_000));
    const until = performance.now() + 250;
    while (performance.now() < until); // the class reads the clock only when it is called
    const second = serializer.serialize(speech(audio.subarray(8_000), 16_000));
    expect(Buffer.concat([first, second].map(payloadOf))).toEqual(whole);
    expect(counted(serializer)).toEqual({});
  });

  it('take the format that `start` announced, and the encoder with it', () => {
    const serializer = open();
    const format = streamFormats[2]!;
    expect(heard([serializer.serialize(speech(tone(160, 8_000), 8_000))], mulaw8)).toHaveLength(
      160,
    );
    serializer.parseStart(
      JSON.stringify({
        event: 'start',
        start: { callId: 'c', streamId: 's', mediaFormat: { type: 'audio/x-l16', rate: 16_000 } },
      }),
    );
    expect(serializer.format).toEqual(format);
    const sent = tone(320, 16_000);
    expect(heard([serializer.serialize(speech(sent, 16_000))], format)).toEqual(sent);
  });
});
