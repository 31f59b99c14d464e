import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PlivoFrameSerializer } from '../../src/serializer.js';
import {
  callId,
  counted,
  media,
  mulaw8,
  open,
  payloadOf,
  speech,
  startText,
  streamId,
} from './library.js';

const fixtures = new URL('../fixtures/plivo/', import.meta.url);
const good = media(new Uint8Array(160).fill(0x80));

describe('bad input', () => {
  it('of any kind that is no message is counted, not thrown', () => {
    const serializer = open();
    for (const wrong of [undefined, null, 5, {}, ['a'], [new Int16Array(4)], new Map(), () => 1]) {
      expect(serializer.deserialize(wrong as never)).toBeNull();
      expect(serializer.parseStart(wrong as never)).toBeNull();
    }
    expect(counted(serializer)).toEqual({ 'bad-input': 8 });
  });

  it('above 64 KB is dropped in every form, also if only its bytes are more', () => {
    const serializer = open();
    const long = media('A'.repeat(65_536));
    const wide = JSON.stringify({ event: 'media', extra_headers: '中'.repeat(30_000) });
    for (const text of [long, wide]) {
      const bytes = Buffer.from(text);
      for (const form of [text, bytes, Uint8Array.from(bytes).buffer, [bytes]]) {
        expect(serializer.deserialize(form)).toBeNull();
        expect(PlivoFrameSerializer.parseStart(form)).toBeNull();
      }
    }
    expect(counted(serializer)).toEqual({ 'too-large': 8 });
  });

  it('of exactly 64 KB is read', () => {
    const serializer = open({ sampleRate: 48_000 });
    const room = 65_536 - media('').length;
    const payload = 'A'.repeat(room - (room % 4));
    const frame = serializer.deserialize(media(payload).padEnd(65_536));
    expect(frame).toMatchObject({ audio: { length: (payload.length / 4) * 3 * 6 } });
    expect(counted(serializer)).toEqual({});
  });

  it('with half a sample of L16 is dropped', () => {
    const serializer = open({}, { format: { encoding: 'l16', sampleRate: 8_000 } });
    expect(serializer.deserialize(media(new Uint8Array(321)))).toBeNull();
    expect(counted(serializer)).toEqual({ 'bad-payload': 1 });
    expect(serializer.deserialize(media(new Uint8Array(320)))).toMatchObject({
      audio: { length: 320 * 2 - 320 },
    });
  });

  it('nested as deep as 64 KB allow is dropped', () => {
    const serializer = open();
    const deep = '['.repeat(30_000) + ']'.repeat(30_000);
    for (const text of [
      deep,
      `{"event":"start","start":{"callId":"a","streamId":"b","mediaFormat":${deep}}}`,
      `{"event":"media","media":{"payload":${deep}}}`,
      `{"event":${deep}}`,
    ]) {
      expect(serializer.deserialize(text)).toBeNull();
      expect(PlivoFrameSerializer.parseStart(text)).toBeNull();
    }
    expect(Object.values(counted(serializer)).reduce((sum, count) => sum + count)).toBe(4);
    expect(serializer.deserialize(good)).not.toBeNull();
  });

  it('cut off at any byte makes no frame and harms no later one', () => {
    const serializer = open({ sampleRate: 8_000 });
    const expected = open({ sampleRate: 8_000 }).deserialize(good);
    for (let at = 0; at < good.length; at += 1) {
      expect(serializer.deserialize(good.slice(0, at))).toBeNull();
      expect(serializer.deserialize(good)).toEqual(expected);
    }
    expect(serializer.drops['bad-json']).toBe(good.length);
  });

  it('in no fixture goes unnoticed: each is read, or counted with its reason', () => {
    for (const name of readdirSync(fixtures)) {
      const serializer = open();
      const text = readFileSync(new URL(name, fixtures), 'utf8');
      const frame = serializer.deserialize(text);
      const reasons = Object.keys(counted(serializer));
      const isStart = PlivoFrameSerializer.parseStart(text) !== null;
      expect([frame !== null, reasons.length > 0, isStart].filter(Boolean), name).toHaveLength(1);
    }
  });

  it('in a transport message is counted: a cycle, a bigint, nothing, too much', () => {
    const serializer = open();
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const messages = [cycle, 5n, undefined, () => 1, 'x'.repeat(65_536)];
    for (const message of messages) {
      expect(serializer.serialize({ type: 'OutputTransportMessageFrame', message })).toBeNull();
    }
    expect(counted(serializer)).toEqual({ 'bad-transport-message': 5 });
  });

  it('in the options is an error that names the option', () => {
    const wrong: readonly (readonly [object, string])[] = [
      [{ encoding: 'opus' }, 'opus'],
      [{ encoding: 'toString' }, 'toString'],
      [{ encoding: 'l16', plivoSampleRate: 44_100 }, 'l16 at 44100 Hz is not one of 8000, 16000'],
      [{ audioTrack: 'left' }, 'audioTrack'],
      [{ resamplerClearAfterSecs: -1 }, 'resamplerClearAfterSecs'],
      [{ resamplerClearAfterSecs: Number.NaN }, 'resamplerClearAfterSecs'],
    ];
    for (const [params, text] of wrong) expect(() => open(params)).toThrow(text);
    const apiUrl = 'api.plivo.com';
    const ids = { streamId, callId, authId: 'a', authToken: 'b' };
    expect(() => new PlivoFrameSerializer({ ...ids, params: { apiUrl } })).toThrow('apiUrl');
  });
});

describe('parseStart', () => {
  it('answers ids, tracks, format and headers of a start message in every form', () => {
    const text = readFileSync(new URL('start.json', fixtures), 'utf8');
    const expected = {
      callId,
      streamId,
      accountId: 'MAEXAMPLE0000000000A',
      tracks: ['inbound'],
      format: mulaw8,
      extraHeaders: { tenant: 'acme', plan: 'gold' },
    };
    for (const form of [text, Buffer.from(text), [Buffer.from(text)]]) {
      expect(PlivoFrameSerializer.parseStart(form)).toEqual(expected);
      expect(open().parseStart(form)).toEqual(expected);
    }
  });

  it('is null for any other message', () => {
    for (const text of [
      '',
      '{}',
      'null',
      good,
      '{"event":"start"}',
      '{"event":"start","start":{}}',
    ]) {
      expect(PlivoFrameSerializer.parseStart(text)).toBeNull();
    }
  });

  it('gives what the constructor takes', () => {
    const start = PlivoFrameSerializer.parseStart(
      startText({ encoding: 'l16', sampleRate: 24_000 }),
    )!;
    const serializer = new PlivoFrameSerializer({
      ...start,
      authId: 'a',
      authToken: 'b',
      params: { sampleRate: 24_000 },
    });
    expect(serializer.format).toEqual({ encoding: 'l16', sampleRate: 24_000 });
    const message = serializer.serialize(speech(new Int16Array(480), 24_000));
    expect(payloadOf(message)).toHaveLength(960);
  });
});
