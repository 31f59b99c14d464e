import { randomUUID } from 'node:crypto';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { afterEach, describe, expect, it } from 'vitest';
import { Generator } from '../../../load/generator/generator.js';
import type {
  CallResult,
  Dial,
  DistributionName,
  GeneratorInterval,
  GeneratorNotice,
  GeneratorOptions,
} from '../../../load/generator/messages.js';
import type { ScenarioName } from '../../../load/generator/scenarios.js';
import { prepareSpeech, streamFormats } from '../../../load/stream-format.js';
import { testSignal } from '../../../load/test-signal.js';
import {
  echo,
  playAudio,
  type StubBehaviour,
  type StubGateway,
  startStub,
} from '../stub-gateway.js';

const { payloads } = prepareSpeech(testSignal(8_000), streamFormats.mulaw8);
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A generator in this very thread, so that a test can stall it. */
class Bench {
  readonly results: CallResult[] = [];
  readonly intervals: GeneratorInterval[] = [];
  readonly streamIds: string[] = [];
  readonly generator: Generator;
  readonly stub: StubGateway;

  private constructor(stub: StubGateway) {
    this.stub = stub;
    const options: GeneratorOptions = {
      ...{ format: 'mulaw8', payloads, insecure: false, isEcho: true, seed: 1 },
      authToken: undefined,
    };
    this.generator = new Generator(options, (notice) => this.#take(notice));
    closers.push(() => this.generator.take({ type: 'stop' }));
  }

  static async open(behaviour: StubBehaviour = echo()): Promise<Bench> {
    const stub = await startStub(behaviour);
    closers.push(() => stub.close());
    return new Bench(stub);
  }

  dial(scenario: ScenarioName = 'conversation', more: Partial<Dial> = {}): string {
    const callId = randomUUID();
    const usual = { accountId: 'MATEST', extraHeaders: '', retries: 0, url: this.stub.url };
    this.generator.take({ type: 'dial', dials: [{ callId, scenario, ...usual, ...more }] });
    return callId;
  }

  /** Of everything that has been reported. */
  worst(name: DistributionName): number {
    const values = this.intervals.map(({ histograms }) => {
      const encoded = histograms[name];
      return encoded === '' ? 0 : decodeFromCompressedBase64(encoded).maxValue / 1_000;
    });
    return Math.max(0, ...values);
  }

  count(name: keyof GeneratorInterval['counters']): number {
    return this.intervals.reduce((sum, { counters }) => sum + counters[name], 0);
  }

  async ended(calls = 1): Promise<CallResult[]> {
    await expect.poll(() => this.results.length, { timeout: 15_000 }).toBe(calls);
    this.generator.take({ type: 'stop' });
    return this.results;
  }

  #take(notice: GeneratorNotice): void {
    if (notice.type === 'over') this.results.push(notice.result);
    if (notice.type === 'interval') this.intervals.push(notice);
    if (notice.type === 'started') this.streamIds.push(notice.streamId);
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('a simulated call', () => {
  it('says what Plivo says, 50 times a second, and hangs up at its time', async () => {
    const bench = await Bench.open();
    const callId = bench.dial('conversation', { lengthMs: 1_000, extraHeaders: 'a=b' });
    const [result] = await bench.ended();
    expect(result).toMatchObject({ callId, end: 'completed', isExpected: true, lost: 0 });
    expect(result?.sent).toBeGreaterThanOrEqual(48);
    expect(result?.sent).toBeLessThanOrEqual(51);
    const [stream] = bench.stub.streams;
    const messages = stream?.messages ?? [];
    expect(messages[0]).toMatchObject({ event: 'start', start: { callId }, extra_headers: 'a=b' });
    expect(bench.streamIds).toEqual([messages[0]?.start?.streamId]);
    const numbers = messages.map(({ sequenceNumber }) => sequenceNumber);
    expect(numbers).toEqual(messages.map((_, i) => i + 1));
    expect(messages[1]).toMatchObject({ event: 'media', media: { chunk: 1 } });
    const times = messages.slice(1).map(({ media }) => Number(media?.timestamp));
    expect(times.slice(1).every((time, i) => Math.abs(time - (times[i] ?? 0) - 20) <= 1)).toBe(
      true,
    );
    expect(bench.count('returned')).toBe(result?.sent);
  });

  it('is hung up by REST', async () => {
    const bench = await Bench.open();
    const callId = bench.dial();
    await sleep(300);
    bench.generator.take({ type: 'hangUp', callId });
    expect(await bench.ended()).toMatchObject([{ end: 'hung-up', lost: 0 }]);
  });

  it('counts as lost what does not come back', async () => {
    let seen = 0;
    const bench = await Bench.open({
      message: (stream, { media }) => {
        if (media === undefined) return;
        seen += 1;
        if (seen % 10 !== 0) stream.send(playAudio(media.payload));
      },
    });
    bench.dial('conversation', { lengthMs: 1_000 });
    const [result] = await bench.ended();
    expect(result?.lost).toBe(Math.floor((result?.sent ?? 0) / 10));
  });

  it('plays out, answers checkpoints when they are reached, and clears', async () => {
    const second = Buffer.alloc(8_000, 0x31).toString('base64');
    let startedMs = 0;
    let playedMs = 0;
    const bench = await Bench.open({
      message: (stream, { event, start, name }) => {
        const { streamId } = stream;
        if (start !== undefined) {
          startedMs = performance.now();
          stream.send(playAudio(second));
          stream.send({ event: 'checkpoint', streamId, name: 'done' });
          stream.send({ event: 'checkpoint', streamId, name: 'done' });
        }
        // The scenario also tells of checkpoints that nobody asked for.
        if (event !== 'playedStream' || name !== 'done') return;
        playedMs = performance.now() - startedMs;
        stream.send(playAudio(second));
        stream.send({ event: 'clearAudio', streamId });
      },
    });
    bench.dial('checkpoints', { lengthMs: 2_000 });
    await bench.ended();
    expect(playedMs).toBeGreaterThan(1_000);
    expect(playedMs).toBeLessThan(1_500);
    const events = bench.stub.streams[0]?.messages.map(({ event }) => event) ?? [];
    expect(events).toContain('clearedAudio');
    expect(bench.count('clearedMs')).toBeGreaterThan(900);
    // The second checkpoint of the same name was one too many.
    expect(bench.count('violations')).toBe(1);
  });

  it('comes back as a new stream of the same call after its connection broke', async () => {
    const bench = await Bench.open();
    bench.dial('abrupt-drop', { lengthMs: 9_500 });
    expect(await bench.ended()).toMatchObject([{ end: 'completed', lost: 0, isExpected: true }]);
    const starts = bench.stub.streams.map(({ messages }) => messages[0]?.start);
    expect(starts.length).toBeGreaterThan(1);
    expect(new Set(starts.map((start) => start?.callId)).size).toBe(1);
    expect(new Set(starts.map((start) => start?.streamId)).size).toBe(starts.length);
  });

  it('tries a failed connect again as often as Plivo does', async () => {
    const bench = await Bench.open();
    await bench.stub.close();
    bench.dial('conversation', { retries: 2 });
    const beganMs = performance.now();
    const [result] = await bench.ended();
    expect(result).toMatchObject({ end: 'connect-failed', isExpected: false });
    expect(result?.detail).toMatch(/^refused\n/);
    expect(performance.now() - beganMs).toBeGreaterThan(900);
  });
});

describe('the honesty of the figures', () => {
  it('shows a stall of the server', async () => {
    let count = 0;
    const bench = await Bench.open({
      message: (stream, { media }) => {
        count += 1;
        const answer = () => media !== undefined && stream.send(playAudio(media.payload));
        // From packet 20 to 25 the server is silent for 120 ms, then answers all.
        if (count >= 20 && count < 26) setTimeout(answer, (26 - count) * 20);
        else answer();
      },
    });
    bench.dial('conversation', { lengthMs: 1_200 });
    const [result] = await bench.ended();
    expect(result?.lost).toBe(0);
    expect(bench.worst('turnaround')).toBeGreaterThan(100);
    expect(bench.worst('lag')).toBeLessThan(100);
    expect(bench.count('late')).toBeGreaterThan(0);
  });

  it('shows a stall of the generator as its lag, and as turnaround too', async () => {
    const bench = await Bench.open();
    bench.dial('conversation', { lengthMs: 1_500 });
    await sleep(700);
    block(150);
    const [result] = await bench.ended();
    // Late rather than never: what was due is sent, and is due when it was due.
    expect(result?.sent).toBeGreaterThanOrEqual(73);
    expect(bench.worst('lag')).toBeGreaterThan(120);
    expect(bench.worst('turnaround')).toBeGreaterThan(120);
    expect(bench.count('late')).toBeGreaterThan(0);
  });

  it('does not take jitter that it plays itself for lateness', async () => {
    const bench = await Bench.open();
    bench.dial('jitter', { lengthMs: 6_000 });
    const [result] = await bench.ended();
    expect(result).toMatchObject({ end: 'completed', lost: 0 });
    expect(bench.worst('turnaround')).toBeLessThan(100);
    expect(bench.count('gaps')).toBeGreaterThan(0);
  });
});
