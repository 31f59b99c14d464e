import { pathToFileURL } from 'node:url';
import { heapUse } from './heap.js';
import { libraryCases } from './library.js';
import { others } from './others.js';
import { partCases } from './parts.js';
import { bothWays, pathCases } from './paths.js';
import { frameMs } from './sound.js';
import { type Case, type Timing, timed } from './timing.js';

/** Pipecat's serializer (all C underneath) at 16 kHz: measured elsewhere, on this kind of machine. */
const pipecat = [
  { name: 'Pipecat, deserialize (elsewhere)', medianNs: 7_900, bestNs: 7_900, budgetNs: undefined },
  { name: 'Pipecat, serialize (elsewhere)', medianNs: 8_700, bestNs: 8_700, budgetNs: undefined },
] as const;

/** Prints what one frame costs in the codec, beside the budgets, and what others need for it. */
export async function main(): Promise<void> {
  console.log(`ns per ${frameMs} ms frame, Node ${process.version}; budgets in the last column`);
  const paths = timed(pathCases());
  print('A shard, shared memory to shared memory', paths);
  print('Its parts', timed(partCases()));
  const at16 = libraryCases(16_000);
  const at24 = libraryCases(24_000);
  print('PlivoFrameSerializer', timed([...at16, ...at24]));
  await compare(paths);
  const { frames, beforeBytes, afterBytes, allocatedBytes } = heapUse(bothWays());
  console.log(`\nHeap, ${frames.toLocaleString('en')} frames in and as many out, 16 kHz`);
  console.log(`  in use before ${beforeBytes} bytes, after ${afterBytes}`);
  console.log(`  allocated in between ${(allocatedBytes / frames).toFixed(2)} bytes per frame`);
}

/** Ours and others' by turns in the same seconds; the factor is that of the medians. */
async function compare(paths: readonly Timing[]): Promise<void> {
  const found = await others();
  const [mediaIn, playOut] = pathCases();
  const [upwards, , , downwards] = partCases().filter(({ name }) => name.endsWith(' Hz'));
  const [fromText, , toText] = libraryCases(16_000);
  const [deserialized, serialized] = pipecat;
  console.log('\nBeside others: the factor is over the first row');
  against('media to PCM16 at 16 kHz', [mediaIn!, fromText, ...found.inwards], deserialized);
  against('PCM16 at 16 kHz to playAudio', [playOut!, toText, ...found.outwards], serialized);
  against('8 to 16 kHz alone', [upwards!, ...found.up]);
  against('24 to 8 kHz alone', [downwards!, ...found.down]);
  for (const name of found.absent) console.log(`  ${name} is not installed`);
  const over = paths.filter(({ budgetNs, medianNs }) => medianNs > (budgetNs ?? Infinity));
  for (const { name } of over) console.log(`  over its budget: ${name}`);
}

function against(title: string, cases: readonly Case[], ...known: readonly Timing[]): void {
  const timings = [...timed(cases), ...known];
  print(title, timings, timings[0]!.medianNs);
}

function print(title: string, timings: readonly Timing[], unitNs?: number): void {
  console.log(`\n${line(title, 'median', 'best', unitNs === undefined ? 'budget' : 'factor')}`);
  for (const { name, medianNs, bestNs, budgetNs } of timings) {
    const last = unitNs === undefined ? budgetNs?.toString() : (medianNs / unitNs).toFixed(1);
    console.log(line(`  ${name}`, medianNs.toFixed(0), bestNs.toFixed(0), last ?? '-'));
  }
}

function line(name: string, ...figures: readonly string[]): string {
  return name.padEnd(42) + figures.map((figure) => figure.padStart(9)).join('');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main();
}
