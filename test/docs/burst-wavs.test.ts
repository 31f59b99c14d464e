import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  burstFiles,
  burstSamples,
  burstSendings,
  hear,
  heldSamplesMin,
  playQueued,
  samplesPerMs,
  smoothSendings,
  utterancesOf,
} from '../../load/docs/burst-wavs.js';
import { readWav } from '../../src/codec/wav.js';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const { samples: speech } = await readWav(path('test/fixtures/speech.wav'));
const page = await readFile(path('docs/codec.md'), 'utf8');

describe('the model of the bursts', () => {
  it('gives what was measured of Pipecat’s resampler with chunks of 20 ms', () => {
    const sendings = burstSendings(4_000 * samplesPerMs, 20);
    expect(sendings[0]).toEqual({ count: burstSamples, atMs: 120 });
    expect(sendings).toHaveLength(42); // of 200
    let sent = 0;
    const held = sendings.flatMap(({ count, atMs }) => {
      const before = atMs - 20 - sent / samplesPerMs;
      sent += count;
      return [before, atMs - sent / samplesPerMs];
    });
    expect(Math.min(...held)).toBeGreaterThanOrEqual(heldSamplesMin / samplesPerMs);
    expect(Math.max(...held)).toBeGreaterThan(105);
    expect(Math.max(...held)).toBeLessThanOrEqual(112);
  });

  it('gives bursts every two or three chunks of 40 ms, the first after 120 ms', () => {
    const times = burstSendings(4_000 * samplesPerMs).map(({ atMs }) => atMs);
    expect(times[0]).toBe(120);
    const steps = new Set(times.slice(1).map((atMs, i) => atMs - times[i]!));
    expect([...steps].sort((a, b) => a - b)).toEqual([80, 120]);
  });

  it('sends all of an utterance without them, each chunk at once', () => {
    for (const samples of [1, 160, 161, 320, 5_000]) {
      const sendings = smoothSendings(samples);
      expect(sendings.reduce((sum, { count }) => sum + count, 0)).toBe(samples);
      expect(sendings.every(({ count }) => count > 0 && count <= 160)).toBe(true);
      expect(sendings.at(-1)!.atMs).toBe(samples / samplesPerMs);
    }
  });
});

describe('the files', () => {
  const utterances = utterancesOf(speech);
  const files = burstFiles(speech);

  it('are of three sentences', () => {
    expect(utterances.map(({ startMs }) => startMs)).toEqual([10, 2_290, 5_100]);
    const lost = utterances.map(({ samples }) => {
      const sent = burstSendings(samples.length).reduce((sum, { count }) => sum + count, 0);
      return Math.round((samples.length - sent) / samplesPerMs);
    });
    expect(page).toContain(`${lost[0]}, ${lost[1]} and ${lost[2]} ms`);
  });

  it('have the gaps, the lost ends and the delay that the page states', () => {
    const [smooth, bursts, queued] = files.map(({ heard }) => heard);
    expect(smooth).toMatchObject({ gaps: 0, lostTailMs: 0, startDelayMs: 80 });
    expect(bursts).toMatchObject({ lostTailMs: 167, startDelayMs: 80 });
    expect(queued).toMatchObject({ gaps: 0, lostTailMs: 167, startDelayMs: 160 });
    const spokenMs = utterances.reduce((sum, { samples }) => sum + samples.length, 0) / 8;
    const stated = `${bursts!.gaps} gaps, ${bursts!.gapMs.toFixed(0)} ms of ${spokenMs}`;
    expect(page).toContain(stated);
  });

  it('would have gaps in a queue with less of a jitter buffer', () => {
    const gapsWith = (jitterMs: number) => {
      const { gaps, gapMs } = hear(utterances, burstSendings, playQueued(jitterMs));
      return [gaps, gapMs];
    };
    expect(gapsWith(20)).toEqual([3, 75.75]);
    expect(gapsWith(0)).toEqual([6, 94.5]);
    expect(page).toContain('three gaps of 75.75 ms in all; with none, six of 94.5 ms');
  });

  it('hold the speech, and no other sound', () => {
    const energy = (samples: Int16Array): number =>
      samples.reduce((sum, value) => sum + value * value, 0);
    const spoken = utterances.reduce((sum, { samples }) => sum + energy(samples), 0);
    const [smooth, bursts, queued] = files.map(({ heard }) => energy(heard.samples) / spoken);
    expect(smooth).toBe(1);
    expect(bursts).toBeLessThan(0.6);
    expect(queued).toBeGreaterThan(0.9);
    expect(queued).toBeLessThan(1);
  });
});
