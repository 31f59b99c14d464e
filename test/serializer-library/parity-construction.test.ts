import { describe, expect, it } from 'vitest';
import { PlivoFrameSerializer } from '../../src/serializer.js';
import {
  callId,
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

describe('construction', () => {
  it('`streamId` is the only required argument', () => {
    expect(new PlivoFrameSerializer({ streamId, params: { autoHangUp: false } }).streamId).toBe(
      streamId,
    );
    for (const wrong of [undefined, {}, { streamId: '' }, { streamId: 5 }]) {
      expect(() => new PlivoFrameSerializer(wrong as { streamId: string })).toThrow(/streamId/);
    }
  });

  it('`autoHangUp` without ids or credentials throws and names what is missing', () => {
    const given = { streamId, callId, authId: '' };
    expect(() => new PlivoFrameSerializer(given)).toThrow(
      'the automatic hang-up needs authId, authToken: pass them, or set params.autoHangUp to false',
    );
    expect(() => new PlivoFrameSerializer({ streamId })).toThrow(
      expect.objectContaining({ code: 'MISSING_CREDENTIALS' }),
    );
  });

  it('the rate of the stream is 8000 Hz by default', () => {
    expect(open().format).toEqual(mulaw8);
  });

  it('the rate of the application comes from `params.sampleRate`, else from `setup`', () => {
    const start = { type: 'StartFrame', audioInSampleRate: 24_000, audioOutSampleRate: 24_000 };
    const set = open({ sampleRate: 8_000 });
    set.setup(start as never);
    expect(set.sampleRate).toBe(8_000);
    const asked = open();
    expect(asked.sampleRate).toBe(16_000);
    asked.setup(start as never);
    expect(asked.sampleRate).toBe(24_000);
  });

  it('a rate that is not supported is an error at set-up', () => {
    const list = '8000, 16000, 22050, 24000, 32000, 44100, 48000';
    expect(() => open({ sampleRate: 11_025 })).toThrow(`11025 Hz is not one of ${list}`);
    const start = { type: 'StartFrame', audioInSampleRate: 16_000, audioOutSampleRate: 12_000 };
    expect(() => open().setup(start as never)).toThrow(`12000 Hz is not one of ${list}`);
    expect(() => open({ plivoSampleRate: 16_000 })).toThrow('mulaw at 16000 Hz is not one of 8000');
    expect(() => open({ sampleRate: Number.NaN })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_RATE' }),
    );
  });

  it('streams in L16', () => {
    const format = { encoding: 'l16', sampleRate: 16_000 } as const;
    const serializer = open({ sampleRate: 16_000 }, { format });
    const sent = tone(320, 16_000);
    const text = serializer.serialize(speech(sent, 16_000));
    expect(JSON.parse(text!)).toMatchObject({
      media: { contentType: 'audio/x-l16', sampleRate: 16_000 },
    });
    expect(heard([text], format)).toEqual(sent);
    expect(serializer.deserialize(media(payloadOf(text)))).toMatchObject({ audio: sent });
  });
});
