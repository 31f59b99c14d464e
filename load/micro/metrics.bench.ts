import { observationCases } from './observations.js';
import { scrapeCosts } from './scrape.js';
import { timed } from './timing.js';

/** What a scrape may take of the front, and with how much behind it. */
const scene = { calls: 2_000, shards: 8, routes: 10 } as const;
const scrapeBudgetMs = 5;

let isMissed = false;

function verdict(value: number, budget: number | undefined): string {
  if (budget === undefined) return '';
  if (value > budget) isMissed = true;
  return `${value <= budget ? 'holds' : 'MISSED'} (${budget})`;
}

console.log(`An observation, ns, median and best of 15 runs, Node ${process.version}`);
for (const { name, medianNs, bestNs, budgetNs } of timed(observationCases())) {
  const figures = [medianNs, bestNs].map((ns) => ns.toFixed(1).padStart(8)).join('');
  console.log(`  ${name.padEnd(42)}${figures}  ${verdict(medianNs, budgetNs)}`.trimEnd());
}
const { calls, shards, routes } = scene;
console.log(
  `\nA scrape, CPU of the front, ms, with ${calls.toLocaleString('en')} live calls, ${shards} shards, ${routes} routes`,
);
for (const { form, frontMs, bytes } of await scrapeCosts(scene)) {
  const size = `${Math.round(bytes / 1_000)} KB`.padStart(8);
  console.log(
    `  ${form.padEnd(42)}${frontMs.toFixed(2).padStart(8)}${size}  ${verdict(frontMs, scrapeBudgetMs)}`,
  );
}
process.exitCode = isMissed ? 1 : 0;
