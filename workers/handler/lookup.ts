import { errorText } from '../../src/errors.js';
import type { Handler } from '../../src/handler.js';
import { loneConnectMs, lookupBytesMax, lookupTimeoutMs } from '../../src/limits.js';
import type { LookupOutcome } from '../../src/shard/counters.js';
import type { SessionCall } from '../session/call.js';
import { factsOf } from '../upstream/dialect.js';
import type { UpstreamRoute } from '../upstream/upstream-call.js';
import type { UpstreamDoors } from '../upstream/upstream-doors.js';
import { upstreamHandler } from '../upstream/upstream-handler.js';
import { type LookupAnswer, loneUpstream, readAnswer } from './lookup-answer.js';

/** What came of asking: the answer, and how it is counted. */
interface Asked {
  readonly outcome: LookupOutcome;
  readonly answer: LookupAnswer;
}

/** For routes whose calls go where a service says. If it does not say in time, the route's fallback takes them. */
export function lookup(url: string, doors: UpstreamDoors, route: UpstreamRoute): Handler {
  return {
    start: async (started) => {
      const call = started as SessionCall;
      const { outcome, answer } = await ask(url, call);
      call.lookedUp(outcome);
      if (!call.isLive) return;
      switch (answer.kind) {
        case 'reject':
          return call.fail('route-reject', answer.why);
        case 'upstream': {
          const parts = doors.get(answer.name);
          if (parts === undefined) return failed(call, route, `no upstream is ${answer.name}`);
          call.params = answer.params;
          return call.become(upstreamHandler(parts, route), parts.upstream.sampleRate);
        }
        case 'url': {
          const upstream = loneUpstream(answer, call.route, loneConnectMs);
          call.params = answer.params;
          const handler = upstreamHandler(doors.lone(upstream, answer.url), route);
          return call.become(handler, upstream.sampleRate);
        }
        case 'nonsense':
          return failed(call, route, answer.why);
      }
    },
  };
}

function failed(call: SessionCall, { fallback }: UpstreamRoute, why: string): void {
  if (fallback === undefined) call.fail('upstream-failed', `lookup: ${why}`);
  else call.handOver(fallback, `lookup: ${why}`);
}

/** Never rejects. */
async function ask(url: string, call: SessionCall): Promise<Asked> {
  const { resumed: _, ...facts } = factsOf(call, false);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(facts),
      redirect: 'error',
      signal: AbortSignal.timeout(lookupTimeoutMs),
    });
    const text = await boundedText(response);
    if (!response.ok) return asked('error', `the service answered ${response.status}`);
    const answer = readAnswer(text);
    if (answer.kind === 'nonsense') return asked('nonsense', `the service answered ${answer.why}`);
    return { outcome: answer.kind === 'reject' ? 'rejected' : 'answered', answer };
  } catch (thrown) {
    const isLate = thrown instanceof Error && thrown.name === 'TimeoutError';
    if (isLate) return asked('timeout', `no answer within ${lookupTimeoutMs / 1_000} s`);
    const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
    return asked('error', errorText(cause));
  }
}

function asked(outcome: LookupOutcome, why: string): Asked {
  return { outcome, answer: { kind: 'nonsense', why } };
}

async function boundedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > lookupBytesMax) throw new Error(`more than ${lookupBytesMax} bytes`);
  }
  return text + decoder.decode();
}
