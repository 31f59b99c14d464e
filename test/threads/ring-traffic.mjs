// One side of two rings between threads: sends its records and checks every byte of the other side's.
// Runs as a worker on the compiled code, and is imported by the test for the other side.
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Doorbell, Waiter } from '../../dist/src/shard/doorbell.js';
import { RingReader, RingWriter } from '../../dist/src/shard/ring.js';

const stalledMs = 5_000;

/** Repeatable numbers: the same on both sides for the same seed. */
function numbers(seed) {
  let state = seed | 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) % below;
  };
}

function bodyByte(record, at) {
  return (Math.imul(record, 0x9e37) + at * 13 + (record >> 7)) & 0xff;
}

/** Sends all records of one direction in bursts, with idle pauses in which everything must arrive. */
export async function produce(memory, { place, rungWord, port, records, bodyMax, seed }) {
  const views = { bytes: new Uint8Array(memory), words: new Int32Array(memory) };
  const writer = new RingWriter(views, place);
  const bell = new Doorbell(views.words, rungWord, port);
  const sizes = numbers(seed);
  const pauses = numbers(seed + 1);
  const stats = { fullTimes: 0, pauses: 0 };
  const body = new Uint8Array(bodyMax);
  const shout = () => {
    if (writer.publish()) bell.ring();
  };
  for (let record = 0; record < records; record += 1) {
    const bytes = sizes(bodyMax + 1);
    for (let i = 0; i < bytes; i += 1) body[i] = bodyByte(record, i);
    while (!writer.push(2, record, ~record, body.subarray(0, bytes), record * 3, pauses(2) === 0)) {
      stats.fullTimes += 1;
      shout();
      await new Promise(setImmediate);
    }
    if (pauses(16) === 0) shout();
    if (pauses(2_000) === 0) {
      stats.pauses += 1;
      shout();
      await emptied(views.words, place, record);
      if (pauses(2) === 0) await later(pauses(4));
    }
  }
  shout();
  await emptied(views.words, place, records);
  return stats;
}

/** Nobody rings again: if the consumer missed the last ring, this never comes true. */
async function emptied(words, { readWord, writeWord }, record) {
  const untilMs = performance.now() + stalledMs;
  while (Atomics.load(words, readWord) !== Atomics.load(words, writeWord)) {
    if (performance.now() > untilMs) throw new Error(`lost wake-up near record ${record}`);
    await new Promise(setImmediate);
  }
}

/** Takes all records of one direction and checks them. */
export function consume(memory, { place, rungWord, port, records, bodyMax, seed }) {
  const views = { bytes: new Uint8Array(memory), words: new Int32Array(memory) };
  const reader = new RingReader(views, place);
  const sizes = numbers(seed);
  let record = 0;
  let looks = 0;
  const check = () => {
    const bytes = sizes(bodyMax + 1);
    const header = [reader.kind, reader.slot, reader.generation, reader.bytes, reader.stampUs];
    if (header.join() !== [2, record, ~record, bytes, record * 3].join()) {
      throw new Error(`header of record ${record} is ${header.join()}`);
    }
    for (let i = 0; i < bytes; i += 1) {
      if (views.bytes[reader.at + i] !== bodyByte(record, i)) {
        throw new Error(`byte ${i} of record ${record} is wrong`);
      }
    }
    record += 1;
  };
  return new Promise((resolve, reject) => {
    const look = () => {
      looks += 1;
      let seen = 0;
      try {
        while (reader.next()) {
          check();
          seen += 1;
        }
      } catch (thrown) {
        waiter.stop();
        reject(thrown);
      }
      reader.release();
      if (record === records) {
        waiter.stop();
        resolve({ looks });
      }
      return seen;
    };
    const bell = new Doorbell(views.words, rungWord, port);
    const waiter = new Waiter(bell, port, look, () => reader.waiting);
    waiter.look();
  });
}

function later(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (!isMainThread && workerData?.ringTraffic) {
  const { memory, toWorker, toMain, port } = workerData.ringTraffic;
  const [sent, taken] = await Promise.all([
    produce(memory, { ...toMain, port }),
    consume(memory, { ...toWorker, port }),
  ]);
  parentPort.postMessage({ sent, taken });
  port.close();
}
