import { describe, expect, it } from 'vitest';
import { digitTone, silence, tone } from '../../workers/handler/tones.js';

/** Power at one frequency, by Goertzel's sum. */
function power(samples: Int16Array, hertz: number, rate: number): number {
  let [re, im] = [0, 0];
  for (const [i, x] of samples.entries()) {
    re += x * Math.cos((2 * Math.PI * hertz * i) / rate);
    im += x * Math.sin((2 * Math.PI * hertz * i) / rate);
  }
  return (re * re + im * im) / samples.length ** 2;
}

const rows = [697, 770, 852, 941];
const columns = [1_209, 1_336, 1_477, 1_633];
/** ITU-T Q.23, row by row. */
const keypad = ['123A', '456B', '789C', '*0#D'];

describe('the tones of a digit', () => {
  it.each([8_000, 16_000])('are the two of its row and column, and no other, at %d Hz', (rate) => {
    for (const [row, keys] of keypad.entries()) {
      for (const [column, key] of [...keys].entries()) {
        const samples = digitTone(key, 200, rate)!;
        const loudest = (from: number[]) =>
          from
            .map((hertz) => [power(samples, hertz, rate), hertz] as const)
            .toSorted((a, b) => b[0] - a[0]);
        const [[low, lowHertz], [,]] = loudest(rows) as [[number, number], [number, number]];
        const [[high, highHertz]] = loudest(columns) as [[number, number]];
        expect([key, lowHertz, highHertz]).toEqual([key, rows[row], columns[column]]);
        expect(Math.abs(10 * Math.log10(low / high))).toBeLessThan(1);
        expect(loudest(rows)[1]![0]).toBeLessThan(low / 100);
        expect(loudest(columns)[1]![0]).toBeLessThan(high / 100);
      }
    }
  });

  it('are none for what is no digit', () => {
    for (const digit of ['', 'E', 'a', '12', '23A', ' ', 'ä']) {
      expect(digitTone(digit, 100, 8_000)).toBeUndefined();
    }
  });
});

describe('a tone', () => {
  it('has the length asked for, soft edges, and never clips', () => {
    for (const frequencies of [[440], [697, 1_209], [523, 659, 784]]) {
      const samples = tone(frequencies, 220, 8_000);
      expect(samples).toHaveLength(1_760);
      expect(Math.max(...samples.map(Math.abs))).toBeLessThan(30_000);
      for (const edge of [samples.subarray(0, 8), samples.subarray(-8)]) {
        expect(Math.max(...edge.map(Math.abs))).toBeLessThan(6_000);
      }
    }
    expect(tone([440], 0, 8_000)).toHaveLength(0);
  });

  it('of silence is silent', () => {
    expect(silence(80, 8_000)).toEqual(new Int16Array(640));
  });
});
