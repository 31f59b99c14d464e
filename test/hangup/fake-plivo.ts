import { vi } from 'vitest';
import type { HangupConfig } from '../../src/config/types.js';
import { HangupDispatcher, type HangupRequest } from '../../src/hangup/dispatcher.js';
import type { Entry, HangupStore, Kept } from '../../src/hangup/intent.js';
import { callIdOf } from '../../src/hangup/journal-line.js';
import type { HangupOutcome, RequestOutcome } from '../../src/hangup/outcome.js';
import type { PlivoAnswer, PlivoClient } from '../../src/hangup/plivo-client.js';
import { openLog } from '../../src/log.js';
import { callUrl } from '../../src/plivo/rest.js';

type Reply = number | Error | Partial<PlivoAnswer> | Promise<PlivoAnswer>;

/** A client that notes when each request left, and answers as it was told to; 204 if not told. */
export class FakeClient {
  readonly requests: { readonly callId: string; readonly atMs: number }[] = [];
  readonly replies: Reply[] = [];
  /** Answers every request, as long as it is set. */
  always: Reply | undefined = undefined;
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
      const reply = await (this.replies.shift() ?? this.always ?? 204);
      if (reply instanceof Error) throw reply;
      const answer = typeof reply === 'number' ? { status: reply } : reply;
      return { status: 204, retryAfterMs: undefined, text: '', ...answer };
    } finally {
      this.inFlight -= 1;
    }
  }

  check(callId: string): void {
    callUrl('http://127.0.0.1', 'MA', callId);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  timesMs(fromMs: number): number[] {
    return this.requests.map(({ atMs }) => Math.round(atMs - fromMs));
  }

  get callIds(): string[] {
    return this.requests.map(({ callId }) => callId);
  }
}

/** A store that notes what it is given; what is not let through is never written. */
export class FakeStore implements HangupStore {
  readonly entries: Entry[] = [];
  recovered: Kept = { intents: new Map(), failed: new Map(), calls: new Map() };
  degraded: string | undefined = undefined;
  /** Set: nothing counts as written until it resolves. */
  gate: Promise<void> | undefined = undefined;

  append(entry: Entry): void {
    this.entries.push(entry);
  }

  written(): Promise<void> {
    return this.gate ?? Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** `hangup a`, `settled a` and so on, in order. */
  get lines(): string[] {
    return this.entries.map((entry) => `${entry.type} ${callIdOf(entry)}`);
  }
}

export const quiet = openLog({ level: 'silent', format: 'json', privacy: 'masked' });

export const settings: HangupConfig = {
  lostStreamGraceMs: 30_000,
  giveUpMs: 3_600_000,
  fsync: 'never',
  connections: 48,
  pipelining: 1,
  tickMs: 50,
  requestsMax: 300,
};

export interface DispatcherOptions {
  readonly settings?: Partial<HangupConfig>;
  /** Names and Auth IDs; one, `default`, if not given. */
  readonly accounts?: readonly { readonly name: string; readonly authId: string }[];
  readonly routes?: readonly { readonly name: string; readonly account?: string }[];
  readonly store?: FakeStore;
}

/** A dispatcher over fake clients, one per account, in faked time. */
export function openDispatcher(options: DispatcherOptions = {}) {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  });
  const accounts = options.accounts ?? [{ name: 'default', authId: 'MADEFAULT' }];
  const clients = accounts.map(() => new FakeClient());
  const store = options.store ?? new FakeStore();
  const settled: [callId: string, outcome: HangupOutcome][] = [];
  const requested: RequestOutcome[] = [];
  const dispatcher = new HangupDispatcher({
    accounts: accounts.map(({ name, authId }, index) => ({
      config: { name, apiUrl: 'http://127.0.0.1', credentials: { authId, authToken: 'secret' } },
      client: clients[index] as unknown as PlivoClient,
    })),
    routes: options.routes ?? [],
    settings: { ...settings, ...options.settings },
    store,
    log: quiet,
    events: {
      settled: ({ callId }, outcome) => settled.push([callId, outcome]),
      asked: () => {},
      requested: (outcome) => requested.push(outcome),
    },
  });
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  const submit = (callId: string, inMs = 0, more: Partial<HangupRequest> = {}): void =>
    dispatcher.submit({
      ...{ callId, accountId: '', route: 'calls', reason: 'app-end', inMs, speculative: false },
      ...more,
    });
  const startMs = performance.now();
  return {
    client: clients[0]!,
    clients,
    dispatcher,
    store,
    settled,
    requested,
    startMs,
    pass,
    submit,
  };
}
