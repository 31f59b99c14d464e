import { decodeMulaw, encodeMulaw } from '../../src/codec/g711.js';
import { NaiveResampler, PlainResampler } from './plain.js';
import { mediaMessages, soundFrames, turns } from './sound.js';
import type { Case } from './timing.js';

interface Mulaw {
  decode(codes: Uint8Array): Int16Array;
  encode(samples: Int16Array): Uint8Array;
}
interface Pusher {
  push(samples: Int16Array): Int16Array;
}

/** Comparisons at 16 kHz; packages that are not installed are named instead. */
export interface Others {
  readonly inwards: Case[];
  readonly outwards: Case[];
  /** 8 to 16 and 24 to 8 kHz, resampler alone. */
  readonly up: Case[];
  readonly down: Case[];
  readonly absent: string[];
}

export async function others(): Promise<Others> {
  const absent: string[] = [];
  const load = async (name: string): Promise<unknown> => {
    try {
      return await import(name);
    } catch {
      absent.push(name);
      return undefined;
    }
  };
  const own: Mulaw = { decode: decodeMulaw, encode: encodeMulaw };
  const inwards = [jsonIn('plain TypeScript', own, new PlainResampler(8_000, 16_000))];
  const outwards = [jsonOut('plain TypeScript', own, new PlainResampler(16_000, 8_000))];
  const up = [plain(8_000, 16_000)];
  const down = [plain(24_000, 8_000)];

  const alawmulaw = (await load('alawmulaw')) as { default: { mulaw: Mulaw } } | undefined;
  if (alawmulaw !== undefined) {
    const { mulaw } = alawmulaw.default;
    const name = 'JSON + Buffer + alawmulaw + naive FIR';
    inwards.push(jsonIn(name, mulaw, new NaiveResampler(8_000, 16_000)));
    outwards.push(jsonOut(name, mulaw, new NaiveResampler(16_000, 8_000)));
  }
  const speex = (await load('speex-resampler')) as SpeexModule | undefined;
  if (speex !== undefined) {
    const Speex = classOf(speex);
    await Speex.initPromise;
    for (const [list, source, target] of pairs(up, down)) {
      const resampler = new Speex(1, source, target, 7);
      const frames = soundFrames(source).map((frame) => Buffer.from(frame.buffer));
      const next = turns(frames);
      list.push({
        name: 'speex-resampler, quality 7',
        frame: () => resampler.processChunk(next()),
      });
    }
  }
  const name = '@alexanderolsen/libsamplerate-js';
  const samplerate = (await load(name)) as SampleRateModule | undefined;
  if (samplerate !== undefined) {
    const { create, ConverterType: types } = samplerate.default ?? samplerate;
    for (const [list, source, target] of pairs(up, down)) {
      const frames = soundFrames(source).map((frame) =>
        Float32Array.from(frame, (s) => s / 32_768),
      );
      for (const [quality, converterType] of [
        ['fastest', types.SRC_SINC_FASTEST],
        ['best', types.SRC_SINC_BEST_QUALITY],
      ] as const) {
        const converter = await create(1, source, target, { converterType });
        const next = turns(frames);
        list.push({ name: `libsamplerate-js, ${quality}`, frame: () => converter.full(next()) });
      }
    }
  }
  return { inwards, outwards, up, down, absent };
}

interface Speex {
  processChunk(chunk: Buffer): Buffer;
}
interface SpeexClass {
  readonly initPromise: Promise<unknown>;
  new (channels: number, sourceRate: number, targetRate: number, quality: number): Speex;
}
interface SpeexModule {
  readonly default: SpeexClass | { readonly default: SpeexClass };
}
interface SampleRate {
  create(
    channels: number,
    sourceRate: number,
    targetRate: number,
    options: { readonly converterType: number },
  ): Promise<{ full(samples: Float32Array): Float32Array }>;
  readonly ConverterType: {
    readonly SRC_SINC_FASTEST: number;
    readonly SRC_SINC_BEST_QUALITY: number;
  };
}
type SampleRateModule = SampleRate & { readonly default?: SampleRate };

/** A CommonJS module may come with its default export one level down. */
function classOf({ default: found }: SpeexModule): SpeexClass {
  return 'default' in found ? found.default : found;
}

function pairs(up: Case[], down: Case[]) {
  return [
    [up, 8_000, 16_000],
    [down, 24_000, 8_000],
  ] as const;
}

function plain(sourceRate: number, targetRate: number): Case {
  const resampler = new PlainResampler(sourceRate, targetRate);
  const next = turns(soundFrames(sourceRate));
  return { name: 'plain TypeScript', frame: () => resampler.push(next()) };
}

function jsonIn(name: string, mulaw: Mulaw, resampler: Pusher): Case {
  const next = turns(mediaMessages('mulaw', 8_000));
  const frame = (): Int16Array => {
    const message = JSON.parse(next()) as { media: { payload: string } };
    return resampler.push(mulaw.decode(Buffer.from(message.media.payload, 'base64')));
  };
  return { name, frame };
}

function jsonOut(name: string, mulaw: Mulaw, resampler: Pusher): Case {
  const next = turns(soundFrames(16_000));
  const media = { contentType: 'audio/x-mulaw', sampleRate: 8_000 };
  const frame = (): string => {
    const codes = mulaw.encode(resampler.push(next()));
    const payload = Buffer.from(codes.buffer, codes.byteOffset, codes.length).toString('base64');
    return JSON.stringify({ event: 'playAudio', media: { ...media, payload } });
  };
  return { name, frame };
}
