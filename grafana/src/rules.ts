import {
  droppedAudioReasons,
  failedHangups,
  job,
  strangerReasons,
  turnedAwayReasons,
} from './metrics.js';
import { thresholds as at } from './thresholds.js';

/** As Prometheus takes it. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: 'critical' | 'warning' };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    /** Section of the runbook. */
    readonly runbook: string;
  };
}

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

const runbook = 'docs/runbook.md';

const series = (name: string, matchers = '') =>
  `plivo_gateway_${name}${matchers === '' ? '' : `{${matchers}}`}`;
const rose = (name: string, matchers = '') => `increase(${series(name, matchers)}[5m])`;
const byInstance = (expression: string) => `sum by (instance) (${expression})`;

/** Share of observations of a histogram above one of its bounds, over five minutes. */
function above(bound: number, name: string, ...by: string[]): string {
  const rate = (part: string, matchers?: string) =>
    `sum by (${['instance', ...by].join(', ')}) (rate(${series(`${name}_${part}`, matchers)}[5m]))`;
  // Prometheus 3 writes whole bounds as 1.0, what came before it as 1.
  const le = Number.isInteger(bound) ? `le=~"${bound}|${bound}.0"` : `le="${bound}"`;
  return `1 - ${rate('bucket', le)} / (${rate('count')} > 0)`;
}

export const recordings: readonly RecordingRule[] = [
  {
    record: 'instance:plivo_gateway_upgrades_turned_away:share5m',
    expr: `${byInstance(rose('upgrades_refused_total', `reason=~"${turnedAwayReasons}"`))} / (${byInstance(rose('upgrades_refused_total', `reason=~"${turnedAwayReasons}"`))} + ${byInstance(rose('upgrades_admitted_total'))} > 0)`,
  },
  {
    record: 'instance:plivo_gateway_answered_without_stream:share5m',
    expr: `${byInstance(rose('answered_calls_total', 'outcome="no-stream"'))} / (${byInstance(rose('answered_calls_total'))} > 0)`,
  },
  {
    record: 'instance_upstream:plivo_gateway_upstream_connect_slow:share5m',
    expr: above(at.connect.seconds, 'upstream_connect_seconds', 'upstream'),
  },
  {
    record: 'instance:plivo_gateway_audio_latency_slow:share5m',
    expr: above(at.latency.seconds, 'audio_latency_seconds'),
  },
  {
    record: 'instance_ring:plivo_gateway_ring_full:share5m',
    expr: above(at.ring.ratio, 'ring_fill_ratio', 'ring'),
  },
  {
    record: 'instance:plivo_gateway_front_late:share5m',
    expr: above(at.delay.seconds, 'front_delay_seconds'),
  },
  {
    record: 'instance:plivo_gateway_shard_late:share5m',
    expr: above(at.delay.seconds, 'shard_delay_seconds'),
  },
  {
    record: 'instance:plivo_gateway_playout_underruns:per_call_minute5m',
    expr: `60 * ${byInstance(`rate(${series('playout_underrun_seconds_count')}[5m])`)} / (${byInstance(`avg_over_time(${series('calls_active')}[5m])`)} > 0)`,
  },
  {
    record: 'instance:plivo_gateway_audio_dropped:share5m',
    expr: `${byInstance(rose('drops_total', `reason=~"${droppedAudioReasons}"`))} / (${byInstance(rose('media_in_total'))} + ${byInstance(rose('media_out_total'))} > 0)`,
  },
  {
    record: 'instance_route:plivo_gateway_calls_one_way:share15m',
    expr: `sum by (instance, route) (increase(${series('one_way_calls_total')}[15m])) / (sum by (instance, route) (increase(${series('calls_started_total')}[15m])) > 0)`,
  },
];

type Draft = Omit<AlertRule, 'labels' | 'annotations'> & {
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
  readonly description: string;
};

const percent = '{{ $value | humanizePercentage }}';

const drafts: readonly Draft[] = [
  {
    alert: 'PlivoGatewayDown',
    expr: `up{job="${job}"} == 0`,
    for: '1m',
    severity: 'critical',
    summary: '{{ $labels.instance }} does not answer',
    description: 'Prometheus has not reached its /metrics for a minute. Its calls may be lost.',
  },
  {
    alert: 'PlivoGatewayNoCalls',
    expr: [
      `sum by (job) (increase(${series('calls_started_total')}[30m])) == 0`,
      `and sum by (job) (up{job="${job}"}) > 0`,
      `and sum by (job) (increase(${series('calls_started_total')}[30m] offset 1d)) > 10`,
      `and sum by (job) (increase(${series('calls_started_total')}[30m] offset 7d)) > 10`,
    ].join(' '),
    for: '5m',
    severity: 'critical',
    summary: 'No call has begun for half an hour, on any gateway',
    description: 'At this time of the day there were calls yesterday and a week ago.',
  },
  {
    alert: 'PlivoGatewayAnsweredWithoutStream',
    expr: `instance:plivo_gateway_answered_without_stream:share5m > ${at.noStream.share} and on (instance) ${byInstance(rose('answered_calls_total', 'outcome="no-stream"'))} >= ${at.noStream.calls}`,
    for: '2m',
    severity: 'critical',
    summary: `${percent} of the calls that {{ $labels.instance }} answered have no stream`,
    description:
      'They were told to stream here and did not within 10 s: their callers hear nothing.',
  },
  {
    alert: 'PlivoGatewayTurnsCallersAway',
    expr: `instance:plivo_gateway_upgrades_turned_away:share5m > ${at.refused.share} and on (instance) ${byInstance(rose('upgrades_refused_total', `reason=~"${turnedAwayReasons}"`))} + ${byInstance(rose('upgrades_admitted_total'))} > ${at.refused.attempts}`,
    for: '2m',
    severity: 'critical',
    summary: `{{ $labels.instance }} turns away ${percent} of its callers`,
    description:
      'For want of room (full), of a shard that keeps up (no-shard), or of a route (no-route).',
  },
  {
    alert: 'PlivoGatewayStrangers',
    expr: `${byInstance(rose('upgrades_refused_total', `reason=~"${strangerReasons}"`))} > ${at.strangers}`,
    for: '5m',
    severity: 'warning',
    summary: '{{ $labels.instance }} refuses many without a valid token or signature',
    description:
      '{{ $value | humanize }} in 5 minutes: an attack, or a key that Plivo’s side does not share.',
  },
  {
    alert: 'PlivoGatewayConnectSlow',
    expr: `instance_upstream:plivo_gateway_upstream_connect_slow:share5m > ${at.connect.share} and on (instance, upstream) sum by (instance, upstream) (${rose('upstream_connect_seconds_count')}) > 10`,
    for: '5m',
    severity: 'warning',
    summary: `Upstream {{ $labels.upstream }} takes ${percent} of its calls only after ${at.connect.seconds} s`,
    description: 'Their callers hear silence, or the WAV of the route, until then.',
  },
  {
    alert: 'PlivoGatewayUpstreamOut',
    expr: `sum by (instance, upstream) (${series('upstream_addresses', 'state=~"ejected|unhealthy"')}) > 0`,
    for: '1m',
    severity: 'warning',
    summary: '{{ $value }} addresses of upstream {{ $labels.upstream }} take no calls',
    description:
      'Ejected after failures in a row, or unhealthy by their check. The others have its calls.',
  },
  {
    alert: 'PlivoGatewayLatencyHigh',
    expr: `instance:plivo_gateway_audio_latency_slow:share5m > ${at.latency.share}`,
    for: '5m',
    severity: 'critical',
    summary: `On {{ $labels.instance }} ${percent} of the frames take more than ${at.latency.seconds * 1_000} ms`,
    description: 'Their p99 is above what callers do not notice.',
  },
  {
    alert: 'PlivoGatewayRingNearlyFull',
    expr: `instance_ring:plivo_gateway_ring_full:share5m > ${at.ring.share}`,
    for: '2m',
    severity: 'critical',
    summary: `The {{ $labels.ring }} rings of {{ $labels.instance }} were above ${at.ring.ratio * 100} % in ${percent} of the looks`,
    description: 'From 87.5 % on audio is dropped. A thread does not keep up.',
  },
  {
    alert: 'PlivoGatewayPausesInSpeech',
    expr: `instance:plivo_gateway_playout_underruns:per_call_minute5m > ${at.underrunsPerMinute} and on (instance) ${byInstance(`avg_over_time(${series('calls_active')}[5m])`)} > 5`,
    for: '5m',
    severity: 'warning',
    summary:
      'Callers of {{ $labels.instance }} hear {{ $value | humanize }} pauses a minute inside speech',
    description:
      'Plivo had nothing left to play: the application, the upstream’s network or the gateway is late.',
  },
  {
    alert: 'PlivoGatewayAudioDropped',
    expr: `instance:plivo_gateway_audio_dropped:share5m > ${at.dropped} and on (instance) ${byInstance(rose('media_in_total'))} > 10000`,
    for: '2m',
    severity: 'critical',
    summary: `{{ $labels.instance }} puts ${percent} of the audio aside`,
    description:
      'For want of room in a ring or a queue, or of a reader; by reason in plivo_gateway_drops_total.',
  },
  {
    alert: 'PlivoGatewayOneWayAudio',
    expr: `instance_route:plivo_gateway_calls_one_way:share15m{route!="(doctor)"} > ${at.oneWay} and on (instance, route) sum by (instance, route) (increase(${series('calls_started_total')}[15m])) > 20`,
    for: '5m',
    severity: 'warning',
    summary: `In ${percent} of the calls of route {{ $labels.route }} one side is silent`,
    description: 'For 10 s: the caller sends digital silence, or the application has said nothing.',
  },
  {
    alert: 'PlivoGatewayHangupBacklog',
    expr: `${series('hangups_pending')} > ${at.hangups.pending}`,
    for: '2m',
    severity: 'warning',
    summary: '{{ $value }} hang-ups wait on {{ $labels.instance }}',
    description: 'More than Plivo takes in 5 s: these calls cost money until their turn comes.',
  },
  {
    alert: 'PlivoGatewayHangupOld',
    expr: `${series('hangup_oldest_seconds')} > ${at.hangups.oldestSeconds}`,
    for: '1m',
    severity: 'critical',
    summary: 'A hang-up waits for {{ $value | humanizeDuration }} on {{ $labels.instance }}',
    description: 'Its call goes on at Plivo, and costs money.',
  },
  {
    alert: 'PlivoGatewayHangupsPaused',
    expr: `${series('hangup_account_paused')} == 1`,
    for: '1m',
    severity: 'critical',
    summary: 'No hang-ups for account {{ $labels.account }} on {{ $labels.instance }}',
    description: 'Plivo’s API fails, or refuses the credentials. All are kept and tried again.',
  },
  {
    alert: 'PlivoGatewayHangupsFailing',
    expr: `${byInstance(rose('hangups_total', `outcome=~"${failedHangups}"`))} > 0`,
    for: '0m',
    severity: 'critical',
    summary: '{{ $value | humanize }} hang-ups of {{ $labels.instance }} failed for good',
    description: 'They are not tried again by themselves: these calls may go on.',
  },
  {
    alert: 'PlivoGatewayJournalDegraded',
    expr: `${series('hangup_store_degraded')} == 1`,
    for: '1m',
    severity: 'critical',
    summary: '{{ $labels.instance }} cannot write its journal',
    description: 'Hang-ups are kept in memory only: a crash would lose them.',
  },
  {
    alert: 'PlivoGatewayShardRestarts',
    expr: `${byInstance(rose('shard_restarts_total'))} > 0`,
    for: '0m',
    severity: 'warning',
    summary: 'A worker of {{ $labels.instance }} died and was replaced',
    description: 'The log line “shard lost” says why, and in which call’s hand.',
  },
  {
    alert: 'PlivoGatewayFrontLate',
    expr: `instance:plivo_gateway_front_late:share5m > ${at.delay.share}`,
    for: '5m',
    severity: 'critical',
    summary: `The front of {{ $labels.instance }} comes late in ${percent} of the looks`,
    description: `By more than ${at.delay.seconds * 1_000} ms: all its calls wait for it.`,
  },
  {
    alert: 'PlivoGatewayShardLate',
    expr: `instance:plivo_gateway_shard_late:share5m > ${at.delay.share}`,
    for: '5m',
    severity: 'warning',
    summary: `Shards of {{ $labels.instance }} come late in ${percent} of their ticks`,
    description: `By more than ${at.delay.seconds * 1_000} ms: a handler computes too long, or cores are wanting.`,
  },
  {
    alert: 'PlivoGatewayDrainForced',
    expr: `sum by (job) (increase(${series('calls_ended_total', 'reason="drain-deadline"')}[15m])) > 0`,
    for: '0m',
    severity: 'warning',
    summary: '{{ $value | humanize }} calls were ended by the deadline of a drain',
    description: 'They were still live after drain.timeout.',
  },
  {
    alert: 'PlivoGatewayCertificateExpires',
    expr: `${series('certificate_expiry_timestamp_seconds')} - time() < ${at.certificateDays} * 86400`,
    for: '1h',
    severity: 'warning',
    summary: 'The certificate of {{ $labels.instance }} expires in {{ $value | humanizeDuration }}',
    description:
      'Plivo does not stream to a port with an expired one. SIGHUP takes a renewed one up.',
  },
];

export const alerts: readonly AlertRule[] = drafts.map(
  ({ severity, summary, description, ...rule }) => ({
    ...rule,
    labels: { severity },
    annotations: {
      summary,
      description,
      runbook: `${runbook}#${rule.alert.toLowerCase()}`,
    },
  }),
);
