import { Command } from 'commander';
import { wholeNumber } from '../flags.js';
import { type Death, deaths, killWorkers } from './deaths.js';

/** What callers may notice: the silence until another worker has the call, p99, ms. */
const targets: Readonly<Record<Death, number>> = { exits: 300, hangs: 1_300 };

const command = new Command('fault:worker')
  .description('kill the worker of many calls again and again, and tell what their callers heard')
  .option('--calls <n>', 'calls on the worker', wholeNumber(1, 5_000), 500)
  .option('--deaths <n>', 'how often it dies in each way', wholeNumber(1, 100), 10)
  .parse();
const { calls, deaths: times } = command.opts<{ calls: number; deaths: number }>();

const cell = (text: string | number) => String(text).padStart(9);
let isKept = true;
process.stdout.write(
  `${'the worker'.padEnd(12)}${['calls', 'kept', 'gap p50', 'p99', 'max'].map(cell).join('')}\n`,
);
for (const death of Object.keys(deaths) as Death[]) {
  const all: number[] = [];
  const row = Array.from({ length: times }, () => death);
  await killWorkers({ calls, deaths: row }, ({ kept, gapMs, calls: had }) => {
    const ms = [gapMs.p50, gapMs.p99, gapMs.max].map((value) => cell(`${value.toFixed(0)} ms`));
    process.stdout.write(`${death.padEnd(12)}${cell(had)}${cell(kept)}${ms.join('')}\n`);
    isKept &&= kept === had;
    all.push(gapMs.p99);
  });
  const worst = Math.max(...all);
  const verdict = worst <= targets[death] ? 'holds' : 'MISSED';
  process.stdout.write(
    `${death}: worst p99 ${worst.toFixed(0)} ms, ${verdict} (${targets[death]})\n`,
  );
}
process.stdout.write(isKept ? 'every call was kept\n' : 'CALLS WERE LOST\n');
process.exitCode = isKept ? 0 : 1;
