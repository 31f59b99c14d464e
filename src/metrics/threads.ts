import {
  busyMs,
  type CounterName,
  counter,
  drop,
  dropReasons,
  type HistogramName,
  histogram,
  lookup,
  lookupOutcomes,
  ringFill,
  stage,
  stages,
} from '../shard/counters.js';
import { readHistogram } from '../shard/histogram.js';
import type { Shard } from '../shard/shard.js';
import type { Families, Labelled } from './families.js';
import type { CountedThreads, Fold } from './fold.js';

const counters: readonly (readonly [string, string, CounterName])[] = [
  ['media_in_total', 'Media messages decoded', 'mediaIn'],
  ['media_out_total', 'playAudio messages sent', 'mediaOut'],
  ['control_in_total', 'Other messages of Plivo that were understood', 'messagesIn'],
  ['control_out_total', 'Other messages sent to Plivo', 'messagesOut'],
  ['digits_in_total', 'Digits pressed by callers', 'digitsIn'],
  ['checkpoints_played_total', 'Checkpoints that were heard', 'checkpointsPlayed'],
  ['checkpoints_interrupted_total', 'Checkpoints cleared unheard', 'checkpointsInterrupted'],
  ['clears_total', 'Clears sent (barge-in)', 'clears'],
  [
    'handler_errors_total',
    'Throws and rejections of handlers, each ending its call',
    'handlerErrors',
  ],
  ['handler_stray_errors_total', 'Errors of handlers outside of their callbacks', 'strayErrors'],
  ['stale_records_total', 'Records for a connection that had just ended', 'staleRecords'],
  ['shard_batches_total', 'Batches of records handled by shards', 'batches'],
];

const histograms: readonly (readonly [string, string, HistogramName])[] = [
  ['ring_wait_seconds', 'Time from a message at the front to its turn in the shard', 'ingressWait'],
  ['shard_batch_seconds', 'Time a shard takes for one batch of records', 'batchTime'],
  [
    'audio_latency_seconds',
    'Time from the cause of outgoing audio (a message of Plivo, or the clock) to its socket',
    'turnaround',
  ],
];

/** What the threads count, and how busy they are. */
export function registerThreads(families: Families, fold: Fold, threads: CountedThreads): void {
  for (const [name, help, slot] of counters) {
    families.one('counter', name, help, () => fold.total[counter[slot]]!);
  }
  families.each(
    'counter',
    'drops_total',
    'Messages, frames and commands put aside, by reason',
    () => dropReasons.map((reason) => ({ labels: { reason }, value: fold.total[drop[reason]]! })),
  );
  families.each('counter', 'lookups_total', 'Lookup services asked about a call, by outcome', () =>
    lookupOutcomes.map((outcome) => ({ labels: { outcome }, value: fold.total[lookup[outcome]]! })),
  );
  for (const [name, help, which] of histograms) {
    families.histogram(name, help, () => [
      { labels: {}, value: readHistogram(fold.total, histogram[which]) },
    ]);
  }
  families.histogram(
    'stage_seconds',
    'Time of a frame and its answer in each part of their way, of about one frame in 16',
    () => stages.map((name) => ({ labels: { stage: name }, value: read(fold.total, stage[name]) })),
  );
  families.histogram(
    'ring_fill_ratio',
    'Share of a ring in use, looked at 10 times a second',
    () => [
      { labels: { ring: 'ingress' }, value: read(fold.total, ringFill.ingress) },
      { labels: { ring: 'egress' }, value: read(fold.total, ringFill.egress) },
    ],
  );
  families.one('counter', 'front_busy_seconds_total', 'Time that the front was not idle', () => {
    return threads.front[busyMs]! / 1_000;
  });
  families.histogram('front_delay_seconds', 'How late the front came to its 100 ms timer', () => [
    { labels: {}, value: read(threads.front, histogram.delay) },
  ]);
  families.histogram('shard_delay_seconds', 'How late shards came to their 5 ms clock', () => [
    { labels: {}, value: read(fold.shards, histogram.delay) },
  ]);
  registerShards(families, threads.shards);
}

const read = readHistogram;

function registerShards(families: Families, shards: () => readonly Shard[]): void {
  const perShard = (value: (shard: Shard) => number) => (): Labelled<number>[] =>
    shards().map((shard) => ({ labels: { shard: shard.index }, value: value(shard) }));
  families.each(
    'gauge',
    'shard_ready',
    '1 for a shard that takes calls',
    perShard((shard) => (shard.ready ? 1 : 0)),
  );
  families.each(
    'gauge',
    'shard_calls',
    'Connections placed on a shard',
    perShard((shard) => shard.calls),
  );
  families.each(
    'gauge',
    'shard_ingress_fill_ratio',
    'Share of the ingress ring in use',
    perShard((shard) => shard.ingress.fill),
  );
  families.each(
    'gauge',
    'shard_egress_fill_ratio',
    'Share of the egress ring in use',
    perShard((shard) => shard.egress.fill),
  );
  families.each(
    'counter',
    'shard_busy_seconds_total',
    'Time that a shard was not idle',
    perShard((shard) => shard.counters[busyMs]! / 1_000),
  );
  families.each(
    'gauge',
    'shard_heap_bytes',
    'JavaScript heap that a shard uses',
    perShard((shard) => shard.heapBytes),
  );
}
