import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runChain, segmentalSnrDb } from '../../load/docs/speech-chain.js';
import { readWav } from '../../src/codec/wav.js';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const { samples: speech } = await readWav(path('test/fixtures/speech.wav'));
const page = await readFile(path('docs/codec.md'), 'utf8');
const { before, after, delaySamples, sameCodes } = runChain(speech);

describe('speech from µ-law to 16 kHz and back to µ-law', () => {
  it('comes back 5 ms later, in whole samples', () => {
    expect(delaySamples).toBe(40);
    expect(after).toHaveLength(speech.length);
  });

  it('loses 0.2 dB of segmental SNR at most to the resamplers', () => {
    const [once, whole] = [segmentalSnrDb(speech, before), segmentalSnrDb(speech, after)];
    expect(whole).toBeGreaterThan(35.5);
    expect(once - whole).toBeLessThan(0.2);
    expect(page).toContain(`µ-law alone | ${once.toFixed(1)} dB |`);
    expect(page).toContain(`whole chain | ${whole.toFixed(1)} dB |`);
  });

  it('keeps 98 of 100 codes as they were', () => {
    expect(sameCodes).toBeGreaterThan(0.98);
    expect(page).toContain(`as they were sent | ${(sameCodes * 100).toFixed(1)} % |`);
  });
});

describe('segmental SNR', () => {
  const tone = Int16Array.from({ length: 1_600 }, (_, i) => 10_000 * Math.sin(i));

  it('is the mean in dB of the frames', () => {
    // 20 dB of noise in one half, 40 dB in the other.
    const signal = tone.map((value, i) => value * (i < 800 ? 0.9 : 0.99));
    expect(segmentalSnrDb(tone, signal)).toBeCloseTo(30, 1);
  });

  it('leaves pauses out', () => {
    const reference = Int16Array.from([...tone, ...new Int16Array(1_600)]);
    const signal = reference.map((value, i) => (i < 1_600 ? value * 0.9 : 50));
    expect(segmentalSnrDb(reference, signal)).toBeCloseTo(20, 1);
  });
});
