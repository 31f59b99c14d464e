import type { CallHistory } from './calls/call-history.js';
import type { Privacy } from './config/types.js';
import type { Edge } from './edge.js';
import type { EndReason } from './errors.js';
import type { Connection } from './front/connections.js';
import type { Front } from './front/front.js';
import type { FrontEvents } from './front/front-parts.js';
import type { Hangups } from './hangup/hangups.js';
import type { LiveCall } from './hangup/intent.js';
import { type Log, maskNumber } from './log.js';
import type { Instruments } from './metrics/instruments.js';

export interface CallEventParts {
  readonly instruments: Instruments;
  readonly hangups: Hangups;
  readonly history: CallHistory;
  readonly edge: () => Edge;
  readonly front: () => Front;
  readonly privacy: Privacy;
  readonly log: Log;
}

/** What follows from the front's events: it is counted, written into the call's story, and the call is ended at Plivo. */
export function callEvents(parts: CallEventParts): FrontEvents {
  const { instruments, hangups, history, privacy, log } = parts;
  return {
    started: (connection) => {
      const { callId, streamId, accountId, route, facts, admittedBy, startedAt } = connection;
      instruments.callsStarted.inc({ route });
      hangups.started(liveCall(connection));
      history.started({
        ...{ callId, streamId, accountId, route, admittedBy, startedAt },
        from: maskNumber(facts.from, privacy),
        to: maskNumber(facts.to, privacy),
        openedAt: Math.round(startedAt - (performance.now() - connection.openedMs)),
      });
    },
    ended: (connection, reason, body) => {
      const { route, callId, closeCode } = connection;
      instruments.ended(route, reason, callId !== '');
      if (callId === '') return;
      // A call whose stream came again is not over with the old one.
      if (parts.front().connections.byCallId(callId) === undefined) {
        hangups.ended(liveCall(connection), reason);
        if (!mayComeBack.has(reason)) {
          parts.edge().tokens.streamEnded(callId, connection.tokenIssuedMs);
        }
      }
      history.ended(callId, { reason, closeCode, body });
    },
    admitted: (by) => instruments.admissions.inc({ by }),
    answerer: ({ route, callId }, body) => {
      instruments.answerer(route, body);
      history.answerer(callId, body);
    },
    adopted: ({ callId }) => {
      instruments.adoptions.inc();
      history.adopted(callId);
    },
    note: ({ callId }, body) => history.note(callId, body),
    refused: (reason) => instruments.refusals.inc({ reason }),
    hangup: ({ callId, accountId, route }, reason, inMs) => {
      hangups.dispatcher.submit({ callId, accountId, route, reason, inMs, speculative: false });
    },
    transfer: async (connection, url) => {
      const { callId } = connection;
      const result = await hangups.transfer(liveCall(connection), url);
      instruments.transfers.inc({ outcome: result.ok ? 'ok' : 'failed' });
      history.happened(callId, result.ok ? 'transferred' : 'transfer-failed', result.detail);
      if (!result.ok) {
        log.error({ callId, detail: result.detail }, 'transfer failed; the call goes on');
      }
      return result;
    },
  };
}

/** Endings after which Plivo may connect the same call again (protocol reference, section 7.2). */
const mayComeBack: ReadonlySet<EndReason> = new Set([
  ...(['stream-dropped', 'slow-reader', 'message-too-large', 'shard-lost'] as const),
]);

function liveCall({ callId, accountId, route, startedAt }: Connection): LiveCall {
  return { callId, accountId, route, startedAt };
}
