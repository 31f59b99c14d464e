import type { Board } from './boards.js';
import { failedHangups, inRange, of, quantile, rate, share, sum } from './metrics.js';
import { lines, number } from './panels.js';
import { thresholds as at } from './thresholds.js';

const settled = (matchers = '') => of('hangups_total', matchers);

export const hangups: Board = {
  question: 'Are hang-ups reaching Plivo?',
  uid: 'plivo-gateway-hangups',
  about:
    'A hang-up that does not reach Plivo is a call that goes on and costs money. Pending and young is the rate limit; pending and old, or failed, is trouble.',
  variables: [],
  rows: [
    {
      title: 'At a glance',
      panels: [
        number(
          {
            title: 'Pending',
            about: 'Accepted, kept on disk, not yet settled. Plivo takes 300 in 5 s and account.',
            unit: 'short',
          },
          sum(of('hangups_pending')),
          { warn: 50, bad: at.hangups.pending },
        ),
        number(
          {
            title: 'Oldest',
            about: 'Age of the oldest pending one. It grows while the API or the credentials fail.',
            unit: 's',
          },
          `max(${of('hangup_oldest_seconds')})`,
          { warn: 10, bad: at.hangups.oldestSeconds },
        ),
        number(
          {
            title: 'Failed',
            about: 'Given up or refused, kept for an operator: plivo-gateway hangups.',
            unit: 'short',
          },
          sum(of('hangups_failed')),
          { bad: 1 },
        ),
        number(
          {
            title: 'Accounts paused',
            about: 'Plivo’s API or the credentials fail: nothing is sent but a probe.',
            unit: 'short',
          },
          sum(of('hangup_account_paused')),
          { bad: 1 },
        ),
        number(
          {
            title: 'Went well',
            about:
              'Of those settled in the time shown: Plivo confirmed, or the call was over already.',
            unit: 'percentunit',
          },
          share(
            sum(inRange(settled('outcome=~"confirmed|already-ended|withdrawn"'))),
            sum(inRange(settled())),
          ),
          { warn: 0.999, bad: 0.99, falling: true },
          2,
        ),
        number(
          {
            title: 'Until confirmed, p99',
            about: 'From when a hang-up was due. Near zero but for bursts above the rate.',
            unit: 's',
          },
          quantile(0.99, of('hangup_seconds_bucket')),
          { warn: 5, bad: 30 },
        ),
      ],
    },
    {
      title: 'What becomes of them',
      panels: [
        lines(
          {
            title: 'Settled',
            about: 'By outcome. withdrawn: the stream came back, or the call was handed on.',
            unit: 'cps',
          },
          [[`${sum(rate(settled()), 'outcome')} > 0`, '{{outcome}}']],
          { stacked: true },
        ),
        lines(
          {
            title: 'Failed for good',
            about: 'These need somebody: plivo-gateway hangups lists them with Plivo’s answer.',
            unit: 'cps',
          },
          [[sum(rate(settled(`outcome=~"${failedHangups}"`)), 'instance'), '{{instance}}']],
        ),
        lines(
          {
            title: 'Requests',
            about: 'To Plivo’s API, by status. 429: another program uses the same account.',
            unit: 'cps',
          },
          [[`${sum(rate(of('hangup_requests_total')), 'outcome')} > 0`, '{{outcome}}']],
          { stacked: true },
        ),
        lines(
          {
            title: 'Until confirmed',
            about: 'From when they were due, median and p99.',
            unit: 's',
          },
          [
            [quantile(0.5, of('hangup_seconds_bucket')), 'median'],
            [quantile(0.99, of('hangup_seconds_bucket')), 'p99'],
          ],
        ),
      ],
    },
    {
      title: 'The queue',
      panels: [
        lines(
          {
            title: 'Pending',
            about: 'By gateway: one that stands out has trouble of its own.',
            unit: 'short',
          },
          [[of('hangups_pending'), '{{instance}}']],
          {
            levels: { bad: at.hangups.pending },
          },
        ),
        lines(
          {
            title: 'Oldest',
            about:
              'By gateway. A line that rises as time does is a hang-up that does not get through.',
            unit: 's',
          },
          [[of('hangup_oldest_seconds'), '{{instance}}']],
          {
            levels: { bad: at.hangups.oldestSeconds },
          },
        ),
        lines(
          {
            title: 'Requests left in the window',
            about: 'By account; at zero the rate limit is what is waited for.',
            unit: 'short',
          },
          [[of('hangup_window_left'), '{{instance}} {{account}}']],
        ),
        lines(
          {
            title: 'Journal',
            about:
              '1: its disk fails, and hang-ups are kept in memory only. A crash would lose them.',
            unit: 'short',
          },
          [[of('hangup_store_degraded'), '{{instance}}']],
          { max: 1 },
        ),
      ],
    },
    {
      title: 'What leads to them',
      panels: [
        lines(
          {
            title: 'Lost streams',
            about:
              'Broken, and may come back; after the grace their calls are hung up. held: many at once, so the network broke and not the calls.',
            unit: 'short',
          },
          [
            [sum(of('lost_streams')), 'waiting'],
            [sum(of('lost_streams_held')), 'held'],
          ],
        ),
        lines({ title: 'Transfers', about: 'Calls handed on through Plivo’s API.', unit: 'cps' }, [
          [sum(rate(of('transfers_total')), 'outcome'), '{{outcome}}'],
        ]),
        lines(
          { title: 'Call records', about: 'What became of them, by sink.', unit: 'cps' },
          [
            [
              `${sum(rate(of('call_records_total')), 'sink', 'outcome')} > 0`,
              '{{sink}}: {{outcome}}',
            ],
          ],
          { stacked: true },
        ),
        lines(
          {
            title: 'Call records waiting',
            about: 'For their webhook; 1,000 at most, then they are dropped.',
            unit: 'short',
          },
          [[of('call_records_waiting'), '{{instance}}']],
        ),
      ],
    },
  ],
};
