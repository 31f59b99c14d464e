import { Command } from 'commander';
import { readEnvironment } from './config/environment.js';
import { addConfigFlags } from './config/flags.js';
import { loadConfig } from './config/load.js';
import { errorText, GatewayError } from './errors.js';
import { DataLock, type Holder } from './hangup/data-lock.js';
import type { HangupView } from './hangup/dispatcher.js';
import { dropOffline, listOffline, retryOffline } from './hangup/offline.js';
import { openLog } from './log.js';

/** Hang-ups, wherever they are: in a running gateway, or in the data directory of one that is not. */
interface Hangups {
  /** For a person: where this comes from. */
  readonly source: string;
  list(): Promise<readonly HangupView[]>;
  /** How many there were. */
  retry(callId: string | undefined): Promise<number>;
  drop(callId: string): Promise<boolean>;
}

const answerMsMax = 5_000;
const answerCharsMax = 60;
const errorCharsMax = 300;

/** The admin API of a running gateway. */
function online({ admin, pid, host }: Holder, token: string | undefined): Hangups {
  const address = reachable(admin);
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const failed = (how: string): GatewayError => {
    const owner = `process ${pid} on ${host} has the data directory`;
    return new GatewayError('DATA_LOCKED', `${owner}, but its admin API at ${address} ${how}`);
  };
  const ask = async (path: string, method = 'GET'): Promise<Response> => {
    let answer: Response;
    try {
      const signal = AbortSignal.timeout(answerMsMax);
      answer = await fetch(`http://${address}${path}`, { method, headers, signal });
    } catch (thrown) {
      const why = errorText(thrown instanceof Error && thrown.cause ? thrown.cause : thrown);
      throw failed(`does not answer: ${why}`);
    }
    // 404 is an answer: there is no such hang-up.
    if (!answer.ok && answer.status !== 404) throw failed(`refuses: ${await refusalIn(answer)}`);
    return answer;
  };
  return {
    source: `the gateway at ${address}`,
    list: async () => {
      const answer = await ask('/api/hangups');
      return ((await answer.json()) as { readonly hangups: readonly HangupView[] }).hangups;
    },
    retry: async (callId) => {
      const item = callId === undefined ? '' : `/${encodeURIComponent(callId)}`;
      const answer = await ask(`/api/hangups${item}/retry`, 'POST');
      return answer.ok ? ((await answer.json()) as { readonly retried: number }).retried : 0;
    },
    drop: async (callId) => (await ask(`/api/hangups/${encodeURIComponent(callId)}`, 'DELETE')).ok,
  };
}

/** Where this machine reaches it: what listens on all addresses, on its own. */
function reachable(admin: string): string {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(admin) ?? [];
  if (host === '0.0.0.0' || host === '::') return `127.0.0.1:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

async function refusalIn(answer: Response): Promise<string> {
  const body: unknown = await answer.json().catch(() => undefined);
  const { error } = (body ?? {}) as { readonly error?: unknown };
  return typeof error === 'string' ? printable(error, errorCharsMax) : `status ${answer.status}`;
}

function offline(dataDir: string): Hangups {
  const log = openLog({ level: 'error', format: 'auto', privacy: 'masked' });
  return {
    source: `${dataDir}; no gateway runs on it`,
    list: () => listOffline(dataDir, log),
    retry: (callId) => retryOffline(dataDir, callId, log),
    drop: (callId) => dropOffline(dataDir, callId, log),
  };
}

interface HangupsFlags {
  readonly retry?: string | true;
  readonly drop?: string;
  readonly json?: true;
}

/** `plivo-gateway hangups`: what is pending and what failed, and what an operator can do about it. */
export function hangupsCommand(): Command {
  const command = new Command('hangups').description(
    'list pending and failed hang-ups, try failed ones again, or give one up',
  );
  addConfigFlags(command)
    .option('--retry [callId]', 'try all failed ones again, or that of one call')
    .option('--drop <callId>', 'give up the hang-up of one call: it is not sent any more')
    .option('--json', 'print JSON');
  return command.action(async (flags: HangupsFlags & Readonly<Record<string, unknown>>) => {
    const sources = { flags, environment: readEnvironment(), cwd: process.cwd() };
    const { dataDir, admin } = loadConfig(sources);
    const holder = await DataLock.holder(dataDir);
    process.exitCode = await run(holder ? online(holder, admin.token) : offline(dataDir), flags);
  });
}

async function run(hangups: Hangups, { retry, drop, json }: HangupsFlags): Promise<number> {
  if (drop !== undefined) {
    const dropped = await hangups.drop(drop);
    const text = dropped
      ? `gave up the hang-up of ${drop}`
      : `no hang-up of ${drop}, or its request is under way`;
    return say(json, { callId: drop, dropped }, text, dropped);
  }
  if (retry !== undefined) {
    const callId = retry === true ? undefined : retry;
    const retried = await hangups.retry(callId);
    const isFound = callId === undefined || retried > 0;
    const text = isFound ? `${retried} will be tried again` : `no failed hang-up of ${callId}`;
    return say(json, { retried }, text, isFound);
  }
  const list = await hangups.list();
  return say(json, { source: hangups.source, hangups: list }, table(list, hangups.source), true);
}

function say(json: true | undefined, value: object, text: string, isGood: boolean): number {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`);
  return isGood ? 0 : 1;
}

function table(list: readonly HangupView[], source: string): string {
  const failed = list.filter(({ state }) => state === 'failed').length;
  const heading = `${list.length - failed} pending, ${failed} failed (${source})`;
  if (list.length === 0) return heading;
  const rows = list.map((view) => [
    ...[view.callId, view.state, age(view.ageSeconds), String(view.attempts), view.reason],
    ...[view.account, printable(view.lastAnswer, answerCharsMax)],
  ]);
  const all = [['call', 'state', 'age', 'attempts', 'reason', 'account', 'last answer'], ...rows];
  const widths = all[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  const lines = all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
  return [heading, ...lines].join('\n');
}

function age(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)}s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)}m` : `${Math.round(seconds / 3_600)}h`;
}

/** It came from outside: nothing in it may move the cursor or break a line. */
function printable(text: string, charsMax: number): string {
  const quoted = JSON.stringify(text.slice(0, charsMax)).slice(1, -1);
  return text.length > charsMax ? `${quoted}…` : quoted;
}
