import { callHistoryMax, recordCauseWaitMs, recordHangupWaitMs, recordLookMs } from '../limits.js';
import type { AnswererBody, NoteBody } from '../shard/record.js';
import type { CallRecord } from './call-record.js';
import { CallStory, type CallStoryView, type StartedStream, type StreamEnd } from './call-story.js';

export interface CallHistoryParts {
  /** Its stream broke, and may come back. */
  isLost(callId: string): boolean;
  /** A call is over, and what was to be waited for is known: comes once for each call. */
  over(record: CallRecord): void;
}

/** A hang-up as the dispatcher settled it. */
export interface SettledHangup {
  readonly reason: string;
  readonly outcome: string;
  readonly attempts: number;
  readonly lastAnswer: string;
}

/**
 * The story of every call: those that are live, and the last 10,000 that ended. A call's record is finished when its
 * last stream is over and will not come back, its hang-up is settled, and Plivo has said why it ended; the last two are
 * waited for a few seconds only.
 */
export class CallHistory {
  readonly #parts: CallHistoryParts;
  /** Calls whose records are not finished, and those of them that have no stream. */
  readonly #current = new Map<string, CallStory>();
  readonly #ending = new Map<string, CallStory>();
  /** The oldest first. */
  readonly #past = new Map<string, CallStory>();
  /** Webhooks about hang-ups do arrive here: only then is it worth waiting for one. */
  #causesCome = false;
  readonly #looker: NodeJS.Timeout;

  constructor(parts: CallHistoryParts) {
    this.#parts = parts;
    this.#looker = setInterval(() => this.#look(), recordLookMs).unref();
  }

  /** Undefined for a call that this gateway does not know, or no longer. */
  view(callId: string): CallStoryView | undefined {
    return this.#of(callId)?.view;
  }

  started(stream: StartedStream): void {
    const known = this.#current.get(stream.callId);
    const story = known ?? new CallStory(stream);
    if (known === undefined) this.#current.set(stream.callId, story);
    this.#ending.delete(stream.callId);
    story.started(stream);
  }

  answerer(callId: string, body: AnswererBody): void {
    this.#of(callId)?.answerer(body);
  }

  note(callId: string, { what, ms }: NoteBody): void {
    this.#of(callId)?.note(what, ms);
  }

  /** Another worker goes on with the call, as its own died. */
  adopted(callId: string): void {
    this.#of(callId)?.adopted();
  }

  /** Something that happened to the call on this side of the workers. */
  happened(callId: string, what: string, detail?: string): void {
    this.#of(callId)?.timeline.add(what, detail);
  }

  ended(callId: string, end: StreamEnd): void {
    const story = this.#current.get(callId);
    if (story === undefined) return;
    story.ended(end);
    if (story.open > 0) return;
    this.#ending.set(callId, story);
    this.#settle(callId, story, Date.now());
  }

  hangupAsked(callId: string, reason: string): void {
    const story = this.#of(callId);
    if (story === undefined) return;
    story.hangup = { reason, outcome: 'pending', attempts: 0, lastAnswer: '' };
    story.changedAt = Date.now();
    story.timeline.add('hangup-asked', reason);
  }

  hangupSettled(callId: string, settled: SettledHangup): void {
    const story = this.#of(callId);
    if (story === undefined) return;
    const { reason, outcome, attempts, lastAnswer } = settled;
    // The call goes on: the last word on it is still to come.
    story.hangup = outcome === 'withdrawn' ? null : { reason, outcome, attempts, lastAnswer };
    story.timeline.add(`hangup-${outcome}`, lastAnswer);
    this.#settle(callId, story, Date.now());
  }

  /** Plivo said by webhook that the call is over. */
  callEnded(callId: string, cause: string): void {
    const story = this.#of(callId);
    if (story === undefined) return;
    this.#causesCome = true;
    story.hangupCause ??= cause;
    story.timeline.add('over-at-plivo', cause);
    this.#settle(callId, story, Date.now());
  }

  /** No more is waited for: finishes the records of all calls that have no stream. */
  flush(): void {
    clearInterval(this.#looker);
    for (const [callId, story] of this.#ending) this.#finish(callId, story);
  }

  #of(callId: string): CallStory | undefined {
    return this.#current.get(callId) ?? this.#past.get(callId);
  }

  #look(): void {
    const now = Date.now();
    for (const [callId, story] of this.#ending) this.#settle(callId, story, now);
  }

  #settle(callId: string, story: CallStory, now: number): void {
    if (story.open > 0 || story.isWritten || this.#parts.isLost(callId)) return;
    const waitedMs = now - story.changedAt;
    const isHangupOpen = story.hangup?.outcome === 'pending' && waitedMs < recordHangupWaitMs;
    const isCauseOpen =
      this.#causesCome && story.hangupCause === undefined && waitedMs < recordCauseWaitMs;
    if (!isHangupOpen && !isCauseOpen) this.#finish(callId, story);
  }

  #finish(callId: string, story: CallStory): void {
    story.isWritten = true;
    this.#current.delete(callId);
    this.#ending.delete(callId);
    this.#past.delete(callId);
    this.#past.set(callId, story);
    if (this.#past.size > callHistoryMax) {
      for (const oldest of this.#past.keys()) {
        this.#past.delete(oldest);
        break;
      }
    }
    this.#parts.over(story.record);
  }
}
