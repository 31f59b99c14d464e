import { cpus } from 'node:os';
import { Command } from 'commander';
import type { HangupConfig } from '../../src/config/types.js';
import { type Children, Mailbox, withChildren } from '../bench/children.js';
import type { ApiReport } from './api-child.js';
import { measureBacklog, median } from './backlog.js';
import { barePool, dispatched } from './throughput.js';

/** What the hang-up dispatcher is to reach. */
const targets = {
  ofBarePool: 0.7,
  rateIntents: 3_000,
  rateSeconds: 52,
  requestsPerWindow: 300,
  backlog: 100_000,
  backlogMb: 200,
  delayP99Ms: 5,
} as const;

const defaults: HangupConfig = {
  lostStreamGraceMs: 30_000,
  giveUpMs: 3_600_000,
  fsync: 'never',
  connections: 48,
  pipelining: 1,
  tickMs: 50,
  requestsMax: targets.requestsPerWindow,
};
const noLimit: HangupConfig = { ...defaults, requestsMax: 0 };
const warmUpRounds = 8;
const noticeMsMax = 10_000;
let missed = 0;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function verdict(text: string, holds: boolean): void {
  if (!holds) missed += 1;
  say(`  ${text}: ${holds ? 'holds' : 'MISSED'}`);
}

async function withApi<T>(
  children: Children,
  use: (url: string, report: () => Promise<ApiReport>) => Promise<T>,
): Promise<T> {
  const child = children.fork('../hangup/api-child.js');
  const mailbox = new Mailbox<ApiReport>(child);
  const { url } = await mailbox.take(noticeMsMax);
  const result = await use(url, () => {
    child.process.send('report');
    return mailbox.take(noticeMsMax);
  });
  await children.end(child);
  return result;
}

async function throughput(children: Children, count: number, rounds: number): Promise<void> {
  say(
    `\nThroughput: ${count} hang-ups at once, no rate limit, ${rounds} rounds in turns, per second`,
  );
  const settings: readonly [string, HangupConfig][] = [
    ['48 connections (default)', noLimit],
    ['48 connections, fsync: tick', { ...noLimit, fsync: 'tick' }],
    ['16 connections', { ...noLimit, connections: 16 }],
    ['16 connections, pipelining 4', { ...noLimit, connections: 16, pipelining: 4 }],
  ];
  for (const [index, [name, config]] of settings.entries()) {
    const results = await withApi(children, async (url) => {
      const found: { bare: number; ours: number }[] = [];
      for (let round = -warmUpRounds; round < rounds; round += 1) {
        const bare = await barePool(url, count, config);
        const ours = await dispatched(url, count, config);
        if (round >= 0) found.push({ bare, ours });
      }
      return found;
    });
    const ratio = median(results.map(({ bare, ours }) => ours / bare));
    const [bare, ours] = [results.map((r) => r.bare), results.map((r) => r.ours)].map(median);
    say(
      `  ${name.padEnd(30)} bare Pool ${k(bare!)}, dispatcher with journal ${k(ours!)}, ratio ${ratio.toFixed(2)}`,
    );
    if (index === 0)
      verdict(`at least ${targets.ofBarePool} of a bare Pool`, ratio >= targets.ofBarePool);
  }
}

const k = (perSecond: number): string => Math.round(perSecond).toLocaleString('en');

async function rate(children: Children): Promise<void> {
  const { rateIntents, rateSeconds, requestsPerWindow } = targets;
  say(`\nRate: ${rateIntents} hang-ups at once, ${requestsPerWindow} per 5 s`);
  await withApi(children, async (url, report) => {
    const perSecond = await dispatched(url, rateIntents, defaults);
    const seconds = rateIntents / perSecond;
    const { confirmed, mostInWindow } = await report();
    say(`  ${confirmed} confirmed in ${seconds.toFixed(1)} s, at most ${mostInWindow} in any 5 s`);
    verdict(`within ${rateSeconds} s`, confirmed === rateIntents && seconds <= rateSeconds);
    verdict(`never more than ${requestsPerWindow}`, mostInWindow <= requestsPerWindow);
  });
}

async function backlog(children: Children, seconds: number): Promise<void> {
  say(`\nBacklog: a gateway started on ${k(targets.backlog)} pending hang-ups`);
  const runs = [
    ['300 per 5 s', { requests: 300, seconds }],
    ['no limit, all of them', { requests: 0, seconds: 120 }],
  ] as const;
  for (const [name, options] of runs) {
    const result = await withApi(children, (url) =>
      measureBacklog(children, url, targets.backlog, options),
    );
    const memory = `${result.residentMb.toFixed(0)} MB more than without (${result.wholeMb.toFixed(0)} in all)`;
    const delay = `event-loop delay p99 ${result.delayP99Ms.toFixed(1)} ms, worst ${result.delayMaxMs.toFixed(1)}`;
    say(
      `  ${name}: ${k(result.settled)} settled in ${result.seconds.toFixed(0)} s, ${memory}, ${delay}`,
    );
    // Without a limit the memory is that of garbage: nobody's Plivo account has none.
    if (options.requests > 0) {
      verdict(`under ${targets.backlogMb} MB`, result.residentMb < targets.backlogMb);
    }
    verdict(`delay p99 under ${targets.delayP99Ms} ms`, result.delayP99Ms < targets.delayP99Ms);
  }
}

const command = new Command('bench:hangup')
  .description('measure the hang-up dispatcher beside a bare undici Pool, against the stand-in API')
  .option('--count <n>', 'hang-ups in a round of the throughput', Number, 3_000)
  .option('--rounds <n>', 'rounds of the throughput', Number, 25)
  .option('--watch <s>', 'how long the backlog is watched under the rate limit', Number, 30)
  .option('--only <part>', 'throughput, rate or backlog');
command.parse();
const flags = command.opts<{ count: number; rounds: number; watch: number; only?: string }>();
const isWanted = (part: string): boolean => flags.only === undefined || flags.only === part;
say(`${cpus()[0]?.model ?? '?'}, ${cpus().length} cores, Node ${process.version}`);
await withChildren(async (children) => {
  if (isWanted('throughput')) await throughput(children, flags.count, flags.rounds);
  if (isWanted('rate')) await rate(children);
  if (isWanted('backlog')) await backlog(children, flags.watch);
});
process.exitCode = missed === 0 ? 0 : 1;
