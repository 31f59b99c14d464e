import type { Board } from './boards.js';
import {
  failedReasons,
  inRange,
  job,
  of,
  ofProcess,
  quantile,
  rate,
  share,
  strangerReasons,
  sum,
  turnedAwayReasons,
} from './metrics.js';
import { bars, lines, number } from './panels.js';
import { thresholds as at } from './thresholds.js';

const up = `up{job="${job}",instance=~"$instance"}`;
const calls = (matchers = '') => of('calls_ended_total', matchers, 'route');
const refused = (reasons: string) => of('upgrades_refused_total', `reason=~"${reasons}"`);
const attempts = `${sum(inRange(of('upgrades_admitted_total')))} + ${sum(inRange(refused(turnedAwayReasons)))}`;

export const well: Board = {
  question: 'Is it well?',
  uid: 'plivo-gateway-well',
  about:
    'The first row says whether anything is wrong; the rows below, where. All green: look elsewhere.',
  variables: ['route'],
  rows: [
    {
      title: 'At a glance',
      panels: [
        number(
          {
            title: 'Gateways down',
            about: 'Targets that Prometheus does not reach.',
            unit: 'short',
          },
          `count(${up} == 0) or vector(0)`,
          { bad: 1 },
        ),
        number(
          {
            title: 'Alerts firing',
            about: 'Of this project; docs/runbook.md says what to do.',
            unit: 'short',
          },
          'count(ALERTS{alertname=~"PlivoGateway.*",alertstate="firing"}) or vector(0)',
          { bad: 1 },
        ),
        number(
          { title: 'Live calls', about: 'Now, over all gateways chosen.', unit: 'short' },
          sum(of('calls_active')),
        ),
        number(
          {
            title: 'Room in use',
            about: 'Live calls of those allowed (limits.calls). Full: new calls are refused.',
            unit: 'percentunit',
          },
          `${sum(of('calls_active'))} / ${sum(of('calls_limit'))}`,
          { warn: at.room.tight, bad: at.room.full },
          1,
        ),
        number(
          {
            title: 'Calls that failed',
            about:
              'Of those that ended in the time shown: broken streams, applications that failed or were lost, our own faults.',
            unit: 'percentunit',
          },
          share(sum(inRange(calls(`reason=~"${failedReasons}"`))), sum(inRange(calls()))),
          { warn: 0.01, bad: 0.05 },
          2,
        ),
        number(
          {
            title: 'Callers turned away',
            about: 'Upgrades refused for want of room or route, of all that were Plivo’s.',
            unit: 'percentunit',
          },
          share(sum(inRange(refused(turnedAwayReasons))), attempts),
          { warn: 0.001, bad: at.refused.share },
          2,
        ),
        number(
          {
            title: 'Answered, no stream',
            about:
              'Calls told to stream here that did not within 10 s. Above zero: look at PUBLIC_URL and the firewall (plivo-gateway doctor).',
            unit: 'short',
          },
          sum(inRange(of('answered_calls_total', 'outcome="no-stream"'))),
          { warn: 1, bad: at.noStream.calls },
          0,
        ),
        number(
          {
            title: 'Frame latency, p99',
            about:
              'From a message of Plivo (or the clock) to the audio that answers it on the socket. Above 50 ms callers begin to hear it.',
            unit: 's',
          },
          quantile(0.99, of('audio_latency_seconds_bucket')),
          { warn: 0.02, bad: at.latency.seconds },
        ),
        number(
          {
            title: 'Hang-ups pending',
            about: 'Calls to be ended at Plivo that it has not confirmed yet.',
            unit: 'short',
          },
          sum(of('hangups_pending')),
          { warn: 50, bad: at.hangups.pending },
        ),
        number(
          {
            title: 'Hang-ups failed',
            about: 'Given up or refused, kept for an operator: these calls may still cost money.',
            unit: 'short',
          },
          sum(of('hangups_failed')),
          { bad: 1 },
        ),
        number(
          {
            title: 'Shards not ready',
            about: 'Worker threads that take no calls now.',
            unit: 'short',
          },
          `count(${of('shard_ready')} == 0) or vector(0)`,
          { bad: 1 },
        ),
        number(
          {
            title: 'Draining',
            about: 'Gateways that let their calls finish and take no new ones.',
            unit: 'short',
          },
          sum(of('draining')),
          { warn: 1, bad: 1_000 },
        ),
      ],
    },
    {
      title: 'Calls',
      panels: [
        lines(
          {
            title: 'Live calls',
            about:
              'By gateway. A step down that no other gateway mirrors is a gateway that lost its calls.',
            unit: 'short',
          },
          [[of('calls_active'), '{{instance}}']],
        ),
        lines(
          {
            title: 'Calls begun',
            about:
              'By route. Silence where there should be calls is a fault in front of the gateway.',
            unit: 'cps',
          },
          [[sum(rate(of('calls_started_total', '', 'route')), 'route'), '{{route}}']],
        ),
        lines(
          {
            title: 'How calls end',
            about: 'All reasons that there were. The README says what each means.',
            unit: 'cps',
          },
          [[`${sum(rate(calls()), 'reason')} > 0`, '{{reason}}']],
          { stacked: true },
        ),
        lines(
          {
            title: 'Calls that failed',
            about:
              'By reason and whose doing it was. The application: its own log says why. The gateway: ours.',
            unit: 'cps',
          },
          [
            [
              `${sum(rate(calls(`reason=~"${failedReasons}"`)), 'reason', 'fault')} > 0`,
              '{{reason}} ({{fault}})',
            ],
          ],
          { stacked: true },
        ),
      ],
    },
    {
      title: 'Who comes in',
      panels: [
        lines(
          {
            title: 'Streams admitted',
            about: 'By what they brought: a token, or the form of URL that Plivo had signed.',
            unit: 'cps',
          },
          [[`${sum(rate(of('upgrades_admitted_total')), 'by')} > 0`, '{{by}}']],
          { stacked: true },
        ),
        lines(
          {
            title: 'Streams refused',
            about:
              'Strangers (tokens, signatures) and callers turned away (full, no-shard, no-route) alike.',
            unit: 'cps',
          },
          [[`${sum(rate(of('upgrades_refused_total')), 'reason')} > 0`, '{{reason}}']],
          { stacked: true },
        ),
        lines(
          {
            title: 'Strangers at the door',
            about:
              'Upgrades without a valid token or signature. Some are the internet; many at once are a key that changed.',
            unit: 'cps',
          },
          [[sum(rate(refused(strangerReasons)), 'instance'), '{{instance}}']],
        ),
        lines(
          { title: 'Answers', about: 'What calls got that asked for XML at /answer.', unit: 'cps' },
          [[`${sum(rate(of('answers_total')), 'outcome')} > 0`, '{{outcome}}']],
          { stacked: true },
        ),
        lines(
          {
            title: 'Webhooks',
            about:
              'Of Plivo: by kind and what became of them. unsigned: PUBLIC_URL or the auth token is not what Plivo signs with.',
            unit: 'cps',
          },
          [[`${sum(rate(of('webhooks_total')), 'kind', 'outcome')} > 0`, '{{kind}}: {{outcome}}']],
          { stacked: true },
        ),
        lines(
          {
            title: 'What Plivo says of streams',
            about: 'Its status webhooks. dropped and degraded: its own view of a bad connection.',
            unit: 'cps',
          },
          [[`${sum(rate(of('stream_events_total')), 'event')} > 0`, '{{event}}']],
          { stacked: true },
        ),
      ],
    },
    {
      title: 'The machine',
      panels: [
        lines({ title: 'CPU', about: 'Of the whole process, in cores.', unit: 'short' }, [
          [rate(ofProcess('process_cpu_seconds_total')), '{{instance}}'],
        ]),
        lines(
          {
            title: 'Memory',
            about: 'Resident. It grows with calls, about 11 KB each, and falls with them.',
            unit: 'bytes',
          },
          [[ofProcess('process_resident_memory_bytes'), '{{instance}}']],
        ),
        bars(
          {
            title: 'File descriptors in use',
            about: 'Of those allowed (ulimit -n). One per call, and one more with an upstream.',
            unit: 'percentunit',
          },
          [`${ofProcess('process_open_fds')} / ${ofProcess('process_max_fds')}`, '{{instance}}'],
          { warn: 0.7, bad: 0.9 },
        ),
        lines(
          {
            title: 'Workers replaced',
            about: 'Shards whose thread died, a minute. Their log lines say in which call’s hand.',
            unit: 'short',
          },
          [[`60 * ${rate(of('shard_restarts_total'))}`, '{{instance}}']],
        ),
      ],
    },
  ],
};
