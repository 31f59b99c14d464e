import type { Log } from '../log.js';
import type { CallRecord } from './call-record.js';

/** The line at a call's end: what there is to say of it, and nothing that there was not. */
export function logRecord(log: Log, record: CallRecord): void {
  const { callId, streamId, route, endReason, fault, seconds, mediaIn, mediaOut } = record;
  const { answeredBy, upstream, failovers, fallbacks, adoptions, streams, closeCode, drops } =
    record;
  const { hangup, hangupCause, voice } = record;
  const line = {
    ...{ callId, streamId, route },
    ...(answeredBy !== route && { answeredBy }),
    ...(upstream !== '' && { upstream }),
    ...(failovers > 0 && { failovers }),
    ...(fallbacks > 0 && { fallbacks }),
    ...(adoptions > 0 && { adoptions }),
    ...{ reason: endReason, fault },
    ...(closeCode !== 0 && { closeCode }),
    ...(hangup !== null && { hangup: hangup.outcome }),
    ...(hangupCause !== '' && { hangupCause }),
    ...{ seconds, mediaIn, mediaOut },
    ...(streams > 1 && { streams }),
    ...(Object.keys(drops).length > 0 && { drops }),
    ...(typeof voice?.setupMs === 'number' && { setupMs: voice.setupMs }),
    ...(typeof voice?.responseMsMean === 'number' && { responseMs: voice.responseMsMean }),
    ...(voice !== null && voice.underruns > 0 && { underruns: voice.underruns }),
    ...(voice !== null && voice.oneWay.length > 0 && { oneWay: voice.oneWay }),
  };
  log.info(line, 'call ended');
}
