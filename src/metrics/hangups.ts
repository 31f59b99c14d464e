import type { Families } from './families.js';

/** The state of the hang-ups at the moment of a scrape. */
export interface HangupCounts {
  readonly pending: number;
  readonly failed: number;
  readonly oldestSeconds: number;
  readonly lostStreams: number;
  readonly lostStreamsHeld: number;
  readonly degraded: number;
  readonly badLines: number;
  readonly accounts: readonly {
    readonly name: string;
    readonly paused: boolean;
    readonly windowLeft: number;
  }[];
}

const gauges: readonly (readonly [string, string, keyof Omit<HangupCounts, 'accounts'>])[] = [
  ['hangups_pending', 'Hang-ups accepted and not yet settled', 'pending'],
  ['hangups_failed', 'Hang-ups given up or refused, kept for an operator', 'failed'],
  ['hangup_oldest_seconds', 'Age of the oldest pending hang-up', 'oldestSeconds'],
  ['lost_streams', 'Calls whose stream broke, and may come back', 'lostStreams'],
  ['lost_streams_held', 'Those held because many were lost at once', 'lostStreamsHeld'],
  ['hangup_store_degraded', '1 while hang-ups are kept in memory only', 'degraded'],
  ['hangup_journal_bad_lines', 'Unreadable lines found in the journal at start', 'badLines'],
];

export function registerHangups(families: Families, counts: () => HangupCounts): void {
  let now: HangupCounts | undefined;
  // Counting walks over all that is pending: once for each scrape.
  const read = (): HangupCounts => {
    if (now === undefined) queueMicrotask(() => (now = undefined));
    return (now ??= counts());
  };
  for (const [name, help, member] of gauges) {
    families.one('gauge', name, help, () => read()[member]);
  }
  families.each('gauge', 'hangup_account_paused', '1 while the API or the credentials fail', () =>
    read().accounts.map(({ name, paused }) => ({
      labels: { account: name },
      value: paused ? 1 : 0,
    })),
  );
  families.each('gauge', 'hangup_window_left', 'Requests that the account may send now', () =>
    read().accounts.map(({ name, windowLeft }) => ({
      labels: { account: name },
      value: windowLeft,
    })),
  );
}
