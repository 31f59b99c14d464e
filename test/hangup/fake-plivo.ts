import { vi } from 'vitest';
import { HangupDispatcher, type HangupOutcome } from '../../src/hangup/dispatcher.js';
import type { PlivoAnswer, PlivoClient } from '../../src/hangup/plivo-client.js';
import { openLog } from '../../src/log.js';

type Reply = number | Error | Partial<PlivoAnswer> | Promise<PlivoAnswer>;

/** A client that notes when each request left, and answers as it was told to; 204 if not told. */
export class FakeClient {
  readonly requests: { readonly callId: string; readonly atMs: number }[] = [];
  readonly replies: Reply[] = [];
  hasCredentials = true;
  closed = false;
  inFlight = 0;
  inFlightMax = 0;
  /** How long an answer takes. */
  latencyMs = 0;

  async hangup(callId: string): Promise<PlivoAnswer> {
    this.requests.push({ callId, atMs: performance.now() });
    this.inFlight += 1;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    try {
      if (this.latencyMs > 0) await new Promise((done) => setTimeout(done, this.latencyMs));
      const reply = await (this.replies.shift() ?? 204);
      if (reply instanceof Error) throw reply;
      const answer = typeof reply === 'number' ? { status: reply } : reply;
      return { status: 204, retryAfterMs: undefined, text: '', ...answer };
    } finally {
      this.inFlight -= 1;
    }
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  timesMs(fromMs: number): number[] {
    return this.requests.map(({ atMs }) => Math.round(atMs - fromMs));
  }
}

export const quiet = openLog({ level: 'silent', format: 'json', privacy: 'masked' });

/** A dispatcher over a fake client, in faked time. */
export function openDispatcher() {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  });
  const client = new FakeClient();
  const settled: [callId: string, outcome: HangupOutcome][] = [];
  let attempts = 0;
  const dispatcher = new HangupDispatcher(client as unknown as PlivoClient, quiet, {
    settled: (callId, outcome) => settled.push([callId, outcome]),
    attempted: () => {
      attempts += 1;
    },
  });
  return {
    client,
    dispatcher,
    settled,
    startMs: performance.now(),
    attempts: () => attempts,
    pass: (ms: number) => vi.advanceTimersByTimeAsync(ms),
  };
}
