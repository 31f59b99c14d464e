import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { echoMatch } from '../../load/echo-snr.js';
import { testSignal } from '../../load/test-signal.js';
import { decodeMulaw, encodeMulaw } from '../../src/codec/g711.js';
import { readWav } from '../../src/codec/wav.js';

const rateHz = 8_000;
const speech = await readWav(fileURLToPath(new URL('../fixtures/speech.wav', import.meta.url)));

/**
 * A sum of tones below 3.4 kHz that swells and fades: limited in band, and known at every point in
 * time, so that it can be delayed by any fraction without a filter.
 */
function analytic(delaySamples: number): Float64Array {
  const count = 24_000;
  return Float64Array.from({ length: count }, (_, i) => {
    const position = (i - delaySamples) / (count - 200);
    if (position <= 0 || position >= 1) return 0;
    const t = (i - delaySamples) / rateHz;
    let sum = 0;
    for (let k = 1; k <= 17; k += 1) sum += Math.sin(2 * Math.PI * (k * 193.7 + k * k * 0.37) * t);
    return 1_000 * sum * Math.sin(Math.PI * position) ** 4;
  });
}

/** Noise that is the same in every run. */
function noise(count: number, level: number): Float64Array {
  let state = 1;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return (state / 2 ** 31) * level * Math.sqrt(3);
  });
}

describe('the ratio of echo to difference', () => {
  it('is capped at 120 dB for the same signal', () => {
    expect(echoMatch(speech.samples, speech.samples, { rateHz })).toMatchObject({
      snrDb: 120,
      delaySamples: 0,
      gain: 1,
    });
  });

  it.each([1, 160, 7_999])('finds a whole delay of %i samples', (delay) => {
    const echo = new Int16Array(speech.samples.length + delay);
    echo.set(speech.samples, delay);
    const match = echoMatch(speech.samples, echo, { rateHz });
    expect(match).toMatchObject({ snrDb: 120, delaySamples: delay });
  });

  it('finds an echo that lost its beginning', () => {
    const match = echoMatch(speech.samples, speech.samples.subarray(320), { rateHz });
    expect(match).toMatchObject({ snrDb: 120, delaySamples: -320 });
  });

  it.each([39.5, 0.25, 100.9, 12.001, -7.3])('finds a delay of %d samples', (delay) => {
    const match = echoMatch(analytic(0), analytic(delay), { rateHz });
    expect(match?.delaySamples).toBeCloseTo(delay, 4);
    expect(match?.snrDb).toBeGreaterThan(90);
    expect(match?.gain).toBeCloseTo(1, 4);
  });

  it.each([10, 100, 1_000])('agrees with noise of the known level %i', (level) => {
    const echo = analytic(39.5);
    const added = noise(echo.length, level);
    const noisy = echo.map((value, i) => value + (added[i] ?? 0));
    const match = echoMatch(analytic(0), noisy, { rateHz });
    const signalPower = echo.reduce((sum, value) => sum + value * value, 0);
    const noisePower = level ** 2 * (match?.comparedSamples ?? 0);
    expect(match?.snrDb).toBeCloseTo(10 * Math.log10(signalPower / noisePower), 0);
    expect(match?.delaySamples).toBeCloseTo(39.5, 1);
  });

  it('sees a wrong gain as difference, and reports it', () => {
    const match = echoMatch(
      speech.samples,
      speech.samples.map((value) => value * 0.9),
      { rateHz },
    );
    expect(match?.gain).toBeCloseTo(0.9, 3);
    expect(match?.snrDb).toBeCloseTo(20, 1);
  });

  it('judges one more µ-law codec as about 38 dB', () => {
    const echo = decodeMulaw(encodeMulaw(speech.samples));
    const match = echoMatch(speech.samples, echo, { rateHz });
    expect(match?.snrDb).toBeGreaterThan(35);
    expect(match?.snrDb).toBeLessThan(41);
  });

  it('sees a frame lost in the middle', () => {
    const echo = new Int16Array(speech.samples.length - 160);
    echo.set(speech.samples.subarray(0, 30_000));
    echo.set(speech.samples.subarray(30_160), 30_000);
    expect(echoMatch(speech.samples, echo, { rateHz })?.snrDb).toBeLessThan(6);
  });

  it('is null for silence, for nothing, and for something else', () => {
    expect(echoMatch(speech.samples, new Int16Array(8_000), { rateHz })).toBeNull();
    expect(echoMatch(new Int16Array(8_000), speech.samples, { rateHz })).toBeNull();
    expect(echoMatch(speech.samples, new Int16Array(), { rateHz })).toBeNull();
    expect(echoMatch(speech.samples, testSignal(rateHz), { rateHz })).toBeNull();
  });
});
