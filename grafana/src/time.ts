import type { Board } from './boards.js';
import { mean, of, ofProcess, quantile, rate, stages, sum } from './metrics.js';
import { bars, lines, number } from './panels.js';
import { thresholds as at } from './thresholds.js';

const any = (name: string) => of(name);
const latency = of('audio_latency_seconds_bucket');
const delay = { warn: 0.02, bad: at.delay.seconds };
const busy = { warn: at.busy.high, bad: at.busy.full };

export const time: Board = {
  question: 'Where is the time going?',
  uid: 'plivo-gateway-time',
  about:
    'From a message at the socket to its answer on the socket, part by part, and how busy those are who do it. A part that grows while the others do not is the place to look.',
  variables: [],
  rows: [
    {
      title: 'At a glance',
      panels: [
        number(
          {
            title: 'Frame latency, median',
            about: 'From the cause of outgoing audio to its socket.',
            unit: 's',
          },
          quantile(0.5, latency),
          { warn: 0.01, bad: 0.02 },
        ),
        number(
          {
            title: 'Frame latency, p99',
            about: 'The same for the slowest one in a hundred.',
            unit: 's',
          },
          quantile(0.99, latency),
          {
            warn: 0.02,
            bad: at.latency.seconds,
          },
        ),
        number(
          {
            title: 'Front busy',
            about:
              'Of one core: the thread that has all sockets. Full: every call of this gateway waits for it.',
            unit: 'percentunit',
          },
          `max(${rate(of('front_busy_seconds_total'))})`,
          busy,
          0,
        ),
        number(
          {
            title: 'Busiest shard',
            about: 'Of one core. Full: more shards (cores) or fewer calls here.',
            unit: 'percentunit',
          },
          `max(${rate(of('shard_busy_seconds_total'))})`,
          busy,
          0,
        ),
        number(
          {
            title: 'Front delay, p99',
            about: 'How late its timer comes. Something holds the event loop up.',
            unit: 's',
          },
          quantile(0.99, of('front_delay_seconds_bucket')),
          delay,
        ),
        number(
          {
            title: 'Shard delay, p99',
            about:
              'How late the clocks of the shards come: a handler that computes too long, or too few cores.',
            unit: 's',
          },
          quantile(0.99, of('shard_delay_seconds_bucket')),
          delay,
        ),
      ],
    },
    {
      title: 'A frame’s way',
      panels: [
        lines(
          {
            title: 'Mean time in each part',
            about:
              'Stacked: the height is the whole way of a frame and its answer. to-ring: the front; ring-in, ring-out: waking a thread up; queue: others before it; decode, handler, encode: the shard; send: the socket. Compare with the mean latency beside it.',
            unit: 's',
          },
          stages.map((stage) => [
            mean('stage_seconds', (name) => of(name, `stage="${stage}"`)),
            stage,
          ]),
          { stacked: true },
        ),
        lines(
          {
            title: 'Latency',
            about:
              'Mean and quantiles, over all calls. Audio that an application plays by itself counts from the clock’s tick.',
            unit: 's',
          },
          [
            [mean('audio_latency_seconds', any), 'mean'],
            [quantile(0.5, latency), 'median'],
            [quantile(0.95, latency), 'p95'],
            [quantile(0.99, latency), 'p99'],
          ],
          { levels: { bad: at.latency.seconds } },
        ),
        lines(
          {
            title: 'Slow frames, by part',
            about:
              'p99 of each part. handler: your code; queue: your code in other calls of that shard.',
            unit: 's',
          },
          [[quantile(0.99, of('stage_seconds_bucket'), 'stage'), '{{stage}}']],
        ),
        lines(
          {
            title: 'Batches',
            about:
              'Time of a shard for all that lay in its ring at once: what a message may have to wait for.',
            unit: 's',
          },
          [
            [quantile(0.5, of('shard_batch_seconds_bucket')), 'median'],
            [quantile(0.99, of('shard_batch_seconds_bucket')), 'p99'],
            [quantile(0.99, of('ring_wait_seconds_bucket')), 'wait in the ring, p99'],
          ],
        ),
      ],
    },
    {
      title: 'Who is busy',
      panels: [
        lines(
          { title: 'Fronts', about: 'Of one core each.', unit: 'percentunit' },
          [[rate(of('front_busy_seconds_total')), '{{instance}}']],
          { levels: { bad: at.busy.full }, max: 1 },
        ),
        lines(
          { title: 'Shards', about: 'The ten busiest, of one core each.', unit: 'percentunit' },
          [[`topk(10, ${rate(of('shard_busy_seconds_total'))})`, '{{instance}} {{shard}}']],
          { levels: { bad: at.busy.full }, max: 1 },
        ),
        lines(
          {
            title: 'Delay of fronts and shards',
            about: 'p99 of how late their timers come.',
            unit: 's',
          },
          [
            [quantile(0.99, of('front_delay_seconds_bucket'), 'instance'), 'front {{instance}}'],
            [quantile(0.99, of('shard_delay_seconds_bucket'), 'instance'), 'shards {{instance}}'],
          ],
          { levels: { bad: at.delay.seconds } },
        ),
        lines(
          {
            title: 'Garbage collection',
            about: 'Of the front: share of its time.',
            unit: 'percentunit',
          },
          [[sum(rate(ofProcess('nodejs_gc_duration_seconds_sum')), 'instance'), '{{instance}}']],
        ),
      ],
    },
    {
      title: 'Rings and room',
      panels: [
        lines(
          {
            title: 'Fill of the rings, p99',
            about: 'Between the threads. From 87 % on, audio is dropped and control alone gets in.',
            unit: 'percentunit',
          },
          [[quantile(0.99, of('ring_fill_ratio_bucket'), 'ring'), '{{ring}}']],
          { levels: { bad: at.ring.ratio }, max: 1 },
        ),
        bars(
          {
            title: 'Fullest rings now',
            about: 'The ten fullest ingress rings: a shard that cannot keep up.',
            unit: 'percentunit',
          },
          [`topk(10, ${of('shard_ingress_fill_ratio')})`, '{{instance}} {{shard}}'],
          { warn: 0.5, bad: at.ring.ratio },
        ),
        lines({ title: 'Media', about: 'Messages a second, in and out.', unit: 'cps' }, [
          [sum(rate(of('media_in_total'))), 'in'],
          [sum(rate(of('media_out_total'))), 'out'],
        ]),
        lines(
          {
            title: 'Heaps of the shards',
            about:
              'The ten largest. One that only grows is a handler that keeps what it should not.',
            unit: 'bytes',
          },
          [[`topk(10, ${of('shard_heap_bytes')})`, '{{instance}} {{shard}}']],
        ),
      ],
    },
  ],
};
