import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { argv, stdout } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Kernel } from '../../src/codec/kernel.js';
import { Resampler } from '../../src/codec/resampler.js';
import { readWav, writeWav } from '../../src/codec/wav.js';
import { PlayoutModel } from '../playout-model.js';

/**
 * A model, not a recording, of what a caller hears of an application that speaks at 16 kHz: once with
 * audio sent as it comes, once with a resampler that holds it back and lets it go in bursts. The page
 * `docs/codec.md` says what is modelled. All samples come from the gateway's own resampler, so that
 * the files differ in time alone.
 */

const wireRate = 8_000;
const applicationRate = 16_000;
export const samplesPerMs = wireRate / 1_000;

/** Pipecat's streaming resampler (soxr, VHQ, 16 to 8 kHz), as measured: section 8.4 of our notes. */
export const burstSamples = 758; // 94.75 ms
export const heldSamplesMin = 140; // 17.5 ms
/** What the application hands over at a time, as Pipecat's transport does. */
export const chunkMs = 40;
/** What the gateway sends at a time. */
const frameMs = 20;
/** Two packets, as a telephone network's jitter buffer holds. */
export const jitterBufferMs = 40;

/** Pauses of at least this length part the sentences, each of which is an utterance of its own. */
const pauseMsMin = 200;
const windowSamples = 10 * samplesPerMs;
const quietLevel = 60;
/** Silence at the end of each file. */
const endMs = 400;

/** So many samples of an utterance, in order, and when they are sent. */
export interface Sending {
  readonly count: number;
  /** Since the utterance's first sample was spoken. */
  readonly atMs: number;
}

export interface Utterance {
  /** At 8 kHz. */
  readonly samples: Int16Array;
  readonly startMs: number;
}

/** When the application's chunks are whole: the last may be shorter. */
function chunkEndsMs(samples: number, chunk: number): number[] {
  const endsAt = samples / samplesPerMs;
  return Array.from({ length: Math.ceil(endsAt / chunk) }, (_, i) =>
    Math.min((i + 1) * chunk, endsAt),
  );
}

/** Each chunk at once, in frames; the tail with the last. */
export function smoothSendings(samples: number): Sending[] {
  let left = samples;
  return chunkEndsMs(samples, chunkMs).flatMap((atMs) =>
    Array.from({ length: chunkMs / frameMs }, () => {
      const count = Math.min(left, frameMs * samplesPerMs);
      left -= count;
      return { count, atMs };
    }).filter(({ count }) => count > 0),
  );
}

/** Bursts, once they are whole and something is held back; what is left at the end is never sent. */
export function burstSendings(samples: number, chunk = chunkMs): Sending[] {
  let sent = 0;
  return chunkEndsMs(samples, chunk).flatMap((atMs) => {
    const bursts = Math.floor((atMs * samplesPerMs - heldSamplesMin - sent) / burstSamples);
    const count = Math.max(0, bursts) * burstSamples;
    sent += count;
    return count > 0 ? [{ count, atMs }] : [];
  });
}

/** What reaches the ear of a caller. */
export interface Heard {
  readonly samples: Int16Array;
  /** Silence in the midst of sentences. */
  readonly gaps: number;
  readonly gapMs: number;
  /** Ends of sentences that are never heard. */
  readonly lostTailMs: number;
  /** Largest time between an utterance's first sample being spoken and being heard. */
  readonly startDelayMs: number;
}

type Player = (utterance: Utterance, sendings: readonly Sending[]) => readonly Played[];

/** Part of an utterance, and when it is heard. */
interface Played {
  readonly first: number;
  readonly count: number;
  readonly atMs: number;
}

/**
 * A listener in real time: every sample has its moment, one chunk and one jitter buffer after it was
 * spoken. What comes later is thrown away.
 */
export const playOnTime: Player = ({ startMs }, sendings) => {
  const delayMs = chunkMs + jitterBufferMs;
  let first = 0;
  return sendings.flatMap(({ count, atMs }) => {
    const late = Math.max(0, Math.ceil((atMs - delayMs) * samplesPerMs) - first);
    const played = {
      first: first + late,
      count: count - late,
      atMs: startMs + (first + late) / samplesPerMs + delayMs,
    };
    first += count;
    return played.count > 0 ? [played] : [];
  });
};

/** Plivo's queue by its documentation: nothing is thrown away, each run starts a jitter buffer late. */
export function playQueued(startDelayMs = jitterBufferMs): Player {
  return ({ startMs }, sendings) => {
    const model = new PlayoutModel({ rateHz: wireRate, startDelayMs });
    for (const { count, atMs } of sendings) model.push(count, startMs + atMs);
    return model.runs().map((run) => ({
      first: run.firstSample,
      count: run.sampleCount,
      atMs: run.startMs,
    }));
  };
}

/** Plays all utterances on one time line. */
export function hear(
  utterances: readonly Utterance[],
  send: (samples: number) => readonly Sending[],
  play: Player,
): Heard {
  const last = utterances.at(-1)!;
  const lengthMs = last.startMs + last.samples.length / samplesPerMs + endMs;
  const samples = new Int16Array(Math.ceil(lengthMs * samplesPerMs));
  let [gaps, gapMs, lostTailMs, startDelayMs] = [0, 0, 0, 0];
  for (const utterance of utterances) {
    const sendings = send(utterance.samples.length);
    let endedMs: number | undefined;
    for (const { first, count, atMs } of play(utterance, sendings)) {
      samples.set(
        utterance.samples.subarray(first, first + count),
        Math.round(atMs * samplesPerMs),
      );
      const spokenMs = utterance.startMs + first / samplesPerMs;
      if (endedMs === undefined) startDelayMs = Math.max(startDelayMs, atMs - spokenMs);
      else if (atMs > endedMs) {
        gaps += 1;
        gapMs += atMs - endedMs;
      }
      endedMs = atMs + count / samplesPerMs;
    }
    const sent = sendings.reduce((sum, { count }) => sum + count, 0);
    lostTailMs += (utterance.samples.length - sent) / samplesPerMs;
  }
  return { samples, gaps, gapMs, lostTailMs, startDelayMs };
}

/** Sentences, cut where sound begins and ends, after 8 → 16 → 8 kHz and µ-law. */
export function utterancesOf(speech: Int16Array): Utterance[] {
  return sentences(speech).map(([from, to]) => ({
    samples: asCalled(speech.subarray(from, to)),
    startMs: from / samplesPerMs,
  }));
}

function sentences(speech: Int16Array): [number, number][] {
  const found: [number, number][] = [];
  for (let from = 0; from < speech.length; from += windowSamples) {
    const window = speech.subarray(from, from + windowSamples);
    const level = Math.sqrt(window.reduce((sum, value) => sum + value * value, 0) / window.length);
    if (level < quietLevel) continue;
    const to = from + window.length;
    const open = found.at(-1);
    if (open !== undefined && from - open[1] < pauseMsMin * samplesPerMs) open[1] = to;
    else found.push([from, to]);
  }
  return found;
}

/** Without the delay of the two filters, which is the same for both files. */
function asCalled(speech: Int16Array): Int16Array {
  const kernel = new Kernel();
  const [wire, wide, codes] = [2, 4, 1].map((bytes) =>
    kernel.allocate(bytes * (speech.length + wireRate)),
  ) as [number, number, number];
  const up = new Resampler(kernel, wireRate, applicationRate);
  const down = new Resampler(kernel, applicationRate, wireRate);
  kernel.samples.set(speech, wire / 2);
  const wideCount = up.push(wire, speech.length, wide);
  const tailCount = up.flush(wide + 2 * wideCount);
  const body = down.push(wide, wideCount + tailCount, wire);
  const count = body + down.flush(wire + 2 * body);
  kernel.encodeMulaw(wire, count, codes);
  kernel.decodeMulaw(codes, count, wire);
  const delay = Math.round(up.delaySamples / 2 + down.delaySamples);
  return kernel.samples.slice(wire / 2 + delay, wire / 2 + delay + speech.length);
}

export interface BurstFile {
  readonly file: string;
  readonly heard: Heard;
}

export function burstFiles(speech: Int16Array): BurstFile[] {
  const utterances = utterancesOf(speech);
  return [
    { file: 'smooth.wav', heard: hear(utterances, smoothSendings, playOnTime) },
    { file: 'bursts.wav', heard: hear(utterances, burstSendings, playOnTime) },
    { file: 'bursts-queued.wav', heard: hear(utterances, burstSendings, playQueued()) },
  ];
}

/** Writes the files into the folder that is named on the command line. */
export async function main(folder: string | undefined): Promise<void> {
  if (folder === undefined) throw new Error('name the folder for the WAV files');
  const fixture = new URL('../../../test/fixtures/speech.wav', import.meta.url);
  const { samples: speech } = await readWav(fileURLToPath(fixture));
  await mkdir(folder, { recursive: true });
  for (const { file, heard } of burstFiles(speech)) {
    const path = join(folder, file);
    await writeWav(path, { rateHz: wireRate, samples: heard.samples });
    const { gaps, gapMs, lostTailMs, startDelayMs } = heard;
    stdout.write(
      `${path}: ${gaps} gaps, ${gapMs.toFixed(0)} ms in all; ${lostTailMs.toFixed(0)} ms of sentence ends lost; begins ${startDelayMs.toFixed(0)} ms late\n`,
    );
  }
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) await main(argv[2]);
