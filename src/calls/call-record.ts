import type { Fault } from '../errors.js';
import type { VoiceSummary } from '../shard/record.js';

/**
 * What came of one call, written once when it is over. Fields are only ever added; one that changes its meaning raises
 * `version`. Who takes records twice (a webhook that is tried again) knows them by `callId` and `startedAt`.
 */
export interface CallRecord {
  readonly version: 1;
  /** Of Plivo's `start` message. */
  readonly callId: string;
  /** Of the last stream. */
  readonly streamId: string;
  readonly accountId: string;
  /** The route that took the call, and the one whose handler spoke last: another after a fallback. */
  readonly route: string;
  readonly answeredBy: string;
  /** The last upstream and its address, without the facts of the call; empty without one. */
  readonly upstream: string;
  readonly address: string;
  /** How often another address of an upstream was tried, and how often another route went on with the call. */
  readonly failovers: number;
  readonly fallbacks: number;
  /** How often another worker went on with the call, as its own had died. */
  readonly adoptions: number;
  /** Calling and called number, masked unless `privacy` is `full`; empty if they are not known. */
  readonly from: string;
  readonly to: string;
  /** How its first stream came in: `token`, a form of signed URL, or `unchecked`. */
  readonly admittedBy: string;
  /** ISO 8601. From the first `start` to the end of the last stream. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly seconds: number;
  /** Streams of the call: more than one if Plivo connected it again. */
  readonly streams: number;
  /** Why the last stream ended, and whose doing it was. */
  readonly endReason: string;
  readonly fault: Fault;
  /** WebSocket close code as the gateway saw it; 0 if there was none. */
  readonly closeCode: number;
  /** The hang-up through Plivo's REST API; null if none was asked for. */
  readonly hangup: HangupRecord | null;
  /** `HangupCause` of Plivo's webhook; empty if it had not come. */
  readonly hangupCause: string;
  /** Media messages from Plivo and to it. */
  readonly mediaIn: number;
  readonly mediaOut: number;
  /** What was put aside, by reason; only what there was. */
  readonly drops: Readonly<Record<string, number>>;
  /** What the call sounded like, over all its streams; null if its worker could not tell. */
  readonly voice: VoiceSummary | null;
}

export interface HangupRecord {
  readonly reason: string;
  /** `pending` while it is not settled; otherwise an outcome of `plivo_gateway_hangups_total`. */
  readonly outcome: string;
  /** Requests sent. */
  readonly attempts: number;
  /** Status and start of Plivo's last answer, or the error; empty if none was needed. */
  readonly lastAnswer: string;
}

/** Over two streams of one call, the second after the first. */
export function mergedVoice(first: VoiceSummary | null, second: VoiceSummary): VoiceSummary {
  if (first === null) return second;
  const responses = first.responses + second.responses;
  const responseMs = (voice: VoiceSummary) => voice.responses * (voice.responseMsMean ?? 0);
  return {
    setupMs: first.setupMs ?? second.setupMs,
    responses,
    responseMsMean:
      responses === 0 ? null : Math.round((responseMs(first) + responseMs(second)) / responses),
    responseMsMax: greater(first.responseMsMax, second.responseMsMax),
    bargeIns: first.bargeIns + second.bargeIns,
    bargeInMsMax: greater(first.bargeInMsMax, second.bargeInMsMax),
    underruns: first.underruns + second.underruns,
    underrunMs: first.underrunMs + second.underrunMs,
    lateFrames: first.lateFrames + second.lateFrames,
    longestGapMs: Math.max(first.longestGapMs, second.longestGapMs),
    jitterMs: second.jitterMs,
    packetsLost: first.packetsLost + second.packetsLost,
    packetsReordered: first.packetsReordered + second.packetsReordered,
    levelInDb: second.levelInDb ?? first.levelInDb,
    levelOutDb: second.levelOutDb ?? first.levelOutDb,
    oneWay: [...new Set([...first.oneWay, ...second.oneWay])],
  };
}

function greater(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}
