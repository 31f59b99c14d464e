import type { Board } from './boards.js';
import { droppedAudioReasons, inRange, of, quantile, rate, share, sum } from './metrics.js';
import { bars, lines, number } from './panels.js';
import { thresholds as at } from './thresholds.js';

const voice = (name: string, matchers = '') => of(name, matchers, 'route');
const minutes = `(${sum(of('calls_active'))} / 60)`;
const levelsOf = ({ good, bad }: { readonly good: number; readonly bad: number }) => ({
  warn: good,
  bad,
});

export const sound: Board = {
  question: 'What do callers hear?',
  uid: 'plivo-gateway-sound',
  about:
    'As the ear has it: how long until somebody speaks, until an answer, until silence when the caller interrupts; and what breaks the sound. The network’s doing is below, apart.',
  variables: ['route'],
  rows: [
    {
      title: 'At a glance',
      panels: [
        number(
          {
            title: 'Set-up, p90',
            about: 'From the upgrade to the first audio. Callers say hello twice after 3 s.',
            unit: 's',
          },
          quantile(0.9, voice('call_setup_seconds_bucket')),
          levelsOf(at.setup),
        ),
        number(
          {
            title: 'Response, p90',
            about:
              'From the end of the caller’s speech to the first audio that answers. The application’s time, mostly.',
            unit: 's',
          },
          quantile(0.9, voice('response_seconds_bucket')),
          levelsOf(at.response),
        ),
        number(
          {
            title: 'Barge-in, p90',
            about: 'From a clear to Plivo’s word that the caller hears nothing more.',
            unit: 's',
          },
          quantile(0.9, voice('barge_in_seconds_bucket')),
          levelsOf(at.bargeIn),
        ),
        number(
          {
            title: 'Pauses a minute',
            about: 'Pauses inside outgoing speech, per minute of live calls: stutter.',
            unit: 'short',
          },
          `${sum(rate(voice('playout_underrun_seconds_count')))} / (${minutes} > 0)`,
          { warn: 0.2, bad: at.underrunsPerMinute },
          2,
        ),
        number(
          {
            title: 'One-way calls',
            about: 'Of the calls begun: one side was silent for 10 s.',
            unit: 'percentunit',
          },
          share(
            sum(inRange(voice('one_way_calls_total'))),
            sum(inRange(voice('calls_started_total'))),
          ),
          { warn: 0.01, bad: at.oneWay },
          1,
        ),
        number(
          {
            title: 'Audio put aside',
            about: 'Of all audio messages: dropped here for want of room, or of a reader.',
            unit: 'percentunit',
          },
          share(
            sum(inRange(of('drops_total', `reason=~"${droppedAudioReasons}"`))),
            `${sum(inRange(of('media_in_total')))} + ${sum(inRange(of('media_out_total')))}`,
          ),
          { warn: 0.0001, bad: at.dropped },
          3,
        ),
      ],
    },
    {
      title: 'The conversation',
      panels: [
        lines(
          {
            title: 'Response, p90',
            about:
              'By route. Compare with your application’s own figures: the rest is the network and the gateway.',
            unit: 's',
          },
          [[quantile(0.9, voice('response_seconds_bucket'), 'route'), '{{route}}']],
          { levels: { bad: at.response.bad } },
        ),
        lines(
          {
            title: 'Set-up, p90',
            about:
              'By route: the first audio comes from the application, or from the WAV that is played meanwhile.',
            unit: 's',
          },
          [[quantile(0.9, voice('call_setup_seconds_bucket'), 'route'), '{{route}}']],
          { levels: { bad: at.setup.bad } },
        ),
        lines(
          {
            title: 'Barge-in, p90',
            about: 'By route. It is short where playout.lead is short.',
            unit: 's',
          },
          [[quantile(0.9, voice('barge_in_seconds_bucket'), 'route'), '{{route}}']],
          { levels: { bad: at.bargeIn.bad } },
        ),
        lines(
          {
            title: 'One-way calls',
            about:
              'By what was missing. caller-silent: not a sound from the caller for 10 s. nothing-played: the application has said nothing.',
            unit: 'cps',
          },
          [[sum(rate(voice('one_way_calls_total')), 'route', 'side'), '{{route}}: {{side}}']],
        ),
      ],
    },
    {
      title: 'The sound that we send',
      panels: [
        lines(
          {
            title: 'Pauses inside speech',
            about:
              'A second, by route: Plivo had nothing left to play. The application was late, or we were: compare with late frames.',
            unit: 'cps',
          },
          [[sum(rate(voice('playout_underrun_seconds_count')), 'route'), '{{route}}']],
        ),
        lines(
          {
            title: 'Late frames',
            about: 'Lay here and left after they were due: our doing.',
            unit: 'cps',
          },
          [[sum(rate(voice('playout_late_total')), 'route'), '{{route}}']],
        ),
        lines(
          {
            title: 'Lead at Plivo',
            about:
              'Audio that lies there unheard, median and p95. Near playout.lead while an application speaks; near zero: it is being outrun.',
            unit: 's',
          },
          [
            [quantile(0.5, voice('playout_lead_seconds_bucket')), 'median'],
            [quantile(0.95, voice('playout_lead_seconds_bucket')), 'p95'],
          ],
        ),
        lines(
          { title: 'Put aside', about: 'Messages, frames and commands, by reason.', unit: 'cps' },
          [[`${sum(rate(of('drops_total')), 'reason')} > 0`, '{{reason}}']],
          { stacked: true },
        ),
      ],
    },
    {
      title: 'The sound that comes',
      panels: [
        lines(
          {
            title: 'Jitter of packets, p95',
            about: 'By route (RFC 3550). Above 30 ms the network, or Plivo, is uneven.',
            unit: 's',
          },
          [[quantile(0.95, voice('packet_jitter_seconds_bucket'), 'route'), '{{route}}']],
        ),
        lines(
          {
            title: 'Gaps',
            about: 'Pauses above 60 ms between packets of a caller, a second.',
            unit: 'cps',
          },
          [[sum(rate(voice('packet_gap_seconds_count')), 'route'), '{{route}}']],
        ),
        lines(
          {
            title: 'Lost and out of order',
            about: 'Packets a second, by Plivo’s own numbers.',
            unit: 'cps',
          },
          [
            [sum(rate(voice('packets_lost_total'))), 'lost'],
            [sum(rate(voice('packets_reordered_total'))), 'out of order'],
          ],
        ),
        lines(
          {
            title: 'Loudness',
            about:
              'Median of one second of sound, of full scale. Speech is between 3 % and 20 %; out far above in is an application that shouts.',
            unit: 'percentunit',
          },
          [[quantile(0.5, voice('audio_level_ratio_bucket'), 'direction'), '{{direction}}']],
        ),
        lines(
          {
            title: 'Clipped frames',
            about: 'With samples at full scale, a second. Outgoing: the application is too loud.',
            unit: 'cps',
          },
          [[sum(rate(voice('clipped_frames_total')), 'direction'), '{{direction}}']],
        ),
        bars(
          {
            title: 'Pauses by route',
            about: 'Pauses inside outgoing speech in the time shown.',
            unit: 'short',
          },
          [sum(inRange(voice('playout_underrun_seconds_count')), 'route'), '{{route}}'],
        ),
      ],
    },
  ],
};
