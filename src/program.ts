import { Command } from 'commander';
import { benchCommand } from '../load/bench.js';
import { callCommand } from '../load/call-command.js';
import { conformanceCommand } from '../load/conformance/command.js';
import { loadCommand } from '../load/load-command.js';
import { plivoApiCommand } from '../load/plivo-api-command.js';
import { checkCommand } from './config/print.js';
import { doctorCommand } from './doctor/command.js';
import { errorText, GatewayError } from './errors.js';
import { hangupsCommand } from './hangups-command.js';
import { routeTestCommand } from './route-test-command.js';
import { serveCommand } from './serve.js';
import { version } from './version.js';

/** Runs the sub-command that the arguments name. */
export async function runProgram(): Promise<void> {
  const program = new Command('plivo-gateway')
    .description('Gateway between Plivo audio streams and voice applications')
    .version(version())
    .showHelpAfterError()
    .addCommand(serveCommand())
    .addCommand(callCommand())
    .addCommand(loadCommand())
    .addCommand(conformanceCommand())
    .addCommand(plivoApiCommand())
    .addCommand(doctorCommand())
    .addCommand(checkCommand())
    .addCommand(routeTestCommand())
    .addCommand(hangupsCommand())
    .addCommand(benchCommand());
  try {
    await program.parseAsync();
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown;
    process.stderr.write(`${errorText(thrown)}\n`);
    process.exitCode = 1;
  }
}
