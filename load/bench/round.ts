import type { LoadOptions } from '../run/options.js';
import type { StageReport } from '../run/report.js';
import { LoadRun } from '../run/run.js';
import type { Certificate } from './certificate.js';
import type { Children } from './children.js';
import { type Contestant, startServer } from './servers.js';

/** What one contestant did in one round. */
export interface RoundResult {
  readonly name: string;
  readonly calls: number;
  readonly report: StageReport;
  /** Median of the seconds in which the calls were up. */
  readonly residentBytes: number;
}

export interface RoundOptions {
  readonly calls: number;
  readonly seconds: number;
  readonly threads: number;
}

/** New calls per second: quick, and no storm. */
const rampPerSecond = 250;

/** Starts a server of its own, loads it, and ends it; undefined where it is not installed. */
export async function runRound(
  children: Children,
  contestant: Contestant,
  certificate: Certificate | undefined,
  { calls, seconds, threads }: RoundOptions,
): Promise<RoundResult | undefined> {
  const server = await startServer(children, contestant, certificate);
  if (server === undefined) return undefined;
  const { child, others, url } = server;
  const options: LoadOptions = {
    target: { kind: 'url', url },
    profile: { kind: 'hold', calls, holdMs: seconds * 1_000 },
    length: undefined,
    rampPerSecond,
    scenarios: new Map([['conversation', 1]]),
    format: contestant.format,
    wavPath: undefined,
    accountId: 'MAEXAMPLE0000000000A',
    extraHeaders: '',
    insecure: contestant.isTls,
    authToken: undefined,
    isEcho: true,
    threads,
    seed: 1,
    thresholds: [],
    apiPort: undefined,
    serverPid: child.pid,
  };
  const run = await LoadRun.start(options);
  const { stages, seconds: all } = await run.finish();
  for (const one of [child, ...others]) await children.end(one);
  const [report] = stages;
  if (report === undefined) throw new Error(`no report of ${contestant.name}`);
  const bytes = all
    .filter(({ live, serverBytes }) => live === calls && serverBytes !== null)
    .map(({ serverBytes }) => serverBytes ?? 0)
    .toSorted((a, b) => a - b);
  return { name: contestant.name, calls, report, residentBytes: bytes[bytes.length >> 1] ?? 0 };
}
