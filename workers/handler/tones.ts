/** Sounds made of sines, mono PCM16, with soft edges so that nothing clicks. */

const edgeMs = 5;

/** Frequencies (Hz) of each digit's two tones, ITU-T Q.23. */
const rows = [697, 770, 852, 941];
const columns = [1_209, 1_336, 1_477, 1_633];
const keypad = '123A456B789C*0#D';

export function tone(frequencies: readonly number[], ms: number, rate: number): Int16Array {
  const samples = new Int16Array(Math.round((ms * rate) / 1_000));
  const edge = Math.round((edgeMs * rate) / 1_000);
  const amplitude = 9_000 / Math.max(1, frequencies.length - 1);
  for (let i = 0; i < samples.length; i += 1) {
    const fade = Math.min(1, (i + 1) / edge, (samples.length - i) / edge);
    let sum = 0;
    for (const hertz of frequencies) sum += Math.sin((2 * Math.PI * hertz * i) / rate);
    samples[i] = Math.round(amplitude * fade * sum);
  }
  return samples;
}

export function silence(ms: number, rate: number): Int16Array {
  return new Int16Array(Math.round((ms * rate) / 1_000));
}

/** The tones of a digit as a telephone sends them, or undefined for what is no digit. */
export function digitTone(digit: string, ms: number, rate: number): Int16Array | undefined {
  const key = keypad.indexOf(digit);
  if (digit.length !== 1 || key < 0) return undefined;
  return tone([rows[key >> 2]!, columns[key & 3]!], ms, rate);
}
