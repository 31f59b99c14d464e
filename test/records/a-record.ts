import type { CallRecord } from '../../src/calls/call-record.js';
import type { StartedStream } from '../../src/calls/call-story.js';

export function aStart(callId: string, changes: Partial<StartedStream> = {}): StartedStream {
  return {
    ...{ callId, streamId: `stream of ${callId}`, accountId: 'MA1', route: 'main' },
    ...{ from: '+15*******67', to: '', admittedBy: 'token' },
    ...{ openedAt: Date.now() - 20, startedAt: Date.now() },
    ...changes,
  };
}

export function aRecord(callId: string): CallRecord {
  return {
    ...{ version: 1, callId, streamId: 's', accountId: '', route: 'main', answeredBy: 'main' },
    ...{ upstream: '', address: '', failovers: 0, fallbacks: 0, adoptions: 0, from: '', to: '' },
    ...{ admittedBy: 'token', startedAt: '', endedAt: '', seconds: 1.5, streams: 1 },
    ...{ endReason: 'app-end', fault: 'application', closeCode: 1000, hangup: null },
    ...{ hangupCause: '', mediaIn: 1, mediaOut: 2, drops: {}, voice: null },
  };
}
