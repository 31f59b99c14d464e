import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Frame, PlivoFrameSerializer } from '../../src/serializer.js';
import { decodeMulaw } from '../codec/reference.js';
import { counted, media, open, startText, streamId } from './library.js';

// Rows of the parity table in docs/serializer.md, each under the row's own words: docs.test.ts
// compares the two. What a row says of Pipecat is from the project's notes; the tests hold what it
// says of this class.

const wireCodes = Uint8Array.from({ length: 160 }, (_, i) => (i * 7) & 0xff);
const heardCodes = Int16Array.from(wireCodes, decodeMulaw);

/** Which frame a message of these members makes. */
function frameOf(serializer: PlivoFrameSerializer, message: object): Frame | null {
  return serializer.deserialize(JSON.stringify({ streamId, sequenceNumber: 9, ...message }));
}

afterEach(() => {
  vi.useRealTimers();
});

describe('from Plivo', () => {
  it('`media` becomes a mono `InputAudioRawFrame` at the rate of the application', () => {
    expect(open({ sampleRate: 8_000 }).deserialize(media(wireCodes))).toEqual({
      type: 'InputAudioRawFrame',
      audio: heardCodes,
      sampleRate: 8_000,
      numChannels: 1,
      track: 'inbound',
    });
  });

  it('20 ms of caller become 20 ms of frame, at once', () => {
    const serializer = open({ sampleRate: 16_000 });
    for (let i = 0; i < 200; i += 1) {
      const frame = serializer.deserialize(media(wireCodes));
      expect(frame).toMatchObject({ type: 'InputAudioRawFrame', audio: { length: 320 } });
    }
  });

  it('a gap on the network changes no sample', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const [steady, late] = [open(), open()];
    for (let i = 0; i < 5; i += 1) {
      const expected = steady.deserialize(media(wireCodes));
      vi.advanceTimersByTime(i === 3 ? 5_000 : 20);
      expect(late.deserialize(media(wireCodes))).toEqual(expected);
    }
  });

  it('`media` without a payload makes no frame', () => {
    const serializer = open();
    expect(frameOf(serializer, { event: 'media', media: { track: 'inbound' } })).toBeNull();
    expect(serializer.deserialize(media(''))).toBeNull();
    expect(counted(serializer)).toEqual({ 'bad-message': 1 });
  });

  it('`media.track` is respected', () => {
    const serializer = open({ sampleRate: 8_000 });
    expect(serializer.deserialize(media(wireCodes, 'outbound'))).toBeNull();
    expect(serializer.deserialize(media(wireCodes))).toMatchObject({ track: 'inbound' });
    expect(counted(serializer)).toEqual({ 'other-track': 1 });
    const both = open({ audioTrack: 'both', sampleRate: 16_000 });
    const alone = open({ sampleRate: 16_000 });
    for (let i = 0; i < 5; i += 1) {
      const other = media(new Uint8Array(160).fill(i), 'outbound');
      expect(both.deserialize(other)).toMatchObject({ track: 'outbound' });
      expect(both.deserialize(media(wireCodes))).toEqual(alone.deserialize(media(wireCodes)));
    }
  });

  it('the keys `0-9 * #` become `InputDTMFFrame`', () => {
    for (const digit of '0123456789*#') {
      const frame = frameOf(open(), { event: 'dtmf', dtmf: { track: 'inbound', digit } });
      expect(frame).toEqual({ type: 'InputDTMFFrame', button: digit });
    }
  });

  it('so do the keys `A-D`', () => {
    for (const digit of 'ABCD') {
      const frame = frameOf(open(), { event: 'dtmf', dtmf: { digit } });
      expect(frame).toEqual({ type: 'InputDTMFFrame', button: digit });
    }
  });

  it('`dtmf` without a key makes no frame', () => {
    const serializer = open();
    for (const dtmf of [null, {}, { digit: 'E' }, { digit: '12' }]) {
      expect(frameOf(serializer, { event: 'dtmf', dtmf })).toBeNull();
    }
    expect(counted(serializer)).toEqual({ 'bad-digit': 4 });
  });

  it('`start` makes no frame', () => {
    const serializer = open({ sampleRate: 16_000 });
    const format = { encoding: 'l16', sampleRate: 8_000 } as const;
    expect(serializer.deserialize(startText(format))).toBeNull();
    expect(serializer.format).toEqual(format);
    expect(counted(serializer)).toEqual({});
    const frame = serializer.deserialize(media(new Uint8Array(320)));
    expect(frame).toMatchObject({ audio: { length: 320 } });
  });

  it('`playedStream`, `clearedAudio` and `stop` become frames', () => {
    const serializer = open();
    expect(frameOf(serializer, { event: 'playedStream', name: 'turn-3' })).toEqual({
      type: 'CheckpointPlayedFrame',
      name: 'turn-3',
    });
    expect(frameOf(serializer, { event: 'clearedAudio' })).toEqual({ type: 'AudioClearedFrame' });
    expect(frameOf(serializer, { event: 'stop', reason: 'callHangup' })).toEqual({
      type: 'StreamStoppedFrame',
      reason: 'callHangup',
    });
  });

  it('an unknown event makes no frame', () => {
    const serializer = open();
    expect(frameOf(serializer, { event: 'playFailed' })).toBeNull();
    expect(frameOf(serializer, {})).toBeNull();
    expect(counted(serializer)).toEqual({ 'unknown-event': 1, 'bad-message': 1 });
  });

  it('a message that is not JSON makes no frame', () => {
    const serializer = open();
    expect(serializer.deserialize('{"event":')).toBeNull();
    expect(counted(serializer)).toEqual({ 'bad-json': 1 });
  });

  it('JSON that is no object, and members that are `null`, make no frame', () => {
    const serializer = open();
    for (const text of ['null', '[]', '5', '"media"', 'true']) {
      expect(serializer.deserialize(text)).toBeNull();
    }
    expect(frameOf(serializer, { event: 'media', media: null })).toBeNull();
    expect(frameOf(serializer, { event: 'media', media: { payload: 5 } })).toBeNull();
    expect(frameOf(serializer, { event: 'start', start: null })).toBeNull();
    expect(counted(serializer)).toEqual({ 'not-an-object': 5, 'bad-message': 3 });
    expect(serializer.deserialize(media(wireCodes))).not.toBeNull();
  });

  it('a payload that is not base64 makes no frame', () => {
    const serializer = open();
    for (const payload of ['f', 'fn5+f', 'fn5=+', 'fn5-', 'fn 5', '====', 'fü5+']) {
      expect(serializer.deserialize(media(payload))).toBeNull();
    }
    expect(counted(serializer)).toEqual({ 'bad-payload': 7 });
    expect(serializer.deserialize(media(wireCodes))).toMatchObject({ audio: { length: 320 } });
  });

  it('a binary message is read like text', () => {
    const serializer = open({ sampleRate: 8_000 });
    const expected = open({ sampleRate: 8_000 }).deserialize(media(wireCodes));
    const bytes = Buffer.from(media(wireCodes));
    const exact = Uint8Array.from(bytes);
    for (const form of [bytes, exact, exact.buffer, [bytes.subarray(0, 9), bytes.subarray(9)]]) {
      expect(serializer.deserialize(form)).toEqual(expected);
    }
    expect(serializer.deserialize(Buffer.from([0xff, 0xfe, 0x00]))).toBeNull();
    expect(counted(serializer)).toEqual({ 'bad-json': 1 });
  });

  it('ids, counters and times of a message are not looked at', () => {
    const serializer = open({ sampleRate: 8_000 });
    const payload = Buffer.from(wireCodes).toString('base64');
    const odd = { event: 'media', sequenceNumber: '7', streamId: 'other', media: { payload } };
    expect(serializer.deserialize(JSON.stringify(odd))).toMatchObject({ audio: heardCodes });
  });
});
