import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { registerCounts } from '../../src/metrics/collect.js';
import type { HangupCounts } from '../../src/metrics/hangups.js';
import { Instruments } from '../../src/metrics/instruments.js';
import type { UpstreamView } from '../../src/routing/upstreams.js';
import {
  addCounters,
  counter,
  counterBlock,
  drop,
  dropReasons,
  histogram,
  voiceBlock,
} from '../../src/shard/counters.js';
import { observe } from '../../src/shard/histogram.js';
import { ShardState, words } from '../../src/shard/layout.js';
import { RecordKind } from '../../src/shard/record.js';
import { Shard } from '../../src/shard/shard.js';
import { type UpstreamEvent, upstreamEvents } from '../../src/shard/upstream-board.js';
import { oneWay, VoiceAreas, voiceTime } from '../../src/shard/voice-counters.js';
import { type Family, parseExposition } from './exposition.js';

const opened: Shard[] = [];

afterEach(() => {
  for (const shard of opened.splice(0)) {
    shard.close();
    shard.workerPorts[0].close();
  }
});

const noHangups: HangupCounts = {
  ...{ pending: 0, failed: 0, oldestSeconds: 0, lostStreams: 0, lostStreamsHeld: 0 },
  ...{ degraded: 0, badLines: 0, accounts: [{ name: 'default', paused: false, windowLeft: 0 }] },
};

const noEvents = Object.fromEntries(upstreamEvents.map((event) => [event, 0])) as Record<
  UpstreamEvent,
  number
>;

/** A registry over shards that nobody serves. */
class Scene {
  readonly shards: Shard[] = [];
  readonly front = counterBlock();
  readonly retired = counterBlock();
  readonly areas = new VoiceAreas();
  readonly gauges = { calls: 0, connections: 0, restarts: 0, draining: false };
  hangups = noHangups;
  readonly upstreams: readonly UpstreamView[];
  readonly registry = new Registry();

  constructor(
    shardCount: number,
    upstreams: readonly UpstreamView[] = [],
    certificateExpiresMs?: () => number,
  ) {
    this.upstreams = upstreams;
    this.areas.of('default');
    for (let index = 0; index < shardCount; index += 1) this.open(index, 0);
    registerCounts(this.registry, {
      shards: () => this.shards,
      front: this.front,
      retired: this.retired,
      areas: this.areas,
      gauges: {
        calls: () => this.gauges.calls,
        callsLimit: 0,
        callRecordsWaiting: () => 0,
        captures: () => 0,
        connections: () => this.gauges.connections,
        shardRestarts: () => this.gauges.restarts,
        draining: () => this.gauges.draining,
        certificateExpiresMs,
      },
      hangups: () => this.hangups,
      upstreams: () => this.upstreams,
    });
  }

  open(index: number, incarnation: number): Shard {
    const shard = new Shard(index, 10, 1_000);
    shard.index = index;
    shard.incarnation = incarnation;
    opened.push(shard);
    this.shards[index] = shard;
    return shard;
  }

  async scrape(): Promise<ReadonlyMap<string, Family>> {
    return parseExposition(await this.registry.metrics());
  }

  async value(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
    const family = (await this.scrape()).get(`plivo_gateway_${name}`);
    const wanted = JSON.stringify(labels);
    return family?.samples.find((sample) => JSON.stringify(sample.labels) === wanted)?.value;
  }
}

describe('the metrics of the shards', () => {
  it('are text that parses, all named for the gateway, helped and typed', async () => {
    const families = await new Scene(2).scrape();
    expect(families.size).toBeGreaterThan(20);
    for (const [name, { help, type, samples }] of families) {
      expect(name).toMatch(/^plivo_gateway_[a-z_]+$/);
      expect(help).not.toBe('');
      expect(['counter', 'gauge', 'histogram']).toContain(type);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_(seconds|ratio)$/);
      // There are no upstreams here.
      if (!/_upstream_/.test(name)) expect(samples.length).toBeGreaterThan(0);
      expect(samples.every(({ value }) => value === 0)).toBe(true);
    }
  });

  it('stand beside the metrics of the front without a clash', async () => {
    const instruments = new Instruments({
      routes: ['echo', 'a-b'],
      upstreams: ['bots'],
      refusals: ['full'],
      hangupOutcomes: ['confirmed'],
      requestOutcomes: ['2xx'],
      webhookKinds: ['hangup'],
      webhookOutcomes: ['accepted'],
      answerOutcomes: ['stream'],
      credentials: ['token'],
      streamEvents: ['started'],
      arrivals: ['stream'],
      captureEnds: ['stopped'],
      recordSinks: ['log'],
      recordOutcomes: ['written'],
      version: '1.2.3',
      config: 'abc',
    });
    const { registry } = instruments;
    registerCounts(registry, {
      shards: () => [],
      front: counterBlock(),
      retired: counterBlock(),
      areas: new VoiceAreas(),
      gauges: {
        calls: () => 0,
        callsLimit: 0,
        callRecordsWaiting: () => 0,
        captures: () => 0,
        connections: () => 0,
        shardRestarts: () => 0,
        draining: () => false,
        certificateExpiresMs: () => 0,
      },
      hangups: () => noHangups,
      upstreams: () => [],
    });
    instruments.ended('echo', 'app-end', true);
    const families = parseExposition(await registry.metrics());
    const ended = families.get('plivo_gateway_calls_ended_total')!.samples;
    expect(ended.find(({ value }) => value === 1)?.labels).toEqual({
      route: 'echo',
      reason: 'app-end',
      fault: 'application',
    });
    expect(families.get('plivo_gateway_build_info')?.samples[0]?.labels).toEqual({
      version: '1.2.3',
      config: 'abc',
    });
    expect(families.has('process_cpu_seconds_total')).toBe(true);
  });

  it('add up what the front and all shards have counted', async () => {
    const scene = new Scene(3);
    for (const shard of scene.shards) shard.counters[counter.mediaIn] = 100;
    scene.front[counter.mediaIn] = 5;
    scene.retired[counter.mediaIn] = 20;
    expect(await scene.value('media_in_total')).toBe(325);
  });

  it('have a series for every reason of a drop from the start', async () => {
    const scene = new Scene(1);
    scene.shards[0]!.counters[drop['bad-json']] = 3;
    const { samples } = (await scene.scrape()).get('plivo_gateway_drops_total')!;
    expect(samples.map(({ labels }) => labels.reason)).toEqual([...dropReasons]);
    expect(samples.filter(({ value }) => value > 0)).toEqual([
      { name: 'plivo_gateway_drops_total', labels: { reason: 'bad-json' }, value: 3 },
    ]);
  });

  it('have cumulative histograms in seconds, whose last bucket is their count', async () => {
    const scene = new Scene(1);
    const { counters } = scene.shards[0]!;
    observe(counters, histogram.ingressWait, 60);
    observe(counters, histogram.ingressWait, 600, 2);
    observe(scene.front, histogram.ingressWait, 99_000_000);
    const { samples } = (await scene.scrape()).get('plivo_gateway_ring_wait_seconds')!;
    const buckets = samples.filter(({ name }) => name.endsWith('_bucket'));
    const bounds = buckets.map(({ labels }) => labels.le);
    expect(bounds).toEqual([...histogram.ingressWait.bounds.map((us) => String(us / 1e6)), '+Inf']);
    const values = buckets.map(({ value }) => value);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(values.slice(0, 5)).toEqual([0, 1, 1, 1, 3]);
    expect(values.at(-1)).toBe(4);
    expect(samples.find(({ name }) => name.endsWith('_count'))?.value).toBe(4);
    const sum = samples.find(({ name }) => name.endsWith('_sum'))!.value;
    expect(sum).toBeCloseTo(99.00126, 9);
  });

  it('keep the counts of an incarnation that is over, and go on from there', async () => {
    const scene = new Scene(2);
    const lost = scene.shards[1]!;
    lost.counters[counter.digitsIn] = 7;
    observe(lost.counters, histogram.batchTime, 10, 4);
    lost.retired = true;
    lost.close();
    addCounters(scene.retired, lost.counters);
    expect(await scene.value('digits_in_total')).toBe(7);
    scene.open(1, 1).counters[counter.digitsIn] = 2;
    expect(await scene.value('digits_in_total')).toBe(9);
    expect(await scene.value('shard_batch_seconds', { le: '+Inf' })).toBe(4);
  });

  it('show each shard: whether it takes calls, how many, and how full its ring is', async () => {
    const scene = new Scene(2);
    const [first, second] = scene.shards as [Shard, Shard];
    Atomics.store(first.views.words, words.state, ShardState.Ready);
    first.calls = 4;
    const half = second.layout.ringBytes / 2;
    while (second.ingress.fill * second.layout.ringBytes < half) {
      second.ingress.push(RecordKind.Message, 0, 0, new Uint8Array(60_000), 0, true);
    }
    expect(await scene.value('shard_ready', { shard: '0' })).toBe(1);
    expect(await scene.value('shard_ready', { shard: '1' })).toBe(0);
    expect(await scene.value('shard_calls', { shard: '0' })).toBe(4);
    expect(await scene.value('shard_ingress_fill_ratio', { shard: '0' })).toBe(0);
    expect(await scene.value('shard_ingress_fill_ratio', { shard: '1' })).toBeCloseTo(0.5, 1);
  });

  it('show what callers hear by route, for every route from when it is there', async () => {
    const scene = new Scene(2);
    scene.areas.of('sales');
    const area = scene.areas.of('support');
    for (const shard of scene.shards) {
      const block = voiceBlock(shard.counters, area);
      observe(block, voiceTime.response, 700);
      block[oneWay['caller-silent']]! += 1;
    }
    const route = 'support';
    expect(await scene.value('response_seconds', { route, le: '0.75' })).toBe(2);
    expect(await scene.value('response_seconds', { route, le: '0.5' })).toBe(0);
    expect(await scene.value('one_way_calls_total', { route, side: 'caller-silent' })).toBe(2);
    expect(await scene.value('one_way_calls_total', { route, side: 'nothing-played' })).toBe(0);
    expect(await scene.value('response_seconds', { route: 'sales', le: '+Inf' })).toBe(0);
    const { samples } = (await scene.scrape()).get('plivo_gateway_response_seconds')!;
    const sum = samples.find(({ name, labels }) => name.endsWith('_sum') && labels.route === route);
    expect(sum?.value).toBe(1.4);
  });

  it('show upstreams, each as the sum of its addresses', async () => {
    const events = { ...noEvents, connected: 3, refused: 1 };
    const scene = new Scene(1, [
      {
        name: 'bots',
        protocol: 'pcm',
        addresses: [
          { url: 'ws://a', ip: undefined, state: 'up', calls: 2, events },
          { url: 'ws://b', ip: '10.0.0.1', state: 'ejected', calls: 1, events },
        ],
        totals: {
          events: { ...noEvents, connected: 7 },
          bytesSent: 8,
          bytesReceived: 9,
          dropped: 10,
        },
      },
    ]);
    const upstream = 'bots';
    expect(await scene.value('upstream_calls', { upstream })).toBe(3);
    expect(await scene.value('upstream_addresses', { upstream, state: 'ejected' })).toBe(1);
    expect(await scene.value('upstream_addresses', { upstream, state: 'leaving' })).toBe(0);
    expect(await scene.value('upstream_events_total', { upstream, event: 'connected' })).toBe(7);
    expect(await scene.value('upstream_bytes_total', { upstream, direction: 'sent' })).toBe(8);
    expect(await scene.value('upstream_bytes_total', { upstream, direction: 'received' })).toBe(9);
    expect(await scene.value('upstream_dropped_total', { upstream })).toBe(10);
    expect(await scene.value('upstream_events_total', { upstream, event: 'busy' })).toBe(0);
  });

  it('say when the certificate expires, where there is one', async () => {
    const name = 'certificate_expiry_timestamp_seconds';
    expect(await new Scene(1).registry.metrics()).not.toContain(name);
    const scene = new Scene(1, [], () => 1_800_000_000_000);
    expect(await scene.value(name)).toBe(1_800_000_000);
  });

  it('show what the gauges say at the moment of the scrape', async () => {
    const scene = new Scene(1);
    Object.assign(scene.gauges, { calls: 3, connections: 4, restarts: 6 });
    scene.hangups = {
      ...scene.hangups,
      pending: 5,
      accounts: [{ name: 'tenant', paused: true, windowLeft: 7 }],
    };
    scene.gauges.draining = true;
    expect(await scene.value('calls_active')).toBe(3);
    expect(await scene.value('connections_active')).toBe(4);
    expect(await scene.value('hangups_pending')).toBe(5);
    expect(await scene.value('hangup_account_paused', { account: 'tenant' })).toBe(1);
    expect(await scene.value('hangup_window_left', { account: 'tenant' })).toBe(7);
    expect(await scene.value('shard_restarts_total')).toBe(6);
    expect(await scene.value('draining')).toBe(1);
    scene.gauges.calls = 0;
    expect(await scene.value('calls_active')).toBe(0);
  });
});
