import { describe, expect, it } from 'vitest';
import { audioRates } from '../../src/limits.js';
import { kernelCount, seatsPerKernel } from '../../src/serializer/kernel-pool.js';
import type { PlivoFrameSerializer } from '../../src/serializer.js';
import { media, open, speech, startText, streamFormats } from './library.js';

function openAll(count: number): PlivoFrameSerializer[] {
  return Array.from({ length: count }, () => open({ audioTrack: 'both' }));
}

describe('the kernels of a thread', () => {
  it('have room for all their serializers, whatever rates each has had', () => {
    const serializers = openAll(seatsPerKernel);
    const said = media(new Uint8Array(160));
    const other = media(new Uint8Array(160), 'outbound');
    for (const format of streamFormats) {
      const start = startText(format);
      for (const rate of audioRates) {
        const setup = {
          type: 'StartFrame',
          audioInSampleRate: rate,
          audioOutSampleRate: rate,
        } as const;
        const frame = speech(new Int16Array(rate / 50), rate);
        for (const serializer of serializers) {
          serializer.deserialize(start);
          serializer.setup(setup);
          expect(serializer.deserialize(said)).not.toBeNull();
          expect(serializer.deserialize(other)).not.toBeNull();
          expect(serializer.serialize(frame)).not.toBeNull();
        }
      }
    }
    expect(kernelCount()).toBe(1);
    for (const serializer of serializers) serializer.close();
  });

  it('are as many as the serializers need, and one remains', () => {
    const serializers = openAll(2 * seatsPerKernel + 1);
    expect(kernelCount()).toBe(3);
    for (const serializer of serializers) {
      expect(serializer.deserialize(media(new Uint8Array(160)))).not.toBeNull();
    }
    for (const serializer of serializers) serializer.close();
    expect(kernelCount()).toBe(1);
  });

  it('hold a closed serializer’s place for the next one, once', () => {
    const [first, second] = openAll(2);
    first!.close();
    first!.close();
    second!.close();
    const serializers = openAll(seatsPerKernel);
    expect(kernelCount()).toBe(1);
    for (const serializer of serializers) serializer.close();
  });
});

describe('a serializer that is closed', () => {
  it('answers null to everything, and counts it', () => {
    const serializer = open();
    serializer.serialize(speech(new Int16Array(320), 16_000));
    serializer.close();
    serializer.close();
    expect(serializer.deserialize(media(new Uint8Array(160)))).toBeNull();
    expect(serializer.serialize(speech(new Int16Array(320), 16_000))).toBeNull();
    expect(serializer.serializeAll(speech(new Int16Array(320), 16_000))).toEqual([]);
    expect(serializer.serialize({ type: 'EndFrame' })).toBeNull();
    expect(serializer.flush()).toBeNull();
    expect(serializer.hangup).toBeUndefined();
    expect(serializer.drops.closed).toBe(5);
    serializer.setup({
      type: 'StartFrame',
      audioInSampleRate: 8_000,
      audioOutSampleRate: 8_000,
    });
    expect(serializer.parseStart(startText(streamFormats[1]!))).not.toBeNull();
  });
});
