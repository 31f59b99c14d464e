import type { Registry } from 'prom-client';
import type { UpstreamView } from '../routing/upstreams.js';
import type { VoiceAreas } from '../shard/voice-counters.js';
import { Families } from './families.js';
import { type CountedThreads, Fold } from './fold.js';
import { type HangupCounts, registerHangups } from './hangups.js';
import { registerThreads } from './threads.js';
import { registerUpstreams } from './upstreams.js';
import { registerVoice } from './voice.js';

/** Where the counts come from at the moment of a scrape. */
export interface CountSources extends CountedThreads {
  readonly areas: VoiceAreas;
  readonly gauges: {
    readonly calls: () => number;
    readonly callsLimit: number;
    readonly connections: () => number;
    readonly shardRestarts: () => number;
    readonly draining: () => boolean;
    readonly callRecordsWaiting: () => number;
    readonly captures: () => number;
    /** Unix time; absent without TLS. */
    readonly certificateExpiresMs?: (() => number) | undefined;
  };
  readonly hangups: () => HangupCounts;
  readonly upstreams: () => readonly UpstreamView[];
}

/**
 * Registers what the threads count in shared memory, and what is only looked at. Added up when scraped; those who count
 * know nothing of it.
 */
export function registerCounts(registry: Registry, sources: CountSources): void {
  const families = new Families(registry);
  const fold = new Fold(sources);
  const { gauges } = sources;
  families.one('gauge', 'calls_active', 'Live calls', gauges.calls);
  families.one('gauge', 'calls_limit', 'Calls that the gateway may have', () => gauges.callsLimit);
  families.one(
    'gauge',
    'connections_active',
    'Open sockets, those without a start included',
    gauges.connections,
  );
  registerVoice(families, fold, sources.areas);
  registerThreads(families, fold, sources);
  families.one(
    'counter',
    'shard_restarts_total',
    'Shards replaced after their thread died',
    gauges.shardRestarts,
  );
  registerHangups(families, sources.hangups);
  registerUpstreams(families, sources.upstreams);
  families.one('gauge', 'call_records_waiting', 'Call records that wait for the webhook', () =>
    gauges.callRecordsWaiting(),
  );
  families.one('gauge', 'captures_active', 'Calls that are being captured', () =>
    gauges.captures(),
  );
  families.one('gauge', 'draining', '1 while the gateway drains', () =>
    gauges.draining() ? 1 : 0,
  );
  const { certificateExpiresMs } = gauges;
  if (certificateExpiresMs !== undefined) {
    families.one(
      'gauge',
      'certificate_expiry_timestamp_seconds',
      'When the certificate of the public port expires, Unix time; only with TLS',
      () => certificateExpiresMs() / 1_000,
    );
  }
}
