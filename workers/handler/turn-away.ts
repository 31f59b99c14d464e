import type { Wav } from '../../src/codec/wav.js';
import type { Call, Handler } from '../../src/handler.js';
import type { SessionCall } from '../session/call.js';

/** What runs in a session is given the session's own call. */
function own(call: Call): SessionCall {
  return call as SessionCall;
}

/** For routes that hang their calls up. */
export function reject(why: string): Handler {
  return { start: (call) => own(call).fail('route-reject', why) };
}

/** For routes whose calls go on with another answer document; where Plivo refuses that, they are hung up. */
export function redirect(url: string): Handler {
  return {
    start: async (call) => {
      const isTransferred = await call.transfer(url);
      if (!isTransferred) own(call).fail('route-reject', `it cannot be redirected to ${url}`);
    },
  };
}

/** For routes whose callers hear a recording, and are hung up. */
export function play({ samples, rateHz }: Wav): Handler {
  return {
    start: (call) => {
      call.play(samples, rateHz);
      call.end();
    },
  };
}
