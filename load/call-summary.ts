import type { Caller } from './caller.js';
import type { CallEndReason, CallOutcome } from './caller-options.js';
import { echoMatch } from './echo-snr.js';
import { type RoundSummary, roundRows } from './round/round-summary.js';
import { shownUrl } from './shown-url.js';
import type { StreamFormatName } from './stream-format.js';
import type { Violation } from './violations.js';

/** What one simulated call came to: the JSON of `call --json`. */
export interface CallSummary {
  readonly callId: string;
  /** Empty if there was no stream. */
  readonly streamId: string;
  /** As `shownUrl` shows it. */
  readonly url: string;
  readonly format: StreamFormatName;
  readonly endReason: CallEndReason;
  readonly endDetail: string | null;
  /** Null if the socket never opened or was not closed in order. */
  readonly closeCode: number | null;
  readonly hungUpByGateway: boolean;
  readonly transferredTo: string | null;
  readonly seconds: number;
  readonly mediaSent: number;
  readonly playAudioReceived: number;
  /** Audio that played out before the call ended or a clear removed it. */
  readonly audioSecondsHeard: number;
  /**
   * What was heard against what was said, after the wire codec; joined without the pauses between
   * playouts, so that it judges the sound and not the timing. Null if it is no echo.
   */
  readonly echoSnrDb: number | null;
  readonly echoDelayMs: number | null;
  /** Null unless the handler is an echo. */
  readonly turnaroundMs: Percentiles | null;
  readonly checkpoints: CheckpointCounts;
  /** `clearAudio` messages. */
  readonly cleared: number;
  readonly dtmfReceived: string;
  readonly underruns: number;
  readonly leadMsMax: number;
  /** How late the simulator itself was at worst: if this is large, doubt the other times. */
  readonly scheduleLagMsMax: number;
  /** All of the call: of its streams, webhooks, XML, and REST requests. */
  readonly violations: readonly Violation[];
  /** Of a call that began with its answer webhook. What is said above is then of its last stream. */
  readonly round: RoundSummary | null;
}

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface CheckpointCounts {
  readonly received: number;
  readonly played: number;
  readonly cleared: number;
}

/** Below this the handler said something of its own, and a turnaround would mean nothing. */
const echoSnrDbMin = 10;

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

/** Nearest-rank percentiles; null of nothing. */
export function percentilesOf(values: readonly number[]): Percentiles | null {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    rounded(sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0);
  return sorted.length === 0 ? null : { p50: at(0.5), p99: at(0.99), max: at(1) };
}

export function summarize(
  caller: Caller,
  outcome: CallOutcome,
  violations: readonly Violation[],
  round: RoundSummary | null,
): CallSummary {
  const { ear, voice, speech } = caller;
  const { rateHz } = speech.format;
  const match = echoMatch(speech.samples, ear.heard.joined(), { rateHz });
  const isEcho = match !== null && match.snrDb >= echoSnrDbMin && !ear.turnaround.ranAhead;
  return {
    callId: caller.callId,
    streamId: caller.streamId,
    url: shownUrl(caller.url),
    format: speech.format.name,
    endReason: outcome.endReason,
    endDetail: outcome.endDetail,
    closeCode: outcome.closeCode,
    hungUpByGateway: outcome.hungUpByGateway,
    transferredTo: outcome.transferredTo,
    seconds: rounded((outcome.endMs - outcome.startMs) / 1_000),
    mediaSent: voice.mediaSent,
    playAudioReceived: ear.counts.playAudioReceived,
    audioSecondsHeard: rounded(ear.heard.count / rateHz),
    echoSnrDb: match === null ? null : rounded(match.snrDb),
    echoDelayMs: match === null ? null : rounded((match.delaySamples * 1_000) / rateHz),
    turnaroundMs: isEcho ? percentilesOf(ear.turnaroundsMs) : null,
    checkpoints: {
      received: ear.counts.checkpointsReceived,
      played: ear.counts.checkpointsPlayed,
      cleared: ear.counts.checkpointsCleared,
    },
    cleared: ear.counts.cleared,
    dtmfReceived: ear.counts.dtmfReceived,
    underruns: ear.playout.underruns,
    leadMsMax: rounded(ear.playout.leadMsMax),
    scheduleLagMsMax: rounded(voice.lagMsMax),
    violations,
    round,
  };
}

const failedReasons: readonly CallEndReason[] = [
  'connect-failed',
  'dropped',
  'time-limit',
  'no-stream',
];

/** True if the call was as it should be: that is exit code 0. */
export function isGood({ violations, endReason, round }: CallSummary): boolean {
  const ends = [endReason, ...(round?.streams ?? []).map((stream) => stream.endReason)];
  return violations.length === 0 && !ends.some((end) => failedReasons.includes(end));
}

/** The summary for people. */
export function summaryText(summary: CallSummary): string {
  const { turnaroundMs, checkpoints, violations, round } = summary;
  const stream = summary.streamId === '' ? 'no stream' : `stream ${summary.streamId}`;
  const rows: [string, string][] = [
    ['call', `${summary.callId}, ${stream}`],
    ['ended', `${summary.endReason} after ${summary.seconds.toFixed(1)} s`],
  ];
  if (summary.endDetail !== null) rows.push(['', summary.endDetail]);
  if (summary.transferredTo !== null) rows.push(['transfer', summary.transferredTo]);
  rows.push(['sent', `${summary.mediaSent} media messages (${summary.format})`]);
  const heard = `${summary.playAudioReceived} playAudio messages`;
  rows.push(['heard', `${heard}, ${summary.audioSecondsHeard.toFixed(2)} s of audio`]);
  if (summary.dtmfReceived !== '') rows.push(['digits', `heard ${summary.dtmfReceived}`]);
  if (summary.echoSnrDb !== null) {
    const behind = `${summary.echoDelayMs} ms behind in the sound`;
    rows.push(['echo', `${summary.echoSnrDb.toFixed(1)} dB SNR, ${behind}`]);
  }
  if (turnaroundMs !== null) {
    const { p50, p99, max } = turnaroundMs;
    rows.push(['turnaround', `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`]);
  }
  const queue = `lead at most ${summary.leadMsMax.toFixed(0)} ms, ${summary.underruns} underruns`;
  rows.push(['playout', `${queue}, ${summary.cleared} clears`]);
  if (checkpoints.received > 0) {
    const { received, played, cleared } = checkpoints;
    rows.push(['checkpoints', `${received} received, ${played} played, ${cleared} cleared`]);
  }
  rows.push(['own lag', `${summary.scheduleLagMsMax.toFixed(1)} ms at most`]);
  if (round !== null) rows.push(...roundRows(round));
  if (violations.length === 0) rows.push(['violations', 'none']);
  for (const { name, detail, count } of violations) {
    rows.push(['VIOLATION', `${name}: ${detail}${count > 1 ? ` (${count} times)` : ''}`]);
  }
  return rows.map(([key, value]) => `${key.padEnd(12)}${value}\n`).join('');
}
