/**
 * Something speech-like for calls without a file: syllables of a voiced sound with a moving pitch
 * and two moving resonances, pauses between. Always the same, and nowhere alike within itself, so
 * that an echo's delay is never in doubt.
 */

const syllables = [
  // seconds from, seconds long, pitch Hz from and to, resonances Hz from and to
  { at: 0.15, long: 0.22, pitch: [118, 132], low: [420, 700], high: [1_250, 1_900] },
  { at: 0.42, long: 0.3, pitch: [135, 112], low: [650, 500], high: [1_700, 1_050] },
  { at: 0.8, long: 0.18, pitch: [121, 149], low: [380, 440], high: [2_300, 2_050] },
  { at: 1.05, long: 0.36, pitch: [152, 108], low: [720, 560], high: [1_150, 1_420] },
  { at: 1.75, long: 0.26, pitch: [126, 141], low: [510, 660], high: [950, 1_380] },
  { at: 2.06, long: 0.2, pitch: [143, 137], low: [350, 420], high: [2_450, 2_200] },
  { at: 2.3, long: 0.42, pitch: [139, 98], low: [690, 480], high: [1_320, 870] },
] as const;

const seconds = 3;
const peak = 20_000;
const harmonicHzMax = 3_300;
/** How fast a resonance falls off, Hz. */
const resonanceHz = 180;

function resonance(frequencyHz: number, centreHz: number): number {
  return 1 / (1 + ((frequencyHz - centreHz) / resonanceHz) ** 2);
}

function between(range: readonly [number, number], part: number): number {
  return range[0] + (range[1] - range[0]) * part;
}

/** Three seconds at any rate, Hz. */
export function testSignal(rateHz: number): Int16Array {
  const sum = new Float64Array(seconds * rateHz);
  for (const { at, long, pitch, low, high } of syllables) {
    const count = Math.round(long * rateHz);
    let phase = 0;
    for (let i = 0; i < count; i += 1) {
      const part = i / count;
      const pitchHz = between(pitch, part);
      phase += (2 * Math.PI * pitchHz) / rateHz;
      let value = 0;
      for (let k = 3; k * pitchHz < harmonicHzMax; k += 1) {
        const frequencyHz = k * pitchHz;
        const weight =
          resonance(frequencyHz, between(low, part)) +
          0.5 * resonance(frequencyHz, between(high, part));
        value += weight * Math.sin(k * phase);
      }
      const index = Math.round(at * rateHz) + i;
      sum[index] = value * Math.sin(Math.PI * part) ** 2;
    }
  }
  const loudest = sum.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return Int16Array.from(sum, (value) => Math.round((value / loudest) * peak));
}
