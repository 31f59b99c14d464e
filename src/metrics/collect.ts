import type { Metric, Registry } from 'prom-client';
import type { AddressView, UpstreamView } from '../routing/upstreams.js';
import {
  addCounters,
  type CounterName,
  counter,
  counterBlock,
  drop,
  dropReasons,
  type HistogramName,
  latencyBoundsUs,
  lookup,
  lookupOutcomes,
  readHistogram,
} from '../shard/counters.js';
import type { Shard } from '../shard/shard.js';
import { upstreamEvents } from '../shard/upstream-board.js';

/** Where the counts come from at the moment of a scrape. */
export interface CountSources {
  /** Current incarnations. */
  readonly shards: () => readonly Shard[];
  /** Counters of the front, and of incarnations that are over. */
  readonly others: readonly Float64Array[];
  readonly gauges: {
    readonly calls: () => number;
    readonly connections: () => number;
    readonly shardRestarts: () => number;
    readonly draining: () => boolean;
  };
  readonly hangups: () => HangupCounts;
  readonly upstreams: () => readonly UpstreamView[];
}

/** The state of the hang-ups at the moment of a scrape. */
export interface HangupCounts {
  readonly pending: number;
  readonly failed: number;
  readonly oldestSeconds: number;
  readonly lostStreams: number;
  readonly lostStreamsHeld: number;
  readonly degraded: number;
  readonly badLines: number;
  readonly accounts: readonly {
    readonly name: string;
    readonly paused: boolean;
    readonly windowLeft: number;
  }[];
}

const hangupGauges: readonly (readonly [string, string, keyof Omit<HangupCounts, 'accounts'>])[] = [
  ['hangups_pending', 'Hang-ups accepted and not yet settled', 'pending'],
  ['hangups_failed', 'Hang-ups given up or refused, kept for an operator', 'failed'],
  ['hangup_oldest_seconds', 'Age of the oldest pending hang-up', 'oldestSeconds'],
  ['lost_streams', 'Calls whose stream broke, and may come back', 'lostStreams'],
  ['lost_streams_held', 'Those held because many were lost at once', 'lostStreamsHeld'],
  ['hangup_store_degraded', '1 while hang-ups are kept in memory only', 'degraded'],
  ['hangup_journal_bad_lines', 'Unreadable lines found in the journal at start', 'badLines'],
];

interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

type Kind = 'counter' | 'gauge' | 'histogram';

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

/**
 * Registers what the threads count in shared memory. Added up when scraped; the threads that count know nothing of it.
 */
export function registerCounts(registry: Registry, sources: CountSources): void {
  const add = (kind: Kind, name: string, help: string, read: () => Sample[]): void => {
    const full = `plivo_gateway_${name}`;
    const get = async () => ({ name: full, help, type: kind, values: read(), aggregator: 'sum' });
    registry.registerMetric({ name: full, help, type: kind, get, reset() {} } as unknown as Metric);
  };
  const sum = (): Float64Array => {
    const total = counterBlock();
    for (const values of sources.others) addCounters(total, values);
    for (const shard of sources.shards()) if (!shard.retired) addCounters(total, shard.counters);
    return total;
  };
  const one = (value: number): Sample[] => [{ labels: {}, value }];

  for (const [name, help, slot] of counters) {
    add('counter', name, help, () => one(sum()[counter[slot]]!));
  }
  add('counter', 'drops_total', 'Messages, frames and commands put aside, by reason', () => {
    const values = sum();
    return dropReasons.map((reason) => ({ labels: { reason }, value: values[drop[reason]]! }));
  });
  add('counter', 'lookups_total', 'Lookup services asked about a call, by outcome', () => {
    const values = sum();
    return lookupOutcomes.map((outcome) => ({
      labels: { outcome },
      value: values[lookup[outcome]]!,
    }));
  });
  for (const [name, help, histogram] of histograms) {
    add('histogram', name, help, () => histogramSamples(`plivo_gateway_${name}`, sum(), histogram));
  }
  const { gauges, shards } = sources;
  add('gauge', 'calls_active', 'Live calls', () => one(gauges.calls()));
  add('gauge', 'connections_active', 'Open sockets, those without a start included', () =>
    one(gauges.connections()),
  );
  const { hangups } = sources;
  for (const [name, help, member] of hangupGauges) {
    add('gauge', name, help, () => one(hangups()[member]));
  }
  add('gauge', 'hangup_account_paused', '1 while the API or the credentials fail', () =>
    hangups().accounts.map(({ name, paused }) => ({
      labels: { account: name },
      value: paused ? 1 : 0,
    })),
  );
  add('gauge', 'hangup_window_left', 'Requests that the account may send now', () =>
    hangups().accounts.map(({ name, windowLeft }) => ({
      labels: { account: name },
      value: windowLeft,
    })),
  );
  registerUpstreams(add, sources.upstreams);
  add('gauge', 'draining', '1 while the gateway drains', () => one(gauges.draining() ? 1 : 0));
  add('counter', 'shard_restarts_total', 'Shards replaced after their thread died', () =>
    one(gauges.shardRestarts()),
  );
  const perShard = (value: (shard: Shard) => number) => (): Sample[] =>
    shards().map((shard) => ({ labels: { shard: shard.index }, value: value(shard) }));
  add(
    'gauge',
    'shard_ready',
    '1 for a shard that takes calls',
    perShard((s) => (s.ready ? 1 : 0)),
  );
  add(
    'gauge',
    'shard_calls',
    'Connections placed on a shard',
    perShard((shard) => shard.calls),
  );
  add(
    'gauge',
    'shard_ingress_fill_ratio',
    'Share of the ingress ring in use',
    perShard((shard) => shard.ingress.fill),
  );
}

type Add = (kind: Kind, name: string, help: string, read: () => Sample[]) => void;

function registerUpstreams(add: Add, views: CountSources['upstreams']): void {
  const ofEach = (value: (upstream: UpstreamView) => number) => (): Sample[] =>
    views().map((upstream) => ({ labels: { upstream: upstream.name }, value: value(upstream) }));
  const count = ({ addresses }: UpstreamView, of: (address: AddressView) => number) =>
    addresses.reduce((sum, address) => sum + of(address), 0);
  add(
    'gauge',
    'upstream_calls',
    'Calls connected to an upstream, or on the way to it',
    ofEach((upstream) => count(upstream, ({ calls }) => calls)),
  );
  add('gauge', 'upstream_addresses', 'Addresses of an upstream, by state', () =>
    views().flatMap(({ name, addresses }) =>
      addressStates.map((state) => ({
        labels: { upstream: name, state },
        value: addresses.filter((address) => address.state === state).length,
      })),
    ),
  );
  add('counter', 'upstream_events_total', 'Connections to upstreams, by what became of them', () =>
    views().flatMap(({ name, totals }) =>
      upstreamEvents.map((event) => ({
        labels: { upstream: name, event },
        value: totals.events[event],
      })),
    ),
  );
  add('counter', 'upstream_dropped_total', 'Messages that an upstream did not take in time', () =>
    views().map(({ name, totals }) => ({ labels: { upstream: name }, value: totals.dropped })),
  );
  add('counter', 'upstream_bytes_total', 'Payload of messages to upstreams and from them', () =>
    views().flatMap(({ name, totals }) => [
      { labels: { upstream: name, direction: 'sent' }, value: totals.bytesSent },
      { labels: { upstream: name, direction: 'received' }, value: totals.bytesReceived },
    ]),
  );
}

const addressStates: readonly AddressView['state'][] = ['up', 'ejected', 'unhealthy', 'leaving'];

function histogramSamples(name: string, values: Float64Array, which: HistogramName): Sample[] {
  const { buckets, sumUs } = readHistogram(values, which);
  let count = 0;
  const samples: Sample[] = buckets.map((inBucket, index) => {
    count += inBucket;
    const bound = latencyBoundsUs[index];
    const le = bound === undefined ? '+Inf' : bound / 1e6;
    return { labels: { le }, value: count, metricName: `${name}_bucket` };
  });
  samples.push({ labels: {}, value: sumUs / 1e6, metricName: `${name}_sum` });
  samples.push({ labels: {}, value: count, metricName: `${name}_count` });
  return samples;
}
