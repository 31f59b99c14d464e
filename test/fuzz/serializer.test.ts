import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { audioRates, messageBytesMax } from '../../src/limits.js';
import type {
  Frame,
  MediaFormat,
  PlivoFrameSerializer,
  WireMessage,
} from '../../src/serializer.js';
import {
  media,
  open,
  payloadOf,
  speech,
  startText,
  streamFormats,
} from '../serializer-library/library.js';
import { mutated, Random } from './mutate.js';
import { expected, judged, readTwice, type Verdict } from './oracle.js';

/**
 * Method: real messages are wounded a little, so that most get past the first check and fail deep
 * inside. Each is read by the serializer and, without scan and kernel, by an oracle; both must
 * agree on the frame, its content and the counted reason. Again and again a sound message and a
 * sound frame must come through as if nothing had happened. `npm run fuzz` does the same with a
 * million messages and another seed each time; FUZZ_SEED repeats one.
 */
const inputs = Number(process.env.FUZZ_INPUTS ?? 20_000);
const seed = Number(
  process.env.FUZZ_SEED ?? (process.env.FUZZ_INPUTS === undefined ? 3 : Date.now() | 0),
);
const perRun = 500;
const options = { seed, endOnFailure: true, numRuns: Math.ceil(inputs / perRun) };
const timeoutMs = 60_000 + inputs;

const folder = new URL('../fixtures/plivo/', import.meta.url);
const corpus: readonly Buffer[] = [
  ...readdirSync(folder).map((name) => readFileSync(new URL(name, folder))),
  ...streamFormats.map((format) => Buffer.from(startText(format))),
  // Media as it mostly is: half of the corpus, so half of the wounded messages.
  ...Array.from({ length: 40 }, (_, i) =>
    Buffer.from(media(new Uint8Array(160 * (1 + (i % 4))).fill(i))),
  ),
];

/** How wounded messages end; `scanned` if the scan was sure. */
const usualEnds = [
  ...['InputAudioRawFrame', 'bad-payload', 'other-track'].flatMap((end) => [end, `scanned ${end}`]),
  ...['InputDTMFFrame', 'CheckpointPlayedFrame', 'AudioClearedFrame', 'StreamStoppedFrame'],
  ...['start', 'bad-json', 'not-an-object', 'bad-message', 'bad-format', 'bad-digit'],
  ...['unknown-event', 'too-large'],
];

/** The forms in which servers hand over a message. */
function inForm(bytes: Buffer, form: number): WireMessage {
  switch (form) {
    case 0:
      return bytes.toString('utf8');
    case 1:
      return Uint8Array.from(bytes).buffer;
    case 2:
      return [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)];
    default:
      return bytes;
  }
}

/**
 * Samples of the application in so many of the stream. The filter rounds up, and keeps count over
 * messages.
 */
function isAbout(
  actual: number,
  streamSamples: number,
  rate: number,
  format: MediaFormat,
): boolean {
  return Math.abs(actual - (streamSamples * rate) / format.sampleRate) < 1;
}

/** Answers how the message ended. */
function expectAgreement(serializer: PlivoFrameSerializer, bytes: Buffer, form: number): string {
  const { format, sampleRate } = serializer;
  const { message, isScanned } = readTwice(bytes);
  const due: Verdict = isTooLarge(bytes, form)
    ? { frame: null, content: '', drop: 'too-large' }
    : expected(message, format);
  const verdict = judged(serializer, inForm(bytes, form));
  // A share below one sample may come to none, and then makes no frame.
  const isShare =
    due.frame === 'InputAudioRawFrame' &&
    verdict.drop === null &&
    isAbout(Number(verdict.content), Number(due.content), sampleRate, format);
  if (!isShare) expect(verdict).toEqual(due);
  const end = due.drop ?? due.frame ?? message.event;
  return isScanned ? `scanned ${end}` : end;
}

/** As text, bytes that are no UTF-8 have become three each. */
function isTooLarge(bytes: Buffer, form: number): boolean {
  const { length } = form === 0 ? Buffer.from(bytes.toString('utf8')) : bytes;
  return length > messageBytesMax;
}

const goodPayload = new Uint8Array(960).fill(0xff);
const good = media(goodPayload);
const goodFrame = speech(new Int16Array(320).fill(1_000), 16_000);

/** A sound message and a sound frame give their share of samples. */
function expectUsable(serializer: PlivoFrameSerializer): void {
  const { format, sampleRate } = serializer;
  const sampleBytes = format.encoding === 'l16' ? 2 : 1;
  const frame = serializer.deserialize(good);
  expect(frame?.type).toBe('InputAudioRawFrame');
  if (frame?.type !== 'InputAudioRawFrame') return;
  expect(isAbout(frame.audio.length, 960 / sampleBytes, sampleRate, format)).toBe(true);
  const sent = payloadOf(serializer.serialize(goodFrame)).length / sampleBytes;
  // The tail of another rate may lead.
  expect(Math.abs(sent - format.sampleRate / 50)).toBeLessThan(80);
}

describe('a serializer under fire', () => {
  it(`reads ${inputs} wounded messages as its oracle does, and stays usable`, {
    timeout: timeoutMs,
  }, () => {
    const ends = new Map<string, number>();
    const property = fc.property(fc.integer(), (runSeed) => {
      const random = new Random(runSeed);
      const serializer = open({ sampleRate: random.pick(audioRates) });
      for (let i = 0; i < perRun; i += 1) {
        const bytes = mutated(random, corpus);
        const form = random.below(4);
        try {
          const end = expectAgreement(serializer, bytes, form);
          ends.set(end, (ends.get(end) ?? 0) + 1);
          if (i % 8 === 0) expectUsable(serializer);
        } catch (thrown) {
          throw new Error(`form ${form}, base64 ${bytes.toString('base64')}`, { cause: thrown });
        }
      }
      serializer.close();
    });
    fc.assert(property, options);
    // Wounds are worth something only if they end in every way.
    const rare = usualEnds.filter((end) => (ends.get(end) ?? 0) < inputs / 5_000);
    expect(rare, [...ends].toString()).toEqual([]);
  });

  it('reads any JSON and any bytes', { timeout: timeoutMs }, () => {
    const serializer = open();
    const member = fc.constantFrom(
      'event',
      'media',
      'start',
      'payload',
      'track',
      'dtmf',
      'digit',
      'name',
    );
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('media', 'start', 'dtmf', 'stop', 'AAAA', 'outbound'),
    );
    const object = fc.dictionary(member, fc.oneof(value, fc.dictionary(member, value)));
    const text = fc.oneof(
      object.map((members) => JSON.stringify(members)),
      fc.json(),
      fc.string(),
    );
    const bytes = fc.oneof(
      text.map((content) => Buffer.from(content)),
      fc.uint8Array({ maxLength: 300 }).map((content) => Buffer.from(content)),
    );
    const property = fc.property(bytes, fc.nat(3), (content, form) => {
      expectAgreement(serializer, content, form);
      expectUsable(serializer);
    });
    fc.assert(property, { seed, numRuns: Math.ceil(inputs / 20) });
  });

  it('takes any frame, and stays usable', { timeout: timeoutMs }, () => {
    const audio = fc.oneof(
      fc.int16Array({ maxLength: 12_000 }),
      fc.constantFrom<unknown>(
        undefined,
        null,
        'AAAA',
        7,
        [1, 2],
        new Uint8Array(3),
        new Float32Array(4),
      ),
    );
    const rate = fc.oneof(fc.constantFrom<unknown>(...audioRates), fc.anything());
    const type = fc.constantFrom<unknown>(...frameTypes);
    const frame = fc.oneof(
      fc.record({
        type,
        audio,
        sampleRate: rate,
        numChannels: fc.constantFrom<unknown>(1, 2, 0, -1, 1.5, Number.NaN, 'a'),
      }),
      fc.record({ type, name: fc.anything(), button: fc.anything(), message: fc.anything() }),
      fc.anything(),
    );
    const serializer = open();
    const property = fc.property(frame, fc.boolean(), (value, isAll) => {
      const messages = isAll
        ? serializer.serializeAll(value as Frame)
        : [serializer.serialize(value as Frame)];
      for (const message of messages) {
        if (message === null) continue;
        expect(Buffer.byteLength(message)).toBeLessThanOrEqual(messageBytesMax);
        JSON.parse(message);
      }
      expectUsable(serializer);
    });
    fc.assert(property, { seed, numRuns: Math.ceil(inputs / 20) });
  });
});

const frameTypes: readonly (Frame['type'] | 'Frame')[] = [
  'StartFrame',
  'InputAudioRawFrame',
  'OutputAudioRawFrame',
  'InputDTMFFrame',
  'OutputDTMFFrame',
  'InterruptionFrame',
  'OutputTransportMessageFrame',
  'OutputTransportMessageUrgentFrame',
  'CheckpointFrame',
  'EndFrame',
  'CancelFrame',
  'Frame',
];
