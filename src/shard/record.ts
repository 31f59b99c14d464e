/**
 * One record in a ring:
 *
 *   word 0  bytes of the whole record, a multiple of 8
 *   word 1  kind
 *   word 2  slot of the connection
 *   word 3  generation of the slot: a record of an earlier one is ignored
 *   word 4  bytes of the body
 *   word 5  stamp: microseconds, modulo 2^32, since the process's epoch
 *   word 6  when it was laid down, the same way, of audio whose way is measured; 0 of all other
 *   word 7  not used
 *   then the body
 *
 * A record never wraps: what does not fit before the end of the ring follows a Pad record at its beginning.
 */
export const headerBytes = 32;

export const RecordKind = {
  Pad: 0,

  // front to shard
  /** JSON OpenBody: a connection begins. */
  Open: 1,
  /** A WebSocket message as it came. */
  Message: 2,
  /** The same, but it came as a binary frame. */
  BinaryMessage: 3,
  /** JSON EndBody: end this session (an operator, a drain). */
  End: 4,
  /** JSON ClosedBody: the socket is gone; the last record of its generation. Answered by Ended. */
  Closed: 5,
  /** JSON TransferredBody: how a transfer went. */
  Transferred: 6,
  /** Finish: return when no session is left. Slot and generation 0. */
  Drain: 7,
  /** JSON AdoptBody: a connection goes on whose shard died. */
  Adopt: 8,

  // shard to front
  /** JSON StartedBody. */
  Started: 16,
  /** A message to send that may be dropped when the reader is slow. */
  Audio: 17,
  /** A message to send, whatever happens. */
  Control: 18,
  /** JSON HangupBody: hang the call up. */
  Hangup: 19,
  /** JSON EndBody: close the socket. */
  Close: 20,
  /** JSON EndedBody: the answer to Closed, the last record of its generation. */
  Ended: 22,
  /** JSON TransferBody: ask Plivo to transfer the call. */
  Transfer: 21,
  /** JSON AnswererBody: who speaks with the caller. */
  Answerer: 23,
  /** JSON NoteBody: something for the call's timeline. */
  Note: 24,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** Facts about a call that are known at admission. */
export interface CallFacts {
  readonly from: string;
  readonly to: string;
  /** The call that the stream's token is for: `start` has to name it. Empty without a token. */
  readonly callId: string;
  /** Query of the stream URL, first value of each name; with a token, what else is known of the call. */
  readonly query: Readonly<Record<string, string>>;
}

export interface OpenBody {
  /** Of the routing, and the index of the route in it. */
  readonly revision: number;
  readonly route: number;
  readonly facts: CallFacts;
}

/** A call that another shard had until it died. */
export interface AdoptBody extends OpenBody {
  /** Its `start` message as it came. */
  readonly start: string;
  /** Name of the route whose handler spoke with the caller. */
  readonly answeredBy: string;
  /** How often it has been adopted, this time included. */
  readonly adoptions: number;
}

export interface StartedBody {
  readonly callId: string;
  readonly streamId: string;
  readonly accountId: string;
  /** The `start` message as it came. */
  readonly message: string;
}

export interface EndBody {
  readonly reason: string;
  readonly detail?: string;
}

export interface ClosedBody {
  readonly reason: string;
  /** WebSocket close code as the front saw it. */
  readonly code: number;
}

export interface HangupBody extends EndBody {
  readonly callId: string;
  /** Not before so many milliseconds from now. */
  readonly inMs: number;
}

/** `reached`: an application took the call; `spoke`: its first audio; `moved`: another route goes on with the call. */
export type AnswererBody =
  | { readonly what: 'moved'; readonly route: string }
  | {
      readonly what: 'reached' | 'spoke';
      readonly upstream: string;
      /** Of `reached`: the address, without the facts of the call. */
      readonly url?: string;
      /** Since it was sought, or since it was reached. */
      readonly ms: number;
    };

/** What a call sounded like. Milliseconds; decibels of full scale; null where there was nothing to measure. */
export interface VoiceSummary {
  /** From the upgrade to the first audio for the caller. */
  readonly setupMs: number | null;
  /** Answers to what the caller said, and how long the caller waited for them. */
  readonly responses: number;
  readonly responseMsMean: number | null;
  readonly responseMsMax: number | null;
  /** Clears that Plivo has confirmed. */
  readonly bargeIns: number;
  readonly bargeInMsMax: number | null;
  /** Pauses inside outgoing speech, and all of them together. */
  readonly underruns: number;
  readonly underrunMs: number;
  /** Frames that waited here and left after they were due. */
  readonly lateFrames: number;
  /** Of the caller's packets. */
  readonly longestGapMs: number;
  readonly jitterMs: number;
  readonly packetsLost: number;
  readonly packetsReordered: number;
  readonly levelInDb: number | null;
  readonly levelOutDb: number | null;
  /** Sides that were silent for 10 s. */
  readonly oneWay: readonly string[];
}

export interface EndedBody {
  /** Media messages, of both directions; of the last shard only. */
  readonly mediaIn: number;
  readonly mediaOut: number;
  /** What was put aside, by reason; only what there was. */
  readonly drops: Readonly<Record<string, number>>;
  /** Absent where no stream began. */
  readonly voice?: VoiceSummary;
}

/** `what` is from a closed list of the code, never from a peer. */
export interface NoteBody {
  readonly what: string;
  readonly ms?: number;
}

export interface TransferBody {
  readonly url: string;
}

export interface TransferredBody {
  readonly ok: boolean;
  readonly detail: string;
}
