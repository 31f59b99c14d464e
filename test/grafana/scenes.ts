/** Input series of promtool: what a gateway shows while all is well, while it is not, and when it is well again. */

/** So many minutes each: well, ill, well. Windows of five minutes, and of fifteen, have passed in every one. */
export const phaseMinutes = 25;
const phases = [0, 1, 2] as const;

type Labels = Readonly<Record<string, string>>;

export interface Series {
  readonly series: string;
  readonly values: string;
}

const named = (name: string, labels: Labels) =>
  `${name}{${Object.entries({ instance: 'gw-1', job: 'plivo-gateway', ...labels })
    .map(([label, value]) => `${label}="${value}"`)
    .join(',')}}`;

const minutes = phases.flatMap((phase) => Array.from({ length: phaseMinutes }, () => phase));

type PerPhase = readonly [well: number, ill: number, wellAgain: number];

/** Has this value. */
export function gauge(name: string, labels: Labels, [a, b, c]: PerPhase): Series {
  const values = [a, b, c];
  return { series: named(name, labels), values: minutes.map((phase) => values[phase]).join(' ') };
}

/** Grows by so much a minute. */
export function counter(name: string, labels: Labels, [a, b, c]: PerPhase): Series {
  const perMinute = [a, b, c];
  let sum = 0;
  const values = minutes.map((phase) => {
    sum += perMinute[phase]!;
    return sum;
  });
  return { series: named(name, labels), values: values.join(' ') };
}

/** A histogram of 1,000 observations a minute, so many of them above the bound. */
export function histogram(name: string, labels: Labels, bound: string, above: PerPhase): Series[] {
  const below: PerPhase = [1_000 - above[0], 1_000 - above[1], 1_000 - above[2]];
  return [
    counter(`${name}_bucket`, { ...labels, le: bound }, below),
    counter(`${name}_bucket`, { ...labels, le: '+Inf' }, [1_000, 1_000, 1_000]),
    counter(`${name}_count`, labels, [1_000, 1_000, 1_000]),
  ];
}

const gw = (name: string) => `plivo_gateway_${name}`;
const admitted = (a: number) => counter(gw('upgrades_admitted_total'), { by: 'token' }, [a, a, a]);

export interface Scene {
  readonly series: readonly Series[];
  /** Besides the phases: what is just not enough. */
  readonly quiet?: readonly Series[];
}

/** For each alert what makes it fire in the second phase, and something like it that must not. */
export const scenes: Readonly<Record<string, Scene>> = {
  PlivoGatewayDown: {
    series: [gauge('up', {}, [1, 0, 1])],
    quiet: [gauge('up', { job: 'other' }, [0, 0, 0])],
  },
  PlivoGatewayAnsweredWithoutStream: {
    series: [
      counter(gw('answered_calls_total'), { outcome: 'stream' }, [20, 20, 20]),
      counter(gw('answered_calls_total'), { outcome: 'no-stream' }, [0, 3, 0]),
    ],
    // One of one is a caller who hung up, or a test.
    quiet: [
      counter(gw('answered_calls_total'), { outcome: 'stream' }, [0, 0, 0]),
      counter(gw('answered_calls_total'), { outcome: 'no-stream' }, [0, 0.4, 0]),
    ],
  },
  PlivoGatewayTurnsCallersAway: {
    series: [admitted(50), counter(gw('upgrades_refused_total'), { reason: 'full' }, [1, 5, 1])],
    quiet: [admitted(1), counter(gw('upgrades_refused_total'), { reason: 'full' }, [0, 1, 0])],
  },
  PlivoGatewayStrangers: {
    series: [
      counter(gw('upgrades_refused_total'), { reason: 'bad-signature' }, [1, 10, 1]),
      admitted(50),
    ],
    quiet: [counter(gw('upgrades_refused_total'), { reason: 'full' }, [1, 100, 1])],
  },
  PlivoGatewayConnectSlow: {
    series: histogram(gw('upstream_connect_seconds'), { upstream: 'bots' }, '1', [10, 200, 10]),
    quiet: histogram(gw('upstream_connect_seconds'), { upstream: 'bots' }, '1', [10, 90, 10]),
  },
  PlivoGatewayUpstreamOut: {
    series: [
      gauge(gw('upstream_addresses'), { upstream: 'bots', state: 'up' }, [2, 1, 2]),
      gauge(gw('upstream_addresses'), { upstream: 'bots', state: 'ejected' }, [0, 1, 0]),
    ],
    quiet: [gauge(gw('upstream_addresses'), { upstream: 'bots', state: 'leaving' }, [0, 1, 0])],
  },
  PlivoGatewayLatencyHigh: {
    series: histogram(gw('audio_latency_seconds'), {}, '0.05', [1, 50, 1]),
    quiet: histogram(gw('audio_latency_seconds'), {}, '0.05', [1, 9, 1]),
  },
  PlivoGatewayRingNearlyFull: {
    series: histogram(gw('ring_fill_ratio'), { ring: 'ingress' }, '0.75', [0, 40, 0]),
    quiet: histogram(gw('ring_fill_ratio'), { ring: 'ingress' }, '0.75', [0, 9, 0]),
  },
  PlivoGatewayPausesInSpeech: {
    series: [
      gauge(gw('calls_active'), {}, [50, 50, 50]),
      counter(gw('playout_underrun_seconds_count'), { route: 'main' }, [5, 100, 5]),
    ],
    quiet: [
      gauge(gw('calls_active'), {}, [2, 2, 2]),
      counter(gw('playout_underrun_seconds_count'), { route: 'main' }, [0, 10, 0]),
    ],
  },
  PlivoGatewayAudioDropped: {
    series: [
      counter(gw('media_in_total'), {}, [100_000, 100_000, 100_000]),
      counter(gw('media_out_total'), {}, [100_000, 100_000, 100_000]),
      counter(gw('drops_total'), { reason: 'ingress-full' }, [0, 1_000, 0]),
    ],
    quiet: [
      counter(gw('media_in_total'), {}, [100_000, 100_000, 100_000]),
      counter(gw('media_out_total'), {}, [100_000, 100_000, 100_000]),
      counter(gw('drops_total'), { reason: 'unknown-event' }, [0, 1_000, 0]),
    ],
  },
  PlivoGatewayOneWayAudio: {
    series: [
      counter(gw('calls_started_total'), { route: 'main' }, [10, 10, 10]),
      counter(gw('one_way_calls_total'), { route: 'main', side: 'nothing-played' }, [0, 1, 0]),
    ],
    quiet: [
      counter(gw('calls_started_total'), { route: '(doctor)' }, [10, 10, 10]),
      counter(gw('one_way_calls_total'), { route: '(doctor)', side: 'nothing-played' }, [0, 1, 0]),
    ],
  },
  PlivoGatewayHangupBacklog: {
    series: [gauge(gw('hangups_pending'), {}, [3, 900, 0])],
    quiet: [gauge(gw('hangups_pending'), {}, [3, 300, 0])],
  },
  PlivoGatewayHangupOld: {
    series: [gauge(gw('hangup_oldest_seconds'), {}, [1, 75, 1])],
    quiet: [gauge(gw('hangup_oldest_seconds'), {}, [1, 60, 1])],
  },
  PlivoGatewayHangupsPaused: {
    series: [gauge(gw('hangup_account_paused'), { account: 'default' }, [0, 1, 0])],
  },
  PlivoGatewayHangupsFailing: {
    series: [counter(gw('hangups_total'), { outcome: 'gave-up' }, [0, 1, 0])],
    quiet: [counter(gw('hangups_total'), { outcome: 'confirmed' }, [5, 50, 5])],
  },
  PlivoGatewayJournalDegraded: { series: [gauge(gw('hangup_store_degraded'), {}, [0, 1, 0])] },
  PlivoGatewayShardRestarts: { series: [counter(gw('shard_restarts_total'), {}, [0, 1, 0])] },
  PlivoGatewayFrontLate: {
    series: histogram(gw('front_delay_seconds'), {}, '0.05', [0, 30, 0]),
    quiet: histogram(gw('front_delay_seconds'), {}, '0.05', [0, 9, 0]),
  },
  PlivoGatewayShardLate: {
    series: histogram(gw('shard_delay_seconds'), {}, '0.05', [0, 30, 0]),
    quiet: histogram(gw('shard_delay_seconds'), {}, '0.05', [0, 9, 0]),
  },
  PlivoGatewayDrainForced: {
    series: [counter(gw('calls_ended_total'), { reason: 'drain-deadline' }, [0, 1, 0])],
    quiet: [counter(gw('calls_ended_total'), { reason: 'app-end' }, [5, 50, 5])],
  },
  PlivoGatewayCertificateExpires: {
    series: [
      gauge(gw('certificate_expiry_timestamp_seconds'), {}, [90 * 86_400, 5 * 86_400, 90 * 86_400]),
    ],
    quiet: [
      gauge(gw('certificate_expiry_timestamp_seconds'), {}, [
        90 * 86_400,
        15 * 86_400,
        90 * 86_400,
      ]),
    ],
  },
};
