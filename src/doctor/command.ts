import { Command } from 'commander';
import { readEnvironment } from '../config/environment.js';
import { addConfigFlags } from '../config/flags.js';
import { loadConfig } from '../config/load.js';
import { accountFindings } from './account.js';
import type { Finding } from './check.js';
import { edgeFindings } from './edge.js';
import { machineFindings } from './machine.js';
import { upstreamFindings } from './upstreams.js';

interface DoctorFlags extends Readonly<Record<string, unknown>> {
  readonly number?: string;
  readonly fix?: true;
  readonly json?: true;
}

/** `plivo-gateway doctor`: looks at everything between a caller and the application, and says what to do. */
export function doctorCommand(): Command {
  const command = new Command('doctor').description(
    'look at machine, public address, Plivo account and applications beside a running gateway; exits 1 if something fails',
  );
  addConfigFlags(command)
    .option('--number <number>', 'look at what this number of yours does with calls')
    .option('--fix', 'set the Answer and Hangup URL of its application at Plivo')
    .option('--json', 'print JSON');
  return command.action(async (flags: DoctorFlags) => {
    const config = loadConfig({ flags, environment: readEnvironment(), cwd: process.cwd() });
    const show = (finding: Finding): void => {
      if (flags.json !== true) process.stdout.write(lineOf(finding));
    };
    const all: Finding[] = [];
    const { number, fix = false } = flags;
    const parts = [
      machineFindings(config),
      accountFindings(config, { number, fix }),
      edgeFindings(config),
      upstreamFindings(config),
    ];
    for (const part of parts) {
      for (const finding of await part) {
        all.push(finding);
        show(finding);
      }
    }
    const failed = all.filter(({ state }) => state === 'fail').length;
    if (flags.json === true) process.stdout.write(`${JSON.stringify({ failed, findings: all })}\n`);
    else process.stdout.write(failed === 0 ? 'all is well\n' : `${failed} to mend\n`);
    process.exitCode = failed === 0 ? 0 : 1;
  });
}

const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL', skipped: '-   ' } as const;
const column = 20;

function lineOf({ what, state, detail, remedy }: Finding): string {
  const line = `${marks[state]}  ${what.padEnd(column)} ${detail}\n`;
  return remedy === undefined ? line : `${line}${' '.repeat(column + 7)}→ ${remedy}\n`;
}
