import { readFile, stat, writeFile } from 'node:fs/promises';
import { errorText, GatewayError } from '../errors.js';
import { audioRates, isAudioRate } from '../limits.js';
import { decodeMulaw } from './g711.js';

/** Mono 16-bit audio. */
export interface Wav {
  readonly rateHz: number;
  readonly samples: Int16Array;
}

interface WavFormat {
  readonly code: number;
  readonly channels: number;
  readonly rateHz: number;
  readonly bits: number;
}

/** An hour of 16-bit 32 kHz audio and more; a call does not need it. */
const fileBytesMax = 256 * 1024 * 1024;
const pcmCode = 1;
const mulawCode = 7;
const extensibleCode = 0xfffe;
const headerBytes = 44;

const codeNames: Readonly<Record<number, string>> = {
  [pcmCode]: 'PCM',
  2: 'ADPCM',
  3: 'floating point',
  6: 'A-law',
  [mulawCode]: 'µ-law',
  85: 'MP3',
};

const kilohertz = audioRates.map((rate) => String(rate / 1_000));
const needs =
  `needs 16-bit or 24-bit PCM or µ-law, mono or stereo, at ${kilohertz.slice(0, -1).join(', ')} or ` +
  `${kilohertz.at(-1)} kHz; e.g. \`sox in.wav -c 1 -b 16 -r 8000 out.wav\``;

function badWav(found: string): GatewayError {
  return new GatewayError('BAD_WAV', `${found}: ${needs}`);
}

/** Reads a WAV file; anything but what `needs` names is refused with what was found. */
export async function readWav(path: string): Promise<Wav> {
  let file: Buffer;
  try {
    const { size } = await stat(path);
    if (size > fileBytesMax) throw new Error(`${size} bytes is above ${fileBytesMax}`);
    file = await readFile(path);
  } catch (error) {
    throw new GatewayError('BAD_WAV', `cannot read ${path}: ${errorText(error)}`, {
      cause: error,
    });
  }
  try {
    return parseWav(file);
  } catch (error) {
    throw new GatewayError('BAD_WAV', `${path}: ${errorText(error)}`, { cause: error });
  }
}

/** The same for bytes at hand. Unknown chunks are skipped; a cut data chunk gives what is there. */
export function parseWav(file: Uint8Array): Wav {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const isWave = bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.length >= 12;
  if (!isWave || bytes.toString('latin1', 8, 12) !== 'WAVE') {
    throw badWav('not a WAV file (no RIFF/WAVE header)');
  }
  let format: WavFormat | undefined;
  for (let offset = 12; offset + 8 <= bytes.length; ) {
    const name = bytes.toString('latin1', offset, offset + 4);
    const size = bytes.readUInt32LE(offset + 4);
    const body = bytes.subarray(offset + 8, offset + 8 + size);
    if (name === 'fmt ') format = parseFormat(body);
    if (name === 'data') {
      if (format === undefined) throw badWav('a WAV file whose data comes before its format');
      return decodeData(body, format);
    }
    offset += 8 + size + (size % 2);
  }
  throw badWav('a WAV file without a data chunk');
}

function parseFormat(body: Buffer): WavFormat {
  if (body.length < 16) throw badWav(`a format chunk of ${body.length} bytes`);
  const outer = body.readUInt16LE(0);
  // WAVE_FORMAT_EXTENSIBLE: the real code opens the sub-format GUID.
  const code = outer === extensibleCode && body.length >= 26 ? body.readUInt16LE(24) : outer;
  const format = {
    code,
    channels: body.readUInt16LE(2),
    rateHz: body.readUInt32LE(4),
    bits: body.readUInt16LE(14),
  };
  const isPcm = code === pcmCode && (format.bits === 16 || format.bits === 24);
  const isKnown = isPcm || (code === mulawCode && format.bits === 8);
  const isFew = format.channels === 1 || format.channels === 2;
  if (isKnown && isFew && isAudioRate(format.rateHz)) return format;
  const kind = codeNames[code] ?? `format ${code}`;
  throw badWav(
    `found ${format.bits}-bit ${kind}, ${format.channels} channel(s), ${format.rateHz} Hz`,
  );
}

function decodeData(body: Buffer, format: WavFormat): Wav {
  const samples = mono(decoded(body, format), format.channels);
  if (samples.length === 0) throw badWav('a WAV file without samples');
  return { rateHz: format.rateHz, samples };
}

function decoded(body: Buffer, { code, bits }: WavFormat): Int16Array {
  if (code === mulawCode) return decodeMulaw(body);
  return bits === 24 ? pcmFrom24Bits(body) : pcmFromBytes(body);
}

/** Stereo becomes the mean of both sides; a last sample without its other side is left out. */
function mono(samples: Int16Array, channels: number): Int16Array {
  if (channels === 1) return samples;
  const target = new Int16Array(samples.length >> 1);
  for (let i = 0; i < target.length; i += 1) {
    target[i] = Math.round(((samples[2 * i] ?? 0) + (samples[2 * i + 1] ?? 0)) / 2);
  }
  return target;
}

/** Three bytes a sample, little-endian, rounded to 16 bits; what is no whole sample at the end is left out. */
function pcmFrom24Bits(bytes: Buffer): Int16Array {
  const samples = new Int16Array(Math.floor(bytes.length / 3));
  for (let i = 0; i < samples.length; i += 1) {
    samples[i] = Math.min(32_767, Math.round(bytes.readIntLE(3 * i, 3) / 256));
  }
  return samples;
}

/** Little-endian bytes to samples; an odd last byte is left out. */
export function pcmFromBytes(bytes: Uint8Array): Int16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Int16Array(bytes.byteLength >> 1);
  for (let i = 0; i < samples.length; i += 1) samples[i] = view.getInt16(2 * i, true);
  return samples;
}

/** Samples to little-endian bytes. */
export function bytesFromPcm(samples: Int16Array): Uint8Array {
  const bytes = new Uint8Array(samples.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < samples.length; i += 1) view.setInt16(2 * i, samples[i] ?? 0, true);
  return bytes;
}

/** A whole 16-bit PCM mono WAV file. */
export function wavBytes(wav: Wav): Uint8Array {
  const data = bytesFromPcm(wav.samples);
  const file = Buffer.alloc(headerBytes + data.length);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(file.length - 8, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(pcmCode, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(wav.rateHz, 24);
  file.writeUInt32LE(wav.rateHz * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(data.length, 40);
  file.set(data, headerBytes);
  return file;
}

export async function writeWav(path: string, wav: Wav): Promise<void> {
  await writeFile(path, wavBytes(wav));
}
