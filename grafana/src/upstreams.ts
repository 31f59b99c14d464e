import type { Board } from './boards.js';
import { inRange, of, quantile, rate, share, sum } from './metrics.js';
import { bars, lines, number } from './panels.js';
import { thresholds as at } from './thresholds.js';

const app = (name: string, matchers = '') => of(name, matchers, 'upstream');
/** Connections that no application took, and those that broke. */
const failures = 'event=~"refused|timeout|early-close|silent|lost"';
const events = (matchers = '') => app('upstream_events_total', matchers);

export const upstreams: Board = {
  question: 'Which upstream is ill?',
  uid: 'plivo-gateway-upstreams',
  about:
    'Applications behind the gateway: who is out, who is slow to take calls, who loses them. GET /api/upstreams tells the same by address.',
  variables: ['upstream'],
  rows: [
    {
      title: 'At a glance',
      panels: [
        number(
          {
            title: 'Addresses out',
            about: 'Ejected after failures, or unhealthy by their check.',
            unit: 'short',
          },
          sum(app('upstream_addresses', 'state=~"ejected|unhealthy"')),
          { bad: 1 },
        ),
        number(
          { title: 'Addresses up', about: 'Those that take calls now.', unit: 'short' },
          sum(app('upstream_addresses', 'state="up"')),
          { bad: 1, falling: true },
        ),
        number(
          {
            title: 'Attempts that failed',
            about:
              'Of those to connect a call: refused, too slow, broken at once, silent; and connections lost in mid-call.',
            unit: 'percentunit',
          },
          share(
            sum(inRange(events(failures))),
            sum(inRange(events(`${failures.slice(0, -1)}|connected|resumed"`))),
          ),
          { warn: 0.01, bad: 0.05 },
          1,
        ),
        number(
          {
            title: 'Connect, p95',
            about: 'Until an application took the call, over all addresses tried.',
            unit: 's',
          },
          quantile(0.95, app('upstream_connect_seconds_bucket')),
          { warn: 0.25, bad: at.connect.seconds },
        ),
        number(
          { title: 'First audio, p95', about: 'From then until it spoke.', unit: 's' },
          quantile(0.95, app('upstream_first_audio_seconds_bucket')),
          { warn: 1, bad: 3 },
        ),
        number(
          {
            title: 'Went to the fallback',
            about: 'Calls in the time shown that another route had to go on with.',
            unit: 'short',
          },
          sum(inRange(of('route_fallbacks_total', 'route!="(doctor)"'))),
          { warn: 1, bad: 10 },
          0,
        ),
      ],
    },
    {
      title: 'Which one',
      panels: [
        bars(
          { title: 'Addresses out, by upstream', about: 'Ejected or unhealthy.', unit: 'short' },
          [
            sum(app('upstream_addresses', 'state=~"ejected|unhealthy"'), 'upstream'),
            '{{upstream}}',
          ],
          { bad: 1 },
        ),
        lines(
          {
            title: 'Addresses, by state',
            about: 'leaving: gone from DNS or the configuration, with calls that still go on.',
            unit: 'short',
          },
          [
            [
              `${sum(app('upstream_addresses'), 'upstream', 'state')} > 0`,
              '{{upstream}}: {{state}}',
            ],
          ],
        ),
        lines({ title: 'Calls', about: 'Connected, or on the way to it.', unit: 'short' }, [
          [sum(app('upstream_calls'), 'upstream'), '{{upstream}}'],
        ]),
        lines(
          {
            title: 'What goes wrong',
            about:
              'busy: full, which is no fault. early-close: took the call and dropped it at once. lost: broke in mid-call.',
            unit: 'cps',
          },
          [
            [
              `${sum(rate(events('event!~"connected|resumed"')), 'upstream', 'event')} > 0`,
              '{{upstream}}: {{event}}',
            ],
          ],
          { stacked: true },
        ),
      ],
    },
    {
      title: 'How quick',
      panels: [
        lines(
          {
            title: 'Connect, p95',
            about: 'By upstream: one that is slower than the others is short of processes.',
            unit: 's',
          },
          [[quantile(0.95, app('upstream_connect_seconds_bucket'), 'upstream'), '{{upstream}}']],
          { levels: { bad: at.connect.seconds } },
        ),
        lines(
          {
            title: 'First audio, p95',
            about: 'By upstream: what callers wait for after the connect.',
            unit: 's',
          },
          [
            [
              quantile(0.95, app('upstream_first_audio_seconds_bucket'), 'upstream'),
              '{{upstream}}',
            ],
          ],
        ),
        lines({ title: 'Traffic', about: 'Payload, by upstream and direction.', unit: 'Bps' }, [
          [
            sum(rate(app('upstream_bytes_total')), 'upstream', 'direction'),
            '{{upstream}}: {{direction}}',
          ],
        ]),
        lines(
          {
            title: 'Not taken in time',
            about: 'Messages dropped, as an upstream did not read them.',
            unit: 'cps',
          },
          [[sum(rate(app('upstream_dropped_total')), 'upstream'), '{{upstream}}']],
        ),
      ],
    },
    {
      title: 'Where calls went instead',
      panels: [
        lines(
          {
            title: 'Fallbacks',
            about: 'Calls of a route that went on with its fallback.',
            unit: 'cps',
          },
          [[sum(rate(of('route_fallbacks_total', 'route!="(doctor)"')), 'route'), '{{route}}']],
        ),
        lines(
          { title: 'Lookups', about: 'Services asked where a call goes.', unit: 'cps' },
          [[`${sum(rate(of('lookups_total')), 'outcome')} > 0`, '{{outcome}}']],
          { stacked: true },
        ),
      ],
    },
  ],
};
