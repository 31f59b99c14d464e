import { Command, InvalidArgumentError, Option } from 'commander';
import { errorText } from '../src/errors.js';
import { callDefaults } from './call.js';
import { wholeNumber } from './flags.js';
import { PlivoApi } from './plivo-api.js';
import { parseFault } from './plivo-api-control.js';

interface ApiFlags {
  readonly port: number;
  readonly authId?: string;
  readonly authToken?: string;
  readonly number: readonly string[];
  readonly fault: readonly ReturnType<typeof parseFault>[];
}

const lookMs = 1_000;

function fault(text: string, others: ApiFlags['fault'] = []): ApiFlags['fault'] {
  try {
    return [...others, parseFault(text)];
  } catch (error) {
    throw new InvalidArgumentError(errorText(error));
  }
}

/** Serves until it is interrupted; a line for each second in which something was asked. */
async function run({ port, authId, authToken, number, fault: faults }: ApiFlags): Promise<void> {
  const credentials =
    authId === undefined || authToken === undefined ? null : { authId, authToken };
  const api = new PlivoApi(credentials, { everyCall: true, control: true });
  for (const one of number) {
    const url = 'https://example.com/answer';
    api.account.addNumber(one.replace(/\D/g, ''), { answer: url, hangup: url });
  }
  await api.listen(port);
  for (const { fault: what, count } of faults) {
    if (count === undefined) api.failAll(what);
    else api.failNext(count, what);
  }
  process.stderr.write(
    `PLIVO_API_URL=${api.url}; every call id is of a live call until it is hung up\n`,
  );
  let seen = 0;
  const timer = setInterval(() => {
    const since = api.requests.slice(seen);
    seen += since.length;
    if (since.length > 0) process.stderr.write(`${since.length} requests: ${statuses(since)}\n`);
  }, lookMs);
  await new Promise((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
  clearInterval(timer);
  await api.close();
  process.stdout.write(`${JSON.stringify(api.summary())}\n`);
}

function statuses(requests: PlivoApi['requests']): string {
  const counts = new Map<number, number>();
  for (const { status } of requests) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} × ${status || 'no answer'}`).join(', ');
}

/** The sub-command `plivo-api`. */
export function plivoApiCommand(): Command {
  return new Command('plivo-api')
    .description(
      "stand in for Plivo's REST API on 127.0.0.1: hang-ups, transfers, numbers and their applications; prints what was asked as JSON at the end",
    )
    .option('--port <port>', '0 takes a free one', wholeNumber(0, 65_535), callDefaults.apiPort)
    .option('--auth-id <id>', 'with --auth-token: refuse everybody else with 401')
    .option('--auth-token <token>', 'see --auth-id')
    .option(
      '--number <number>',
      'a number of the account, with an application that leads elsewhere; may be repeated',
      (one: string, others: readonly string[]) => [...others, one],
      [] as readonly string[],
    )
    .addOption(
      new Option(
        '--fault <what>',
        'status=503,count=20 or delayMs=3000 or reset, silent, garbage; without count for all requests; may be repeated',
      )
        .argParser(fault)
        .default([], 'none'),
    )
    .addHelpText(
      'after',
      `
While it runs:
  POST   /stand-in/faults    {"status":429,"retryAfterSeconds":2,"count":20}; without count until further notice
  DELETE /stand-in/faults    all is well again
  GET    /stand-in/requests  how many so far, by status, and the most in any 5 s`,
    )
    .action(run);
}
