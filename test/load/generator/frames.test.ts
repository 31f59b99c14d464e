import { describe, expect, it } from 'vitest';
import { closeFrame, MediaFrames, textFrame } from '../../../load/generator/frames.js';
import { ServerFrames } from '../../../load/generator/server-frames.js';
import { silencePayload, streamFormats } from '../../../load/stream-format.js';

const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n';

function serverFrame(opcode: number, body: Buffer, isLast = true): Buffer {
  const long = body.length > 125;
  const header = Buffer.alloc(long ? 4 : 2);
  header[0] = (isLast ? 0x80 : 0) | opcode;
  header[1] = long ? 126 : body.length;
  if (long) header.writeUInt16BE(body.length, 2);
  return Buffer.concat([header, body]);
}

function playAudio(bytes: number, value = 7): Buffer {
  const payload = Buffer.alloc(bytes, value).toString('base64');
  const media = { contentType: 'audio/x-mulaw', sampleRate: 8_000, payload };
  return Buffer.from(JSON.stringify({ event: 'playAudio', media }));
}

/** Everything that comes out of these pieces, in order. */
function readPieces(pieces: readonly Buffer[]): string[] {
  const seen: string[] = [];
  const frames = new ServerFrames({
    upgraded: (line) => {
      seen.push(line.split('\r\n')[0] ?? '');
      return true;
    },
    audio: (count, buffer, from, until) => {
      const bytes = Buffer.from(buffer.toString('latin1', from, until), 'base64');
      expect(bytes).toHaveLength(count);
      seen.push(`audio ${count} of ${bytes[0]}`);
    },
    text: (text) => seen.push((JSON.parse(text) as { event: string }).event),
    binary: (count) => seen.push(`binary ${count}`),
    ping: (payload) => seen.push(`ping ${payload.toString()}`),
    close: (code) => seen.push(`close ${code}`),
    broke: (detail) => seen.push(`broke: ${detail}`),
  });
  for (const piece of pieces) {
    const shared = Buffer.concat([piece, Buffer.alloc(50, 0x22)]);
    frames.take(shared, piece.length);
    // The reader's buffer is used again for the next read.
    shared.fill(0x22);
  }
  return seen;
}

describe("a server's bytes", () => {
  const split = playAudio(163, 9);
  const stream = Buffer.concat([
    Buffer.from(head),
    serverFrame(1, playAudio(160)),
    serverFrame(9, Buffer.from('alive')),
    serverFrame(1, playAudio(161)),
    serverFrame(1, Buffer.from('{"event":"clearAudio"}')),
    serverFrame(1, playAudio(162)),
    serverFrame(2, Buffer.from([1, 2, 3])),
    serverFrame(1, split.subarray(0, 100), false),
    serverFrame(0, split.subarray(100)),
    serverFrame(8, Buffer.from([3, 232])),
  ]);
  const expected = [
    ...['HTTP/1.1 101 Switching Protocols', 'audio 160 of 7', 'playAudio', 'ping alive'],
    ...['audio 161 of 7', 'playAudio', 'clearAudio', 'audio 162 of 7', 'playAudio', 'binary 3'],
    ...['audio 163 of 9', 'close 1000'],
  ];

  it('mean the same wherever they are cut', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const pieces = [stream.subarray(0, cut), stream.subarray(cut)];
      expect(readPieces(pieces)).toEqual(expected);
    }
  });

  it('mean the same byte by byte', () => {
    expect(readPieces(Array.from(stream, (_, i) => stream.subarray(i, i + 1)))).toEqual(expected);
  });

  it('are read from the right place although messages of one length differ in layout', () => {
    const payload = Buffer.alloc(30, 5).toString('base64');
    const early = `{"media":{"payload":"${payload}","sampleRate":8000},"event":"playAudio"}`;
    const late = `{"event":"playAudio","media":{"sampleRate":8000,"payload":"${payload}"}}`;
    expect(early).toHaveLength(late.length);
    const messages = [early, late, early, early, late].map((text) =>
      serverFrame(1, Buffer.from(text)),
    );
    const seen = readPieces([Buffer.from(head), ...messages]);
    expect(seen.filter((one) => one === 'audio 30 of 5')).toHaveLength(5);
  });

  it.each([
    ['a masked frame', Buffer.from([0x81, 0x80, 0, 0, 0, 0])],
    ['a reserved bit', Buffer.from([0xc1, 0])],
    ['an unknown opcode', Buffer.from([0x83, 0])],
  ])('are given up on at %s', (_, bytes) => {
    const seen = readPieces([Buffer.from(head), bytes, serverFrame(1, playAudio(160))]);
    expect(seen).toHaveLength(2);
    expect(seen[1]).toMatch(/^broke: /);
  });
});

describe('a frame to the server', () => {
  const format = streamFormats.mulaw8;
  const id = Buffer.from('b4d0a9de-52f7-4e7c-8f1e-1c7a5d2e9b02');
  const other = Buffer.from('00000000-52f7-4e7c-8f1e-1c7a5d2e9b02');
  const payload = Buffer.from(Buffer.alloc(160, 0x31).toString('base64'));

  it('is masked text with a mask of zero, in each of the three lengths', () => {
    expect([...textFrame('hi')]).toEqual([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]);
    expect([...textFrame('x'.repeat(300)).subarray(0, 9)]).toEqual([
      ...[0x81, 0xfe, 1, 44, 0, 0, 0, 0, 0x78],
    ]);
    expect([...textFrame('x'.repeat(70_000)).subarray(0, 10)]).toEqual([
      ...[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x70],
    ]);
    expect([...closeFrame(1000)]).toEqual([0x88, 0x82, 0, 0, 0, 0, 3, 0xe8]);
  });

  it('is a media message with whatever numbers, of streams in turns', () => {
    const frames = new MediaFrames(format, 'a=b');
    const numbers = [1, 9, 10, 11, 99, 100, 101, 4_321, 99_999, 100_000, 7, 1_234_567];
    for (const [i, sequenceNumber] of numbers.entries()) {
      const chunk = i + 8;
      const unixMs = 1_764_000_000_000 + Math.floor(i / 2) * 20 + 0.25;
      const streamId = i % 2 === 0 ? id : other;
      const frame = frames.fill(streamId, sequenceNumber, chunk, unixMs, payload);
      const headerBytes = 8;
      expect(frame.readUInt16BE(2)).toBe(frame.length - headerBytes);
      expect(JSON.parse(frame.toString('utf8', headerBytes))).toEqual({
        event: 'media',
        sequenceNumber,
        streamId: streamId.toString(),
        media: {
          track: 'inbound',
          timestamp: String(Math.floor(unixMs)),
          chunk,
          payload: payload.toString(),
        },
        extra_headers: 'a=b',
      });
    }
  });

  it('begins with the silence of its format', () => {
    const frames = new MediaFrames(streamFormats['l16-16'], '');
    const silence = Buffer.from(silencePayload(streamFormats['l16-16']));
    const text = frames.fill(id, 1, 1, 1_764_000_000_000, silence).toString('utf8', 8);
    const { media } = JSON.parse(text) as { media: { payload: string } };
    expect(Buffer.from(media.payload, 'base64')).toEqual(Buffer.alloc(640));
  });
});
