import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { build as histogram } from 'hdr-histogram-js';
import { type Children, freePort, listening, withChildren } from '../bench/children.js';
import { wholeNumber } from '../flags.js';
import { WebhookSender } from './webhook-sender.js';

/** What answers are to reach: signed webhooks beside calls. */
const targets = { perSecond: 100, calls: 500, p99Ms: 10 } as const;
const authToken = 'token-of-the-bench';
const settleMs = 3_000;

interface Result {
  readonly calls: number;
  readonly answered: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** A gateway, calls beside, and webhooks on a schedule that does not wait for answers. */
function measure(calls: number, seconds: number): Promise<Result> {
  return withChildren(async (children) => {
    const [port, adminPort] = [await freePort(), await freePort()];
    const publicUrl = `http://127.0.0.1:${port}`;
    const gateway = children.runGateway(
      ['serve', '--host', '127.0.0.1', '--port', String(port), '--admin-port', String(adminPort)],
      {
        ...{ PLIVO_AUTH_ID: 'MABENCH', PLIVO_AUTH_TOKEN: authToken, PUBLIC_URL: publicUrl },
        ...{ PLIVO_API_URL: 'http://127.0.0.1:9', SIGNATURES_UPGRADE: 'off', LOG_LEVEL: 'warn' },
      },
    );
    await listening(gateway, port);
    if (calls > 0) await load(children, port, calls, seconds);
    return webhooks(`${publicUrl}/answer`, calls, seconds);
  });
}

async function load(
  children: Children,
  port: number,
  calls: number,
  seconds: number,
): Promise<void> {
  const duration = `${seconds + 10}s`;
  const url = `ws://127.0.0.1:${port}/stream`;
  const args = [
    'load',
    '--url',
    url,
    '--calls',
    String(calls),
    '--duration',
    duration,
    '--api-port',
    'off',
  ];
  children.runGateway(args);
  await sleep(settleMs + calls * 4);
}

async function webhooks(url: string, calls: number, seconds: number): Promise<Result> {
  const sender = new WebhookSender({ authToken, retries: 0 });
  const times = histogram({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000 });
  const pending: Promise<void>[] = [];
  let failed = 0;
  const startMs = performance.now();
  for (let i = 0; i < seconds * targets.perSecond; i += 1) {
    const dueMs = startMs + (i * 1_000) / targets.perSecond;
    await sleep(Math.max(0, dueMs - performance.now()));
    const fields = [
      ...([
        ['CallUUID', randomUUID()],
        ['From', '15550001111'],
        ['To', '15550002222'],
      ] as const),
      ...([
        ['Direction', 'inbound'],
        ['CallStatus', 'in-progress'],
        ['Event', 'StartApp'],
      ] as const),
    ];
    const sentMs = performance.now();
    const answer = sender.send('POST', url, fields).then(({ status }) => {
      if (status !== 200) failed += 1;
      times.recordValue(Math.max(1, Math.round((performance.now() - sentMs) * 1_000)));
    });
    pending.push(answer);
  }
  await Promise.all(pending);
  await sender.close();
  const at = (percentile: number) => times.getValueAtPercentile(percentile) / 1_000;
  return { calls, answered: times.totalCount, failed, p50: at(50), p99: at(99), max: at(100) };
}

async function run({
  seconds,
  rounds,
}: {
  readonly seconds: number;
  readonly rounds: number;
}): Promise<void> {
  process.stdout.write(
    `Signed /answer webhooks, ${targets.perSecond} a second for ${seconds} s, medians of ${rounds} rounds; calls on the same machine\n`,
  );
  for (const calls of [0, targets.calls]) {
    const results: Result[] = [];
    for (let round = 0; round < rounds; round += 1) results.push(await measure(calls, seconds));
    const median = results.toSorted((a, b) => a.p99 - b.p99)[Math.floor(rounds / 2)]!;
    const failed = results.reduce((sum, result) => sum + result.failed, 0);
    const line = `p50 ${median.p50.toFixed(1)} ms, p99 ${median.p99.toFixed(1)} ms, max ${median.max.toFixed(1)} ms`;
    process.stdout.write(`  beside ${calls} calls: ${line}; ${failed} failed\n`);
    if (calls === 0) continue;
    const holds = median.p99 < targets.p99Ms && failed === 0;
    process.stdout.write(`  p99 under ${targets.p99Ms} ms: ${holds ? 'holds' : 'MISSED'}\n`);
    process.exitCode = holds ? 0 : 1;
  }
}

await new Command('bench:answer')
  .description('how fast answer webhooks are answered, alone and beside calls')
  .option('--seconds <s>', 'of each round', wholeNumber(1, 600), 20)
  .option('--rounds <n>', 'of each', wholeNumber(1, 20), 3)
  .action(run)
  .parseAsync();
