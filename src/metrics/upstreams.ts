import type { AddressView, UpstreamView } from '../routing/upstreams.js';
import { upstreamEvents } from '../shard/upstream-board.js';
import type { Families } from './families.js';

const addressStates: readonly AddressView['state'][] = ['up', 'ejected', 'unhealthy', 'leaving'];

export function registerUpstreams(families: Families, views: () => readonly UpstreamView[]): void {
  families.each(
    'gauge',
    'upstream_calls',
    'Calls connected to an upstream, or on the way to it',
    () =>
      views().map(({ name, addresses }) => ({
        labels: { upstream: name },
        value: addresses.reduce((sum, { calls }) => sum + calls, 0),
      })),
  );
  families.each('gauge', 'upstream_addresses', 'Addresses of an upstream, by state', () =>
    views().flatMap(({ name, addresses }) =>
      addressStates.map((state) => ({
        labels: { upstream: name, state },
        value: addresses.filter((address) => address.state === state).length,
      })),
    ),
  );
  families.each(
    'counter',
    'upstream_events_total',
    'Connections to upstreams, by what became of them',
    () =>
      views().flatMap(({ name, totals }) =>
        upstreamEvents.map((event) => ({
          labels: { upstream: name, event },
          value: totals.events[event],
        })),
      ),
  );
  families.each(
    'counter',
    'upstream_dropped_total',
    'Messages that an upstream did not take in time',
    () =>
      views().map(({ name, totals }) => ({ labels: { upstream: name }, value: totals.dropped })),
  );
  families.each(
    'counter',
    'upstream_bytes_total',
    'Payload of messages to upstreams and from them',
    () =>
      views().flatMap(({ name, totals }) => [
        { labels: { upstream: name, direction: 'sent' }, value: totals.bytesSent },
        { labels: { upstream: name, direction: 'received' }, value: totals.bytesReceived },
      ]),
  );
}
