/**
 * Pipecat's frames on the wire: protobuf, one frame to a message (`pipecat/frames/frames.proto`). Four kinds matter to a
 * telephone call; unknown fields are passed over, as the format asks for.
 */

export type PipecatFrame =
  | {
      readonly kind: 'audio';
      /** A view into the message. */
      readonly audio: Uint8Array;
      readonly sampleRate: number;
      readonly numChannels: number;
    }
  | { readonly kind: 'message'; readonly data: string }
  | { readonly kind: 'interruption' }
  /** Text and transcriptions, and what later versions may add: nothing to do. */
  | { readonly kind: 'other' };

const field = { audio: 2, message: 4, interruption: 5 } as const;
const audioField = { audio: 3, sampleRate: 4, numChannels: 5 } as const;
const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

interface Field {
  readonly number: number;
  /** Of a varint. */
  readonly value: number;
  /** Of a length-delimited field. */
  readonly bytes: Uint8Array;
}

const nothing = new Uint8Array(0);

/** @throws RangeError if these bytes are no protobuf */
function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at];
      if (byte === undefined) throw new RangeError('cut');
      at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number without an end');
  };
  const piece = (count: number): Uint8Array => {
    if (at + count > bytes.length) throw new RangeError('cut');
    at += count;
    return bytes.subarray(at - count, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const type = tag % 8;
    if (number === 0) throw new RangeError('field 0');
    if (type === wire.varint) yield { number, value: varint(), bytes: nothing };
    else if (type === wire.bytes) yield { number, value: 0, bytes: piece(varint()) };
    else if (type === wire.fixed64) piece(8);
    else if (type === wire.fixed32) piece(4);
    else throw new RangeError(`wire type ${type}`);
  }
}

/** The frame of a message; undefined if it is none. */
export function readFrame(message: Uint8Array): PipecatFrame | undefined {
  try {
    let frame: PipecatFrame | undefined;
    for (const { number, bytes } of fieldsOf(message)) {
      if (number === field.audio) frame = readAudio(bytes);
      else if (number === field.message) frame = readText(bytes);
      else if (number === field.interruption) frame = { kind: 'interruption' };
      else frame = { kind: 'other' };
    }
    return frame;
  } catch (thrown) {
    if (thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}

function readAudio(bytes: Uint8Array): PipecatFrame {
  let audio: Uint8Array = nothing;
  let sampleRate = 0;
  let numChannels = 0;
  for (const { number, value, bytes: piece } of fieldsOf(bytes)) {
    if (number === audioField.audio) audio = piece;
    else if (number === audioField.sampleRate) sampleRate = value;
    else if (number === audioField.numChannels) numChannels = value;
  }
  return { kind: 'audio', audio, sampleRate, numChannels };
}

function readText(bytes: Uint8Array): PipecatFrame {
  let data = '';
  for (const { number, bytes: piece } of fieldsOf(bytes)) {
    if (number === 1) data = Buffer.from(piece).toString('utf8');
  }
  return { kind: 'message', data };
}

function varintOf(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  bytes.push(rest);
  return bytes;
}

const tag = (number: number, type: number): number => number * 8 + type;

export function messageFrame(data: string): Buffer {
  const text = Buffer.from(data, 'utf8');
  const inner = Buffer.concat([Buffer.from([tag(1, wire.bytes), ...varintOf(text.length)]), text]);
  return Buffer.concat([
    Buffer.from([tag(field.message, wire.bytes), ...varintOf(inner.length)]),
    inner,
  ]);
}

/** An audio frame of mono PCM16 with room for the samples, which begin at `audioAt`; all else is constant. */
export function audioFrame(
  pcmBytes: number,
  sampleRate: number,
): { readonly frame: Buffer; readonly audioAt: number } {
  const head = [tag(audioField.audio, wire.bytes), ...varintOf(pcmBytes)];
  const tail = [
    ...[tag(audioField.sampleRate, wire.varint), ...varintOf(sampleRate)],
    ...[tag(audioField.numChannels, wire.varint), 1],
  ];
  const innerBytes = head.length + pcmBytes + tail.length;
  const before = [tag(field.audio, wire.bytes), ...varintOf(innerBytes), ...head];
  const frame = Buffer.concat([Buffer.from(before), Buffer.alloc(pcmBytes), Buffer.from(tail)]);
  return { frame, audioAt: before.length };
}
