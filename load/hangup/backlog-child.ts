import { monitorEventLoopDelay } from 'node:perf_hooks';
import { loadConfig } from '../../src/config/load.js';
import { openGateway } from '../../src/gateway.js';
import { openLog } from '../../src/log.js';

/** What a gateway says of itself while its hang-ups drain. */
export interface BacklogReport {
  readonly pending: number;
  readonly rssBytes: number;
  /** Of the front's event loop since it was ready, beyond the timer's own period. */
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
}

const periodMs = 1;
const reportMs = 500;

/** A gateway whose front is watched from within; settings come as arguments `NAME=value`. */
const environment = Object.fromEntries(
  process.argv.slice(2).map((pair) => pair.split(/=(.*)/s).slice(0, 2)),
) as Record<string, string>;
const config = loadConfig({ flags: {}, environment, cwd: process.cwd() });
const requests = environment.REQUESTS === undefined ? 300 : Number(environment.REQUESTS);
const delay = monitorEventLoopDelay({ resolution: periodMs });
const gateway = await openGateway(
  { ...config, hangup: { ...config.hangup, requestsMax: requests } },
  openLog({ level: 'error', format: 'json', privacy: 'masked' }),
);
delay.enable();

setInterval(() => {
  const beyond = (ns: number): number => Math.max(0, ns / 1e6 - periodMs);
  void pendingOf(gateway.adminPort).then((pending) => {
    const report: BacklogReport = {
      pending,
      rssBytes: process.memoryUsage.rss(),
      delayP99Ms: beyond(delay.percentile(99)),
      delayMaxMs: beyond(delay.max),
    };
    process.send?.(report);
  });
}, reportMs);
process.on('disconnect', () => process.exit());

async function pendingOf(port: number): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
  return ((await answer.json()) as { hangupsPending: number }).hangupsPending;
}
