import { labelLists } from '../../src/label-lists.js';
import { registerCounts } from '../../src/metrics/collect.js';
import { Instruments } from '../../src/metrics/instruments.js';
import type { UpstreamView } from '../../src/routing/upstreams.js';
import { counterBlock } from '../../src/shard/counters.js';
import { Shard } from '../../src/shard/shard.js';
import { upstreamEvents } from '../../src/shard/upstream-board.js';
import { VoiceAreas } from '../../src/shard/voice-counters.js';

/** A metric with all series that it can have, where there is one route, upstream, account and shard. */
export interface KnownMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly {
    readonly labels: Readonly<Record<string, string | number>>;
    readonly value: number;
  }[];
}

/** Labels whose values a user gives, or a run. */
export const openLabels = ['route', 'upstream', 'account', 'shard', 'version', 'config'] as const;

/** Every metric that a gateway with TLS has, in the order in which it shows them. */
export async function everyMetric(): Promise<readonly KnownMetric[]> {
  const instruments = new Instruments({
    ...{ routes: ['main'], upstreams: ['bots'], version: '0', config: '0' },
    ...labelLists,
  });
  const shard = new Shard(0, 1, 1_000);
  const areas = new VoiceAreas();
  areas.of('main');
  const none = () => 0;
  registerCounts(instruments.registry, {
    ...{ shards: () => [shard], front: counterBlock(), retired: counterBlock(), areas },
    gauges: {
      ...{
        calls: none,
        callsLimit: 0,
        callRecordsWaiting: none,
        connections: none,
        captures: none,
      },
      ...{ shardRestarts: none, draining: () => false, certificateExpiresMs: none },
    },
    hangups: () => ({
      ...{ pending: 0, failed: 0, oldestSeconds: 0, lostStreams: 0, lostStreamsHeld: 0 },
      ...{ degraded: 0, badLines: 0 },
      accounts: [{ name: 'default', paused: false, windowLeft: 0 }],
    }),
    upstreams: () => [anUpstream],
  });
  const found = await instruments.registry.getMetricsAsJSON();
  shard.close();
  shard.workerPorts[0].close();
  return found as unknown as readonly KnownMetric[];
}

const anUpstream: UpstreamView = {
  ...{ name: 'bots', protocol: 'pcm', addresses: [] },
  totals: {
    events: Object.fromEntries(
      upstreamEvents.map((event) => [event, 0]),
    ) as UpstreamView['totals']['events'],
    ...{ dropped: 0, bytesSent: 0, bytesReceived: 0 },
  },
};
