import { readdirSync, statSync } from 'node:fs';
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { registerAs } from './families.js';

/** Those of prom-client that a scrape pays dearly for, or that say nothing here. */
const leftOut = [
  // Three quarters of a millisecond; `front_delay_seconds` and `shard_delay_seconds` tell it, and add up.
  /^nodejs_eventloop_lag_/,
  // Two milliseconds with 2,000 calls; below in another way.
  /^process_open_fds$/,
  // The sockets with Plivo are not libuv's: nothing to see.
  /^nodejs_active_/,
];
/** prom-client starts a timer of this period for a metric that is left out. */
const unusedTimerMs = 10_000;

/** What prom-client knows of the process and of Node. */
export function registerProcess(registry: Registry): void {
  const all = new Registry();
  collectDefaultMetrics({ register: all, eventLoopMonitoringPrecision: unusedTimerMs });
  for (const metric of all.getMetricsAsArray() as unknown as readonly (Metric & {
    readonly name: string;
  })[]) {
    if (!leftOut.some((names) => names.test(metric.name))) registry.registerMetric(metric);
  }
  if (openFiles() === undefined) return;
  const help = 'Number of open file descriptors.';
  registerAs(registry, { name: 'process_open_fds', help, type: 'gauge' }, () => [
    { labels: {}, value: openFiles() ?? 0 },
  ]);
}

const folder = '/proc/self/fd';

/** Undefined where the system has no `/proc`. */
function openFiles(): number | undefined {
  try {
    // Linux says the number of entries as a size since 6.2, and 0 before.
    return statSync(folder).size || readdirSync(folder).length;
  } catch {
    return undefined;
  }
}
