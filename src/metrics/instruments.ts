import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type EndReason, endReasonNames, endReasons } from '../errors.js';
import type { AnswererBody } from '../shard/record.js';
import { registerProcess } from './process.js';

/** The closed lists that labels come from. */
export interface LabelLists {
  readonly refusals: readonly string[];
  readonly hangupOutcomes: readonly string[];
  readonly requestOutcomes: readonly string[];
  readonly webhookKinds: readonly string[];
  readonly webhookOutcomes: readonly string[];
  readonly answerOutcomes: readonly string[];
  readonly arrivals: readonly string[];
  readonly credentials: readonly string[];
  readonly streamEvents: readonly string[];
  readonly recordSinks: readonly string[];
  readonly captureEnds: readonly string[];
  readonly recordOutcomes: readonly string[];
}

export interface LabelNames extends LabelLists {
  readonly routes: readonly string[];
  readonly upstreams: readonly string[];
  readonly version: string;
  /** Stands for the effective configuration. */
  readonly config: string;
}

/** Every metric that is counted by the front itself, call by call. Per-frame counts are in `collect.ts`. */
export class Instruments {
  readonly registry = new Registry();
  readonly callsStarted: Counter<'route'>;
  readonly callsEnded: Counter<'route' | 'reason' | 'fault'>;
  readonly unstarted: Counter<'reason'>;
  readonly admissions: Counter<'by'>;
  readonly refusals: Counter<'reason'>;
  readonly hangups: Counter<'outcome'>;
  readonly hangupRequests: Counter<'outcome'>;
  readonly hangupTime: Histogram;
  readonly webhooks: Counter<'kind' | 'outcome'>;
  readonly answers: Counter<'outcome'>;
  readonly answeredCalls: Counter<'outcome'>;
  readonly streamEvents: Counter<'event'>;
  readonly callRecords: Counter<'sink' | 'outcome'>;
  readonly transfers: Counter<'outcome'>;
  readonly fallbacks: Counter<'route'>;
  readonly adoptions: Counter;
  readonly captures: Counter<'end'>;
  readonly upstreamConnect: Histogram<'upstream'>;
  readonly upstreamFirstAudio: Histogram<'upstream'>;
  readonly reloads: Counter<'outcome'>;
  readonly #version: string;
  readonly #buildInfo: Gauge<'version' | 'config'>;

  constructor(names: LabelNames) {
    const registers = [this.registry];
    registerProcess(this.registry);
    this.callsStarted = new Counter({
      name: 'plivo_gateway_calls_started_total',
      help: 'Calls whose start message arrived',
      labelNames: ['route'],
      registers,
    });
    this.callsEnded = new Counter({
      name: 'plivo_gateway_calls_ended_total',
      help: 'Calls that ended, by the reason that came first and whose doing it was',
      labelNames: ['route', 'reason', 'fault'],
      registers,
    });
    this.unstarted = new Counter({
      name: 'plivo_gateway_connections_unstarted_total',
      help: 'Connections that ended before their start message',
      labelNames: ['reason'],
      registers,
    });
    this.admissions = new Counter({
      name: 'plivo_gateway_upgrades_admitted_total',
      help: 'WebSocket upgrades admitted: by token, by the form of URL that Plivo signed, or unchecked',
      labelNames: ['by'],
      registers,
    });
    this.refusals = new Counter({
      name: 'plivo_gateway_upgrades_refused_total',
      help: 'WebSocket upgrades refused',
      labelNames: ['reason'],
      registers,
    });
    this.hangups = new Counter({
      name: 'plivo_gateway_hangups_total',
      help: 'Hang-ups settled, by outcome',
      labelNames: ['outcome'],
      registers,
    });
    this.hangupRequests = new Counter({
      name: 'plivo_gateway_hangup_requests_total',
      help: 'Hang-up requests sent to Plivo, by status; no-answer: time-out or network error',
      labelNames: ['outcome'],
      registers,
    });
    this.hangupTime = new Histogram({
      name: 'plivo_gateway_hangup_seconds',
      help: 'Time from when a hang-up was due until Plivo confirmed it',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600],
      registers,
    });
    this.webhooks = new Counter({
      name: 'plivo_gateway_webhooks_total',
      help: 'Webhooks on the public port, by kind and what became of them',
      labelNames: ['kind', 'outcome'],
      registers,
    });
    this.answers = new Counter({
      name: 'plivo_gateway_answers_total',
      help: 'Calls that asked for an answer, by what they got',
      labelNames: ['outcome'],
      registers,
    });
    this.answeredCalls = new Counter({
      name: 'plivo_gateway_answered_calls_total',
      help: 'Calls that were told to stream here, by what came within 10 s; elsewhere: a stream came that another gateway answered',
      labelNames: ['outcome'],
      registers,
    });
    this.streamEvents = new Counter({
      name: 'plivo_gateway_stream_events_total',
      help: 'What Plivo tells of streams by webhook',
      labelNames: ['event'],
      registers,
    });
    this.callRecords = new Counter({
      name: 'plivo_gateway_call_records_total',
      help: 'Call records, by where they go and what became of them',
      labelNames: ['sink', 'outcome'],
      registers,
    });
    this.transfers = new Counter({
      name: 'plivo_gateway_transfers_total',
      help: 'Transfers asked for by handlers, by outcome',
      labelNames: ['outcome'],
      registers,
    });
    this.captures = new Counter({
      name: 'plivo_gateway_captures_total',
      help: 'Captures of calls that ended, by why they did',
      labelNames: ['end'],
      registers,
    });
    this.adoptions = new Counter({
      name: 'plivo_gateway_calls_adopted_total',
      help: 'Calls that went on in another worker, as their own had died',
      registers,
    });
    this.fallbacks = new Counter({
      name: 'plivo_gateway_route_fallbacks_total',
      help: 'Calls of a route that went on with its fallback',
      labelNames: ['route'],
      registers,
    });
    this.upstreamConnect = new Histogram({
      name: 'plivo_gateway_upstream_connect_seconds',
      help: 'Time until an application took the call, over all addresses tried',
      labelNames: ['upstream'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3, 10],
      registers,
    });
    this.upstreamFirstAudio = new Histogram({
      name: 'plivo_gateway_upstream_first_audio_seconds',
      help: 'Time from then until its first audio',
      labelNames: ['upstream'],
      buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30],
      registers,
    });
    this.reloads = new Counter({
      name: 'plivo_gateway_reloads_total',
      help: 'Configuration reloads, by outcome',
      labelNames: ['outcome'],
      registers,
    });
    this.#version = names.version;
    this.#buildInfo = new Gauge({
      name: 'plivo_gateway_build_info',
      help: 'Always 1; the version, and what stands for the configuration without its secrets',
      labelNames: ['version', 'config'],
      registers,
    });
    this.configured(names.config);
    this.#zero(names);
  }

  /** Another configuration holds from now on. */
  configured(config: string): void {
    this.#buildInfo.reset();
    this.#buildInfo.set({ version: this.#version, config }, 1);
  }

  /** `wasCall`: its start had arrived, so that calls started = calls ended + live. */
  ended(route: string, reason: EndReason, wasCall: boolean): void {
    if (wasCall) this.callsEnded.inc({ route, reason, fault: endReasons[reason] });
    else this.unstarted.inc({ reason });
  }

  /** Series of routes exist from when the routes do. */
  knowRoutes(routes: readonly string[]): void {
    for (const route of routes) {
      this.callsStarted.inc({ route }, 0);
      this.fallbacks.inc({ route }, 0);
      for (const reason of endReasonNames) {
        this.callsEnded.inc({ route, reason, fault: endReasons[reason] }, 0);
      }
    }
  }

  knowUpstreams(upstreams: readonly string[]): void {
    for (const upstream of upstreams) {
      this.upstreamConnect.zero({ upstream });
      this.upstreamFirstAudio.zero({ upstream });
    }
  }

  /** What became of a call that an application is to answer. */
  answerer(route: string, body: AnswererBody): void {
    if (body.what === 'moved') this.fallbacks.inc({ route });
    else {
      const { upstream, what, ms } = body;
      const time = what === 'reached' ? this.upstreamConnect : this.upstreamFirstAudio;
      time.observe({ upstream }, ms / 1_000);
    }
  }

  /** Every series exists from the start, so that a first event is a step from 0 and not a new series. */
  #zero(names: LabelNames): void {
    const { routes, refusals, hangupOutcomes, requestOutcomes, webhookKinds } = names;
    this.knowRoutes(routes);
    this.knowUpstreams(names.upstreams);
    for (const outcome of ['ok', 'failed']) this.reloads.inc({ outcome }, 0);
    for (const reason of endReasonNames) this.unstarted.inc({ reason }, 0);
    for (const reason of refusals) this.refusals.inc({ reason }, 0);
    for (const by of names.credentials) this.admissions.inc({ by }, 0);
    for (const outcome of names.answerOutcomes) this.answers.inc({ outcome }, 0);
    for (const outcome of names.arrivals) this.answeredCalls.inc({ outcome }, 0);
    for (const end of names.captureEnds) this.captures.inc({ end }, 0);
    for (const sink of names.recordSinks) {
      for (const outcome of names.recordOutcomes) this.callRecords.inc({ sink, outcome }, 0);
    }
    for (const event of names.streamEvents) this.streamEvents.inc({ event }, 0);
    for (const outcome of hangupOutcomes) this.hangups.inc({ outcome }, 0);
    for (const outcome of requestOutcomes) this.hangupRequests.inc({ outcome }, 0);
    for (const kind of webhookKinds) {
      for (const outcome of names.webhookOutcomes) this.webhooks.inc({ kind, outcome }, 0);
    }
    for (const outcome of ['ok', 'failed']) this.transfers.inc({ outcome }, 0);
  }
}
