import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkpointText,
  clearAudioText,
  playAudioEnds,
  readExtraHeaders,
  readMessage,
  sendDtmfText,
} from '../../src/plivo/messages.js';

const folder = new URL('../fixtures/plivo/', import.meta.url);
const fixture = (name: string): string => readFileSync(new URL(`${name}.json`, folder), 'utf8');

const streamId = 'b4d0a9de-52f7-4e7c-8f1e-1c7a5d2e9b02';
const headers = { tenant: 'acme', plan: 'gold' };
const start = {
  event: 'start',
  callId: '6f1c2b7e-0c41-4d0e-9a55-3b1f0e7f1a01',
  streamId,
  accountId: 'MAEXAMPLE0000000000A',
  tracks: ['inbound'],
  format: { encoding: 'mulaw', sampleRate: 8_000 },
  extraHeaders: headers,
};
const l16 = (sampleRate: number) => ({ ...start, format: { encoding: 'l16', sampleRate } });
const media = { event: 'media', track: 'inbound', payload: 'fn5+fn5+fn4=' };
const dtmf = { event: 'dtmf', track: 'inbound', digit: '5' };
const unreadable = (reason: string) => ({ event: 'unreadable', reason });

/** What each message means; one file per message as it stands on the wire. */
const meanings: Readonly<Record<string, object>> = {
  start,
  'start-l16-8k': l16(8_000),
  'start-l16-16k': l16(16_000),
  'start-l16-24k': l16(24_000),
  'start-two-tracks': { ...start, tracks: ['inbound', 'outbound'] },
  'start-numbers-as-strings': l16(16_000),
  'start-type-and-rate': l16(16_000),
  'start-rate-in-encoding': l16(16_000),
  'start-encoding-upper-case': l16(16_000),
  'start-without-format': start,
  'start-sequence-from-0': { ...start, accountId: '500042' },
  'start-stream-id-on-top': start,
  'start-headers-comma': start,
  'start-headers-json': start,
  'start-headers-object': start,
  'start-headers-x-ph': start,
  'start-headers-percent': { ...start, extraHeaders: { tenant: 'acme inc', plan: '100%' } },
  'start-headers-null': { ...start, extraHeaders: {} },
  'start-headers-absent': { ...start, extraHeaders: {} },
  'start-custom-parameters': start,
  'start-unknown-format': unreadable('bad-format'),
  'start-unknown-rate': unreadable('bad-format'),
  media,
  'media-outbound': { ...media, track: 'outbound' },
  'media-numbers-as-strings': media,
  'media-timestamp-number': media,
  'media-without-headers': media,
  dtmf,
  'dtmf-hash': { ...dtmf, digit: '#' },
  'dtmf-letter': { ...dtmf, digit: 'D' },
  'dtmf-number': dtmf,
  'dtmf-two-digits': unreadable('bad-digit'),
  'played-stream': { event: 'playedStream', name: 'turn-3' },
  played: { event: 'playedStream', name: 'turn-3' },
  'cleared-audio': { event: 'clearedAudio' },
  stop: { event: 'stop', reason: 'callHangup' },
  'stop-bare': { event: 'stop', reason: '' },
  'stop-nested': { event: 'stop', reason: '' },
  'play-failed': unreadable('unknown-event'),
  error: unreadable('unknown-event'),
  'incorrect-payload': unreadable('unknown-event'),
};

describe('a message of Plivo', () => {
  it.each(Object.entries(meanings))('is understood: %s', (name, meaning) => {
    expect(readMessage(fixture(name))).toMatchObject(meaning);
  });

  it('has a fixture for every meaning, and a meaning for every fixture', () => {
    const names = readdirSync(folder).map((file) => file.replace(/\.json$/, ''));
    expect(names.toSorted()).toEqual(Object.keys(meanings).toSorted());
  });

  it.each([
    ['{', 'bad-json'],
    ['', 'bad-json'],
    ['NaN', 'bad-json'],
    ['null', 'not-an-object'],
    ['[]', 'not-an-object'],
    ['"start"', 'not-an-object'],
    ['{}', 'bad-message'],
    ['{"event":null}', 'bad-message'],
    ['{"event":7}', 'bad-message'],
    ['{"event":"start"}', 'bad-message'],
    ['{"event":"start","start":null}', 'bad-message'],
    ['{"event":"start","start":{"callId":"a"}}', 'bad-message'],
    ['{"event":"start","start":{"streamId":"a","callId":""}}', 'bad-message'],
    ['{"event":"start","start":{"streamId":"a","callId":{}}}', 'bad-message'],
    ['{"event":"start","start":{"streamId":"a","callId":"b","mediaFormat":[]}}', 'bad-format'],
    ['{"event":"start","start":{"streamId":"a","callId":"b","mediaFormat":"x"}}', 'bad-format'],
    ['{"event":"media"}', 'bad-message'],
    ['{"event":"media","media":{"payload":null}}', 'bad-message'],
    ['{"event":"dtmf"}', 'bad-digit'],
    ['{"event":"dtmf","dtmf":{"digit":""}}', 'bad-digit'],
    ['{"event":"dtmf","dtmf":{"digit":"E"}}', 'bad-digit'],
    ['{"event":"playedStream"}', 'bad-message'],
    ['{"event":"toString"}', 'unknown-event'],
    ['{"event":"__proto__"}', 'unknown-event'],
  ])('is put aside with its reason: %s', (text, reason) => {
    expect(readMessage(text)).toMatchObject({ event: 'unreadable', reason });
  });

  it('never makes the reader throw, whatever JSON it is', () => {
    const names = ['event', 'start', 'media', 'dtmf', 'name', 'stop', 'extra_headers', 'streamId'];
    const inner = ['callId', 'streamId', 'mediaFormat', 'tracks', 'payload', 'digit', 'encoding'];
    const name = fc.constantFrom(...names, ...inner, 'sampleRate', 'toString', 'valueOf', 'toJSON');
    const event = fc.constantFrom('start', 'media', 'dtmf', 'playedStream', 'stop', 'played', 'x');
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.oneof(fc.constantFrom('a', 'audio/x-l16', 8_000, null, true), fc.jsonValue(), event),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(name, tie('value'), { maxKeys: 6 }),
      ),
    }));
    const message = fc
      .tuple(fc.dictionary(name, value), event)
      .map(([members, named]) => JSON.stringify({ ...members, event: named }));
    const started = fc.tuple(value, value, value).map(([mediaFormat, tracks, extra_headers]) =>
      JSON.stringify({
        event: 'start',
        start: { callId: 'a', streamId: 'b', mediaFormat, tracks },
        extra_headers,
      }),
    );
    const anything = fc.oneof(message, started, fc.json(), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(anything, (text) => {
        expect(typeof readMessage(text).event).toBe('string');
      }),
      { seed: 3, numRuns: 5_000 },
    );
  });

  // Members called `toString` and `valueOf` make `Number(object)` throw.
  it.each(['sampleRate', 'rate', 'encoding', 'type'])(
    'is put aside when the %s of its format is an object that cannot become a number or text',
    (member) => {
      const trap = '{"toString":1,"valueOf":1}';
      const text = `{"event":"start","start":{"callId":"a","streamId":"b","mediaFormat":{"${member}":${trap}}}}`;
      expect(readMessage(text)).toMatchObject(unreadable('bad-format'));
    },
  );

  it('is put aside when its format is nested so deep that it cannot be printed', () => {
    const deep = '['.repeat(30_000) + ']'.repeat(30_000);
    const text = `{"event":"start","start":{"callId":"a","streamId":"b","mediaFormat":{"encoding":"x","y":${deep}}}}`;
    expect(readMessage(text)).toMatchObject(unreadable('bad-format'));
  });

  it('has ids of a length that fits the messages we answer with', () => {
    const long = 'x'.repeat(2_000);
    for (const ids of [
      { callId: 'a', streamId: long },
      { callId: long, streamId: 'b' },
    ]) {
      const text = JSON.stringify({ event: 'start', start: ids });
      expect(readMessage(text)).toMatchObject(unreadable('bad-message'));
    }
  });

  it('shows of a foreign event no more than its name, and of that a little', () => {
    const read = readMessage(JSON.stringify({ event: 'x'.repeat(1_000), secret: '4111' }));
    expect(read).toMatchObject(unreadable('unknown-event'));
    expect(JSON.stringify(read).length).toBeLessThan(150);
    expect(JSON.stringify(read)).not.toContain('4111');
  });
});

describe('extra headers', () => {
  it('never fail, and never set a prototype', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.string(), fc.json()), (value) => {
        const read = readExtraHeaders(value);
        expect(Object.getPrototypeOf(read)).toBeNull();
        for (const content of Object.values(read)) expect(typeof content).toBe('string');
      }),
      { seed: 4, numRuns: 2_000 },
    );
    expect(readExtraHeaders('__proto__=x;a=1')).toEqual({ a: '1' });
    expect(readExtraHeaders('{"__proto__":"x","a":1,"b":{},"c":true}')).toEqual({
      a: '1',
      c: 'true',
    });
  });

  it('keep values with separators of their own kind', () => {
    expect(readExtraHeaders('url=https://x/?a=b;n=1')).toEqual({ url: 'https://x/?a=b', n: '1' });
    expect(readExtraHeaders('x-ph-Tenant=acme')).toEqual({ Tenant: 'acme' });
  });
});

describe('a message to Plivo', () => {
  it('stands on the wire as documented', () => {
    expect(JSON.parse(clearAudioText('s"1'))).toEqual({ event: 'clearAudio', streamId: 's"1' });
    expect(JSON.parse(checkpointText('s', 'turn-3'))).toEqual({
      event: 'checkpoint',
      streamId: 's',
      name: 'turn-3',
    });
    expect(sendDtmfText('1234#')).toBe('{"event":"sendDTMF","dtmf":"1234#"}');
  });

  it('carries audio with a numeric rate, no rate in its content type, and the stream id only if asked', () => {
    const [head, tail] = playAudioEnds({ encoding: 'mulaw', sampleRate: 8_000 });
    expect(`${head}fn5+${tail}`).toBe(
      '{"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":"fn5+"}}',
    );
    const [before, after] = playAudioEnds({ encoding: 'l16', sampleRate: 16_000 }, streamId);
    expect(JSON.parse(`${before}AAAA${after}`)).toEqual({
      event: 'playAudio',
      media: { contentType: 'audio/x-l16', sampleRate: 16_000, payload: 'AAAA' },
      streamId,
    });
  });
});
