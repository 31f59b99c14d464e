import { Command } from 'commander';
import { errorText } from '../../src/errors.js';
import { runScene, type SceneResult, scenes } from './scenes.js';

const columns = [
  ['intents', (result: SceneResult) => result.intents],
  ['confirmed', (result: SceneResult) => result.confirmed],
  ['repeated', (result: SceneResult) => result.repeated],
  ['lost', (result: SceneResult) => result.lost],
  ['wrongly hung up', (result: SceneResult) => result.wrong],
  ['most in 5 s', (result: SceneResult) => result.mostInWindow],
  ['seconds', (result: SceneResult) => result.seconds.toFixed(0)],
] as const;

const requestsMax = 300;
const faultChars = 42;

function line(cells: readonly (string | number)[]): string {
  const [first = '', ...rest] = cells;
  const numbers = rest.map((cell, i) => String(cell).padStart(columns[i]![0].length));
  return `${String(first).padEnd(faultChars)}${numbers.join('  ')}\n`;
}

const command = new Command('fault:hangup')
  .description('break things around the hang-ups of a gateway, and count what became of the calls')
  .option('--calls <n>', 'calls in the large scenes', Number, 1_000)
  .option('--outage <s>', "how long Plivo's API is gone", Number, 30)
  .option('--grace <s>', 'how long a broken stream may take to come back', Number, 10)
  .option('--only <text>', 'only faults with this in their name', '');
command.parse();
const flags = command.opts<{ calls: number; outage: number; grace: number; only: string }>();

let isClean = true;
process.stdout.write(line(['fault', ...columns.map(([name]) => name)]));
for (const fault of Object.keys(scenes).filter((name) => name.includes(flags.only))) {
  try {
    const result = await runScene(fault, {
      calls: flags.calls,
      outageMs: flags.outage * 1_000,
      graceMs: flags.grace * 1_000,
    });
    process.stdout.write(line([fault, ...columns.map(([, value]) => value(result))]));
    isClean &&= result.lost + result.wrong === 0 && result.mostInWindow <= requestsMax;
  } catch (thrown) {
    process.stdout.write(`${fault.padEnd(faultChars)}FAILED: ${errorText(thrown)}\n`);
    isClean = false;
  }
}
process.stdout.write(isClean ? 'none lost, none wrongly hung up\n' : 'NOT CLEAN\n');
process.exitCode = isClean ? 0 : 1;
