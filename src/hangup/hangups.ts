import type { GatewayConfig } from '../config/types.js';
import type { EndReason } from '../errors.js';
import type { Log } from '../log.js';
import type { TransferResult } from './account.js';
import { DataLock } from './data-lock.js';
import { HangupDispatcher } from './dispatcher.js';
import type { HangupEvents } from './events.js';
import type { HangupStore, LiveCall } from './intent.js';
import { Journal } from './journal.js';
import { LostStreams } from './lost-streams.js';
import { MemoryStore } from './memory-store.js';
import { openApiPool, PlivoClient } from './plivo-client.js';

export interface HangupsEvents extends HangupEvents {
  /** Calls live now. */
  liveCalls(): number;
}

/**
 * Everything that ends calls at Plivo: the data directory and its lock, the journal, the dispatcher, and the watch over
 * lost streams.
 */
export class Hangups {
  readonly dispatcher: HangupDispatcher;
  readonly lostStreams: LostStreams;
  readonly #store: HangupStore;
  readonly #lock: DataLock | undefined;
  /** Routes whose lost calls are left alone. */
  readonly #leaves = new Set<string>();

  private constructor(
    config: GatewayConfig,
    log: Log,
    events: HangupsEvents,
    store: HangupStore,
    lock: DataLock | undefined,
  ) {
    this.#store = store;
    this.#lock = lock;
    const { hangup: settings, routes, accounts } = config;
    this.dispatcher = new HangupDispatcher({
      accounts: accounts.map((account) => ({
        config: account,
        client: new PlivoClient(
          account,
          openApiPool(account.apiUrl, settings.connections, settings.pipelining),
        ),
      })),
      routes,
      settings,
      store,
      log,
      events,
    });
    this.adopt(routes);
    this.lostStreams = new LostStreams({
      store,
      graceMs: settings.lostStreamGraceMs,
      log,
      liveCalls: () => events.liveCalls(),
      hangsUp: (route) => !this.#leaves.has(route),
      unclaimed: ({ callId, accountId, route }) => {
        log.warn({ callId, route }, 'lost stream did not come back: hanging up');
        const reason: EndReason = 'stream-dropped';
        this.dispatcher.submit({ callId, accountId, route, reason, inMs: 0, speculative: true });
      },
    });
  }

  /**
   * @param admin where the admin API is, for those who find the lock
   * @throws GatewayError DATA_LOCKED
   */
  static async open(
    config: GatewayConfig,
    log: Log,
    events: HangupsEvents,
    admin: string,
  ): Promise<Hangups> {
    const lock = await DataLock.take(config.dataDir, { admin, log });
    if (!(lock instanceof DataLock)) {
      log.error(`hang-ups are kept in memory only: ${lock.degraded}`);
      return new Hangups(config, log, events, new MemoryStore(lock.degraded), undefined);
    }
    try {
      const journal = await Journal.open(config.dataDir, { fsync: config.hangup.fsync, log });
      return new Hangups(config, log, events, journal, lock);
    } catch (thrown) {
      await lock.release();
      throw thrown;
    }
  }

  /** These routes take calls from now on; those of live calls stay known. */
  adopt(routes: GatewayConfig['routes']): void {
    for (const { name, onStreamLost } of routes) {
      if (onStreamLost === 'leave') this.#leaves.add(name);
      else this.#leaves.delete(name);
    }
    this.dispatcher.choice.adopt(routes);
  }

  get degraded(): string | undefined {
    return this.#store.degraded;
  }

  /** For a scrape. */
  counts() {
    const { pending, failed, oldestSeconds, accounts } = this.dispatcher;
    const nowMs = performance.now();
    return {
      pending,
      failed,
      oldestSeconds,
      lostStreams: this.lostStreams.count,
      lostStreamsHeld: this.lostStreams.held,
      degraded: this.degraded === undefined ? 0 : 1,
      badLines: this.#store instanceof Journal ? this.#store.badLines : 0,
      accounts: accounts.map(({ name, paused, window }) => {
        // Without a limit there is no number to show.
        const left = window.left(nowMs);
        return { name, paused, windowLeft: Number.isFinite(left) ? left : -1 };
      }),
    };
  }

  /** Takes up what an earlier process left. Calls that are lost wait for their streams from now on. */
  recover(): void {
    // Both read what was recovered before either writes.
    const { intents } = this.#store.recovered;
    const calls = [...this.#store.recovered.calls.values()].filter(
      ({ callId }) => !intents.has(callId),
    );
    this.dispatcher.recover();
    this.lostStreams.recover(calls);
  }

  started(call: LiveCall): void {
    this.lostStreams.started(call);
    this.dispatcher.withdraw(call.callId, { speculative: true });
  }

  /** The last stream of a call ended, for this reason. */
  ended(call: LiveCall, reason: EndReason): void {
    if (reason === 'stream-dropped') this.lostStreams.lost(call);
    else this.lostStreams.over(call.callId);
  }

  /** Its stream broke, and may come back. */
  isLost(callId: string): boolean {
    return this.lostStreams.get(callId) !== undefined;
  }

  /** An operator ends a call without waiting for its lost stream; false if none is lost of it. */
  endLost(callId: string): boolean {
    const call = this.lostStreams.get(callId);
    if (call === undefined) return false;
    const { accountId, route } = call;
    const reason: EndReason = 'operator';
    this.dispatcher.submit({ callId, accountId, route, reason, inMs: 0, speculative: false });
    // Behind the intent in the journal, so that the call is in it at any time.
    this.lostStreams.over(callId);
    return true;
  }

  /** Plivo said that the call is over. */
  callEnded(callId: string): void {
    this.lostStreams.over(callId);
    this.dispatcher.callEnded(callId);
  }

  async transfer(call: LiveCall, url: string): Promise<TransferResult> {
    const result = await this.dispatcher.transfer(call, url);
    if (result.ok) this.dispatcher.withdraw(call.callId, 'any');
    return result;
  }

  async close(): Promise<void> {
    this.lostStreams.close();
    await this.dispatcher.close();
    await this.#lock?.release();
  }
}
