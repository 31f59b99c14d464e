import { type EndReason, endReasons } from '../errors.js';
import type { AnswererBody, EndedBody, VoiceSummary } from '../shard/record.js';
import { type CallRecord, type HangupRecord, mergedVoice } from './call-record.js';
import { Timeline, type TimelineEntry } from './timeline.js';

/** What is known of a call when its `start` arrives. */
export interface StartedStream {
  readonly callId: string;
  readonly streamId: string;
  readonly accountId: string;
  readonly route: string;
  /** Masked, if they are to be. */
  readonly from: string;
  readonly to: string;
  readonly admittedBy: string;
  /** Unix time of the upgrade and of the start message. */
  readonly openedAt: number;
  readonly startedAt: number;
}

/** How a stream ended. */
export interface StreamEnd {
  readonly reason: EndReason;
  /** 0 if there was none. */
  readonly closeCode: number;
  /** Absent if its worker could not tell any more. */
  readonly body: EndedBody | undefined;
}

/** A call in the history: its record as far as it is known, and its timeline. */
export interface CallStoryView {
  /** `live` has a stream, `ending` waits for what is still to come of it, `ended` is written. */
  readonly state: 'live' | 'ending' | 'ended';
  readonly record: CallRecord;
  readonly timeline: readonly TimelineEntry[];
  readonly timelineOmitted: number;
}

/** One call from its first `start` on, over all its streams. */
export class CallStory {
  readonly timeline: Timeline;
  /** Streams open now; it may have none for a while. */
  open = 0;
  /** Unix time at which the last thing happened that the record may have to wait for. */
  changedAt = 0;
  isWritten = false;
  hangup: HangupRecord | null = null;
  hangupCause: string | undefined = undefined;
  readonly #first: StartedStream;
  #last: StartedStream;
  #streams = 0;
  #answeredBy: string;
  #upstream = '';
  #address = '';
  #failovers = 0;
  #fallbacks = 0;
  #adoptions = 0;
  #endedAt = 0;
  #endReason: EndReason = 'stream-closed';
  #closeCode = 0;
  #mediaIn = 0;
  #mediaOut = 0;
  readonly #drops = new Map<string, number>();
  #voice: VoiceSummary | null = null;

  constructor(first: StartedStream) {
    this.#first = first;
    this.#last = first;
    this.#answeredBy = first.route;
    this.timeline = new Timeline(first.openedAt);
  }

  started(stream: StartedStream): void {
    this.#last = stream;
    this.#streams += 1;
    this.open += 1;
    this.changedAt = stream.startedAt;
    this.timeline.add('upgrade', stream.admittedBy, stream.openedAt);
    this.timeline.add('start', stream.streamId, stream.startedAt);
  }

  answerer(body: AnswererBody): void {
    if (body.what === 'moved') {
      this.#fallbacks += 1;
      this.#answeredBy = body.route;
      this.#upstream = '';
      this.#address = '';
      this.timeline.add('fallback', body.route);
    } else {
      if (body.url !== undefined) {
        this.#upstream = body.upstream;
        this.#address = body.url;
      }
      this.timeline.add(`upstream-${body.what}`, body.url ?? Math.round(body.ms));
    }
  }

  adopted(): void {
    this.#adoptions += 1;
    this.timeline.add('adopted');
  }

  /** Something that the worker notes. */
  note(what: string, ms: number | undefined): void {
    if (what === 'upstream-failed-over') this.#failovers += 1;
    this.timeline.add(what, ms === undefined ? undefined : Math.round(ms));
  }

  ended({ reason, closeCode, body }: StreamEnd): void {
    this.open -= 1;
    this.#endedAt = Date.now();
    this.changedAt = this.#endedAt;
    this.#endReason = reason;
    this.#closeCode = closeCode;
    this.timeline.add('stream-ended', closeCode === 0 ? reason : `${reason} (${closeCode})`);
    if (body === undefined) return;
    this.#mediaIn += body.mediaIn;
    this.#mediaOut += body.mediaOut;
    for (const [name, count] of Object.entries(body.drops)) {
      this.#drops.set(name, (this.#drops.get(name) ?? 0) + count);
    }
    if (body.voice !== undefined) this.#voice = mergedVoice(this.#voice, body.voice);
  }

  get record(): CallRecord {
    const { callId, route, from, to, admittedBy, startedAt } = this.#first;
    const { streamId, accountId } = this.#last;
    const endedAt = this.open > 0 ? Date.now() : this.#endedAt;
    return {
      version: 1,
      ...{ callId, streamId, accountId, route },
      answeredBy: this.#answeredBy,
      upstream: this.#upstream,
      address: this.#address,
      failovers: this.#failovers,
      fallbacks: this.#fallbacks,
      adoptions: this.#adoptions,
      ...{ from, to, admittedBy },
      startedAt: new Date(startedAt).toISOString(),
      endedAt: new Date(endedAt).toISOString(),
      seconds: Math.max(0, endedAt - startedAt) / 1_000,
      streams: this.#streams,
      endReason: this.#endReason,
      fault: endReasons[this.#endReason],
      closeCode: this.#closeCode,
      hangup: this.hangup,
      hangupCause: this.hangupCause ?? '',
      mediaIn: this.#mediaIn,
      mediaOut: this.#mediaOut,
      drops: Object.fromEntries(this.#drops),
      voice: this.#voice,
    };
  }

  get view(): CallStoryView {
    const { timeline } = this;
    const state = this.open > 0 ? 'live' : this.isWritten ? 'ended' : 'ending';
    return {
      state,
      record: this.record,
      timeline: timeline.entries,
      timelineOmitted: timeline.omitted,
    };
  }
}
