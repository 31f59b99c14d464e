import { Command } from 'commander';
import { errorText } from '../../src/errors.js';
import { runScene, scenes } from './scenes.js';

const faultChars = 44;

function line(fault: string, protocol: string, ...cells: (string | number)[]): string {
  const numbers = cells.map((cell) => String(cell).padStart(18)).join('');
  return `${fault.padEnd(faultChars)}${protocol.padEnd(8)}${numbers}\n`;
}

const command = new Command('fault:upstream')
  .description('break the applications behind a gateway, and tell what their callers heard')
  .option('--calls <n>', 'calls in each scene', Number, 60)
  .option('--only <text>', 'only faults with this in their name', '');
command.parse();
const { calls, only } = command.opts<{ calls: number; only: string }>();

let isKept = true;
process.stdout.write(line('fault', '', 'calls', 'kept', 'by the fallback', 'longest silence'));
for (const fault of Object.keys(scenes).filter((name) => name.includes(only))) {
  for (const protocol of ['pcm', 'plivo'] as const) {
    try {
      const result = await runScene(fault, { calls, protocol });
      const counts = [result.calls, result.kept, result.fallback];
      const silence = `${result.longestSilenceMs.toFixed(0)} ms`;
      process.stdout.write(line(fault, protocol, ...counts, silence));
      isKept &&= result.kept === result.calls;
    } catch (thrown) {
      process.stdout.write(`${line(fault, protocol)}FAILED: ${errorText(thrown)}\n`);
      isKept = false;
    }
  }
}
process.stdout.write(isKept ? 'every call was kept\n' : 'CALLS WERE LOST\n');
process.exitCode = isKept ? 0 : 1;
