import { voiceBlock } from '../shard/counters.js';
import { readHistogram } from '../shard/histogram.js';
import {
  clippedFrames,
  oneWay,
  oneWaySides,
  type VoiceAreas,
  voiceCounter,
  voiceLevel,
  voiceTime,
} from '../shard/voice-counters.js';
import type { Families, Labelled } from './families.js';
import type { Fold } from './fold.js';

const times: readonly (readonly [string, string, keyof typeof voiceTime])[] = [
  ['call_setup_seconds', 'Time from the upgrade to the first audio for the caller', 'setup'],
  [
    'response_seconds',
    "Time from the end of the caller's speech to the first audio that answers",
    'response',
  ],
  ['barge_in_seconds', 'Time from a clear until Plivo says that it is done', 'bargeIn'],
  [
    'playout_underrun_seconds',
    'Pauses inside outgoing speech, while Plivo had nothing left to play',
    'underrun',
  ],
  [
    'playout_lead_seconds',
    'Audio that lies at Plivo unheard, looked at 4 times a second while there is any',
    'lead',
  ],
  [
    'packet_jitter_seconds',
    "Jitter of the caller's packets (RFC 3550), looked at with every 64th",
    'jitter',
  ],
  ['packet_gap_seconds', 'Pauses above 60 ms between packets of a caller', 'gap'],
];

const counters: readonly (readonly [string, string, keyof typeof voiceCounter])[] = [
  ['playout_late_total', 'Frames that waited here and left after they were due', 'late'],
  ['packets_lost_total', "Packets of callers missing by Plivo's own numbers", 'lost'],
  ['packets_reordered_total', 'Packets of callers that came after later ones', 'reordered'],
];

const directions = ['in', 'out'] as const;

/** What callers hear and say, by route. */
export function registerVoice(families: Families, fold: Fold, areas: VoiceAreas): void {
  const ofEach =
    <Value>(value: (block: Float64Array) => Value) =>
    (): Labelled<Value>[] =>
      areas.names.map((route) => ({
        labels: { route },
        value: value(voiceBlock(fold.shards, areas.areaOf(route))),
      }));
  for (const [name, help, which] of times) {
    families.histogram(
      name,
      help,
      ofEach((block) => readHistogram(block, voiceTime[which])),
    );
  }
  for (const [name, help, which] of counters) {
    families.each(
      'counter',
      name,
      help,
      ofEach((block) => block[voiceCounter[which]]!),
    );
  }
  families.histogram(
    'audio_level_ratio',
    'Loudness (RMS) of one second of audio, of full scale; in: from the caller',
    () =>
      directions.flatMap((direction) =>
        ofEach((block) => readHistogram(block, voiceLevel[direction]))().map(
          withLabel({ direction }),
        ),
      ),
  );
  families.each('counter', 'clipped_frames_total', 'Frames with samples at full scale', () =>
    directions.flatMap((direction) =>
      ofEach((block) => block[clippedFrames[direction]]!)().map(withLabel({ direction })),
    ),
  );
  families.each(
    'counter',
    'one_way_calls_total',
    'Calls in which one side was silent for 10 s',
    () =>
      oneWaySides.flatMap((side) =>
        ofEach((block) => block[oneWay[side]]!)().map(withLabel({ side })),
      ),
  );
}

function withLabel(more: Readonly<Record<string, string>>) {
  return <Value>({ labels, value }: Labelled<Value>): Labelled<Value> => ({
    labels: { ...labels, ...more },
    value,
  });
}
