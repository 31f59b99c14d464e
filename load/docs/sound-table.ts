import { readFile, writeFile } from 'node:fs/promises';
import { argv, stdout } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { audioRates } from '../../src/limits.js';
import { measurePair, type PairFigures, type RatePair, SineBench } from './measure.js';

/** Measures every pair with 8 or 16 kHz and puts the table into `docs/codec.md`, between its marks. */

const begin = '<!-- measured: npm run docs -->\n';
const end = '<!-- end of measured -->\n';
/** Telephony's rates: one side of each pair is one of them. */
const telephoneRateMax = 16_000;

export const pairs: readonly RatePair[] = audioRates.flatMap((sourceRate) =>
  audioRates
    .filter((targetRate) => targetRate !== sourceRate)
    .filter((targetRate) => Math.min(sourceRate, targetRate) <= telephoneRateMax)
    .map((targetRate) => ({ sourceRate, targetRate })),
);

const heading = [
  '| kHz | delay ms | delay in samples out | pass band ± dB | stop band dB | images, aliases dB | SNR 1 kHz dB | SNR 997 Hz dB | state bytes | filter bytes |',
  '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
];

export function measuredTable(): string {
  const bench = new SineBench();
  return `${[...heading, ...pairs.map((pair) => row(measurePair(bench, pair)))].join('\n')}\n`;
}

function row(figures: PairFigures): string {
  const cells = [
    `${figures.sourceRate / 1_000} → ${figures.targetRate / 1_000}`,
    figures.delayMs.toFixed(3),
    String(Math.round(figures.delaySamples * 1_000) / 1_000),
    figures.rippleDb.toFixed(4),
    signed(figures.stopBandDb),
    signed(figures.imageDb),
    figures.snrDb.toFixed(1),
    figures.oddSnrDb.toFixed(1),
    String(figures.stateBytes),
    String(figures.filterBytes),
  ];
  return `| ${cells.join(' | ')} |`;
}

function signed(db: number): string {
  return db.toFixed(1).replace('-', '−');
}

/** The page with another table between its marks. */
export function withTable(page: string, table: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`no lines ${begin.trim()} and ${end.trim()}`);
  return page.slice(0, from + begin.length) + table + page.slice(to);
}

export async function main(): Promise<void> {
  const path = fileURLToPath(new URL('../../../docs/codec.md', import.meta.url));
  await writeFile(path, withTable(await readFile(path, 'utf8'), measuredTable()));
  stdout.write(`${path}\n`);
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) await main();
