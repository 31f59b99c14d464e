import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { MemoryResult } from '../../load/bench/memory.js';
import { cpuMsOf, millisecondsOf, residentBytesOf } from '../../load/bench/process-stat.js';
import { RawStream, textFrame } from '../../load/bench/raw-stream.js';
import { benchText, budgets, median, reportTarget } from '../../load/bench/report.js';
import type { RoundResult } from '../../load/bench/round.js';
import { ServerFrames } from '../../load/bench/server-frames.js';
import { echo, playAudio, startStub } from './stub-gateway.js';

const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n';

function serverFrame(opcode: number, body: Buffer): Buffer {
  const long = body.length > 125;
  const header = Buffer.alloc(long ? 4 : 2);
  header[0] = 0x80 | opcode;
  header[1] = long ? 126 : body.length;
  if (long) header.writeUInt16BE(body.length, 2);
  return Buffer.concat([header, body]);
}

/** Everything that comes out of these pieces, in order. */
function readPieces(pieces: readonly Buffer[]): string[] {
  const seen: string[] = [];
  const frames = new ServerFrames({
    audio: (sampleCount) => seen.push(`audio ${sampleCount}`),
    ping: (payload) => seen.push(`ping ${payload.toString()}`),
    close: () => seen.push('close'),
  });
  for (const piece of pieces) {
    const shared = Buffer.from(piece);
    const line = frames.take(shared);
    // The reader's buffer is used again for the next read.
    shared.fill(0x22);
    if (line !== null) seen.push(line);
  }
  return seen;
}

describe("a server's bytes", () => {
  const message = (bytes: number): Buffer =>
    Buffer.from(JSON.stringify(playAudio(Buffer.alloc(bytes, 7).toString('base64'))));
  const stream = Buffer.concat([
    Buffer.from(head),
    serverFrame(1, message(160)),
    serverFrame(9, Buffer.from('alive')),
    serverFrame(1, message(161)),
    serverFrame(1, Buffer.from('{"event":"clearAudio"}')),
    serverFrame(1, message(162)),
    serverFrame(8, Buffer.from([3, 232])),
  ]);
  const expected = [
    'HTTP/1.1 101 Switching Protocols',
    'audio 160',
    'ping alive',
    'audio 161',
    'audio 162',
    'close',
  ];

  it('mean the same wherever they are cut', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const seen = readPieces([stream.subarray(0, cut), stream.subarray(cut)]);
      // What is complete in the first piece comes before its first line is returned.
      expect(seen.toSorted()).toEqual(expected.toSorted());
    }
  });

  it('mean the same byte by byte', () => {
    const bytes = Array.from(stream, (_, i) => stream.subarray(i, i + 1));
    expect(readPieces(bytes)).toEqual(expected);
  });
});

describe('a bare stream of the generator', () => {
  it('speaks the protocol, counts its echo and says when it came', async () => {
    const gateway = await startStub(echo());
    const turnarounds: number[] = [];
    let replies = 0;
    let closed = 0;
    const stream = new RawStream({
      port: Number(new URL(gateway.url).port),
      onReturn: (sentAtMs, nowMs) => turnarounds.push(nowMs - sentAtMs),
      onReply: () => {
        replies += 1;
      },
      onClose: () => {
        closed += 1;
      },
    });
    await stream.open();
    const payload = Buffer.alloc(160, 0x31).toString('base64');
    for (let i = 0; i < 20; i += 1) {
      stream.sendMedia(Buffer.from(payload), performance.now(), 1_764_000_000_000 + i * 20);
    }
    await expect.poll(() => stream.returned).toBe(20);
    const messages = gateway.streams[0]?.messages ?? [];
    expect(messages.map(({ event }) => event)).toEqual(['start', ...Array(20).fill('media')]);
    const last = messages.at(-1);
    expect(last?.media).toEqual({
      track: 'inbound',
      timestamp: '1764000000380',
      chunk: 1_000_019,
      payload,
    });
    expect(last?.streamId).toBe(messages[0]?.start?.streamId);
    expect(messages.map(({ sequenceNumber }) => sequenceNumber)).toEqual(
      messages.map((_, i) => 999_999 + i),
    );
    expect([stream.sent, replies, closed]).toEqual([20, 20, 0]);
    expect(turnarounds).toHaveLength(20);
    expect(Math.min(...turnarounds)).toBeGreaterThan(0);
    gateway.streams[0]?.socket.close(1000);
    await expect.poll(() => closed).toBe(1);
    await gateway.close();
  });

  it('frames text as a client with a zero mask', () => {
    const frame = textFrame('x'.repeat(300));
    expect([...frame.subarray(0, 9)]).toEqual([0x81, 0xfe, 1, 44, 0, 0, 0, 0, 0x78]);
    expect(() => textFrame('short')).toThrow(RangeError);
  });
});

describe('what is read of a process', () => {
  it('is its CPU time and its resident bytes', () => {
    const { user, system } = process.cpuUsage();
    expect(Math.abs(cpuMsOf(process.pid) - (user + system) / 1_000)).toBeLessThan(300);
    const ratio = residentBytesOf(process.pid) / process.memoryUsage().rss;
    expect(ratio).toBeGreaterThan(0.8);
    expect(ratio).toBeLessThan(1.25);
  });

  it.each([
    ['00:00:07', 7_000],
    ['1:02.50', 62_500],
    ['1-02:03:04', 93_784_000],
  ])('is understood as ps writes it: %s', (text, milliseconds) => {
    expect(millisecondsOf(text)).toBe(milliseconds);
  });
});

function round(target: 'floor' | 'gateway', cpuUsPerMedia: number, p99: number): RoundResult {
  return {
    target,
    calls: 500,
    windowSent: 250_000,
    windowMs: 10_000,
    windowReplies: 249_990,
    lost: 1,
    closed: 0,
    turnaroundMs: { p50: 1, p99, p999: 20, max: 30 },
    quietTurnaroundMs: p99 > 10 ? null : { p50: 1, p99: p99 - 1, p999: 9, max: 9 },
    quietSeconds: p99 > 10 ? 0 : 7,
    serverCpuMs: 1_000,
    lagMs: { p50: 0.5, p99: 1, p999: 2, max: 3 },
    cpuMs: 5_000,
    cpuUsPerMedia,
    othersCores: 0.25,
  };
}

describe('the report', () => {
  const rounds = [
    round('floor', 5, 1),
    round('gateway', 9, 4),
    round('gateway', 30, 12),
    round('gateway', 8, 3),
  ];

  it('takes medians over the rounds, and sums what was lost', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(reportTarget(rounds, 'gateway')).toMatchObject({
      calls: 500,
      mediaPerSecond: 25_000,
      repliesPerSecond: 24_999,
      lost: 3,
      cpuUsPerMedia: 9,
      turnaroundMs: { p50: 1, p99: 4 },
      quietTurnaroundMs: { p99: 2.5 },
      quietSeconds: 14,
      generatorCores: 0.5,
      othersCores: 0.25,
    });
    expect(reportTarget([], 'floor')).toBeNull();
  });

  it('prints figures beside their budgets', () => {
    const memory: MemoryResult = {
      fewCalls: 100,
      manyCalls: 500,
      fewCallsBytes: 80 * 1_024 ** 2,
      manyCallsBytes: 90 * 1_024 ** 2,
      bytesPerCall: 26_214.4,
    };
    const text = benchText({
      machine: { cpu: 'Test CPU', cores: 2, node: 'v20.0.0' },
      rounds: 3,
      seconds: 10,
      floor: reportTarget(rounds, 'floor'),
      gateway: reportTarget(rounds, 'gateway'),
      cpuRatio: 2.25,
      memory,
      budgets,
    });
    expect(text).toMatch(/Test CPU, 2 cores, Node v20.0.0/);
    expect(text).toMatch(/server CPU, µs\/media +5.00 +9.00/);
    expect(text).toMatch(/2.25 × the floor \(≤ 2.0: ABOVE\)/);
    expect(text).toMatch(/turnaround p99: 2.50 ms in 14 quiet seconds \(≤ 10: within\)/);
    expect(text).toMatch(/resident per call: 25.6 KB \(≤ 25: ABOVE; 100 → 500 calls, 80.0 → 90.0/);
    expect(text).not.toMatch(/held up/);
  });
});

const builtBench = fileURLToPath(new URL('../../dist/load/bench.js', import.meta.url));
const builtGateway = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));

/** Command lines of the processes that this one has started out of `dist`. */
function childrenOfOurs(): string[] {
  const table = execFileSync('ps', ['-A', '-o', 'ppid=,args='], { encoding: 'utf8' });
  const isOurs = (line: string): boolean =>
    line.trim().startsWith(`${process.pid} `) && line.includes('/dist/');
  return table.split('\n').filter(isOurs);
}

describe.skipIf(!existsSync(builtBench) || !existsSync(builtGateway))('the built bench', () => {
  it('measures floor and gateway and leaves no process behind', async () => {
    const built: typeof import('../../load/bench.js') = await import(
      pathToFileURL(builtBench).href
    );
    const listeners = process.listenerCount('SIGINT');
    const during: string[] = [];
    const report = await built.bench({
      onProgress: () => setTimeout(() => during.push(...childrenOfOurs()), 800),
      calls: 4,
      seconds: 1,
      rounds: 1,
      warmUpSeconds: 0,
      memory: false,
    });
    expect(report.floor).toMatchObject({ calls: 4, lost: 0, closed: 0 });
    expect(report.gateway).toMatchObject({ calls: 4, lost: 0, closed: 0 });
    expect(report.gateway?.repliesPerSecond).toBeGreaterThan(100);
    expect(report.cpuRatio).toBeGreaterThan(0);
    expect(during.some((line) => line.includes('floor.js'))).toBe(true);
    expect(childrenOfOurs()).toEqual([]);
    expect(process.listenerCount('SIGINT')).toBe(listeners);
  });
});
