import type { Call, Handler } from '../../src/handler.js';
import type { SessionCall } from '../session/call.js';
import { DialectCall } from './dialect-call.js';
import { RelayCall } from './relay-call.js';
import type { UpstreamParts, UpstreamRoute } from './upstream-call.js';

const member = 'upstream';

/** Leads the calls of a route to the applications of an upstream. */
export function upstreamHandler(parts: UpstreamParts, route: UpstreamRoute): Handler {
  return parts.upstream.protocol === 'plivo'
    ? relayHandler(parts, route)
    : dialectHandler(parts, route);
}

function dialectHandler(parts: UpstreamParts, route: UpstreamRoute): Handler {
  const of = (call: Call) => call.data[member] as DialectCall;
  return {
    start: (call) => {
      const upstreamCall = new DialectCall(call as SessionCall, parts, route);
      call.data[member] = upstreamCall;
      upstreamCall.connect();
    },
    audio: (call, samples, track) => {
      // The other party's voice would come back to it.
      if (track === 'inbound') of(call).audio(samples);
    },
    dtmf: (call, digit) => of(call).dtmf(digit),
    played: (call, checkpoint, interrupted) => of(call).played(checkpoint, interrupted),
    end: (call, reason) => of(call).over(reason),
  };
}

/** The messages themselves come by the call's tap. */
function relayHandler(parts: UpstreamParts, route: UpstreamRoute): Handler {
  return {
    start: (call) => {
      const upstreamCall = new RelayCall(call as SessionCall, parts, route);
      call.data[member] = upstreamCall;
      upstreamCall.connect();
    },
    end: (call, reason) => (call.data[member] as RelayCall).over(reason),
  };
}
