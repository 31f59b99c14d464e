import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { consume, type Direction, produce } from './ring-traffic.mjs';

interface Traffic {
  readonly ringBytes: number;
  readonly records: number;
  readonly bodyMax: number;
  readonly startIndex: number;
  readonly seed: number;
}

const wordsBytes = 4_096;

/** Two rings of one size in one memory, a producer and a consumer on each of two threads. */
async function run({ ringBytes, records, bodyMax, startIndex, seed }: Traffic) {
  const memory = new SharedArrayBuffer(wordsBytes + 2 * ringBytes);
  const direction = (index: number): Direction => {
    const [writeWord, readWord, rungWord] = [0, 32, 64].map((word) => word + 128 * index);
    const words = new Int32Array(memory);
    words[writeWord!] = startIndex | 0;
    words[readWord!] = startIndex | 0;
    return {
      place: {
        at: wordsBytes + index * ringBytes,
        bytes: ringBytes,
        writeWord: writeWord!,
        readWord: readWord!,
      },
      rungWord: rungWord!,
      records,
      bodyMax,
      seed: seed + index,
    };
  };
  const { port1: port, port2: workerPort } = new MessageChannel();
  const [toWorker, toMain] = [direction(0), direction(1)];
  const worker = new Worker(new URL('./ring-traffic.mjs', import.meta.url), {
    workerData: { ringTraffic: { memory, toWorker, toMain, port: workerPort } },
    transferList: [workerPort],
  });
  try {
    const failed = once(worker, 'error').then(([thrown]) => Promise.reject(thrown));
    const answer = once(worker, 'message').then(([message]) => message);
    const here = Promise.all([
      produce(memory, { ...toWorker, port }),
      consume(memory, { ...toMain, port }),
    ]);
    const [[sent, taken], there] = await Promise.race([Promise.all([here, answer]), failed]);
    return { sent, taken, there } as {
      sent: { fullTimes: number; pauses: number };
      taken: { looks: number };
      there: { sent: { fullTimes: number; pauses: number }; taken: { looks: number } };
    };
  } finally {
    port.close();
    await worker.terminate();
  }
}

const traffic: Traffic = {
  ringBytes: 16_384,
  records: 100_000,
  bodyMax: 200,
  startIndex: 2 ** 32 - 100_000,
  seed: 4_711,
};

describe('two threads with a ring each way', () => {
  it('pass every byte of every record, looking once a millisecond in dense traffic', async () => {
    const { sent, there } = await run(traffic);
    for (const { fullTimes, pauses } of [sent, there.sent]) {
      expect(fullTimes).toBeGreaterThan(0);
      expect(pauses).toBeGreaterThan(10);
    }
  }, 60_000);

  it('lose no wake-up after pauses, when a look is due to the bell alone', async () => {
    const { sent, there } = await run({ ...traffic, seed: 815 });
    expect(sent.pauses + there.sent.pauses).toBeGreaterThan(20);
  }, 60_000);

  it('pass records that fill half of a ring, which pads at every turn', async () => {
    const large = { ...traffic, ringBytes: 1_024, bodyMax: 400, records: 3_000, seed: 42 };
    const { sent, there } = await run(large);
    expect(sent.fullTimes + there.sent.fullTimes).toBeGreaterThan(0);
  }, 60_000);
});
