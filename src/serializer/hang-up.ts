import { setTimeout as sleep } from 'node:timers/promises';
import { errorText, GatewayError } from '../errors.js';
import { PlivoClient } from '../hangup/plivo-client.js';
import { SlidingWindow } from '../hangup/window.js';
import {
  restRequestsMax,
  restTimeoutMs,
  restWindowMs,
  retryDelayMsMax,
  retryDelayMsMin,
} from '../limits.js';
import { hangupVerdict } from '../plivo/rest.js';
import type { HangupOrder } from './options.js';

/** How the automatic hang-up of a call went. */
export interface HangupResult {
  /**
   * `confirmed`: Plivo ended the call. `already-ended`: it was over, or Plivo does not know it
   * (404). `refused`: Plivo wants no such request (401, 403 …), or none could be made. `gave-up`:
   * no usable answer in time.
   */
  readonly outcome: 'confirmed' | 'already-ended' | 'refused' | 'gave-up';
  /** Requests made. */
  readonly attempts: number;
  /** HTTP status of the last answer, if there was one. */
  readonly status: number | undefined;
  /** One phrase for a log line; empty on success. */
  readonly detail: string;
}

/** From the frame to the result, the last request included. */
export const hangupBoundMs = 30_000;

const lookMs = 50;

/** Connections and rate of one account, shared by all calls of the process (section 5.3). */
interface Account {
  readonly client: PlivoClient;
  readonly window: SlidingWindow;
  users: number;
}

const accountsMax = 64;
const accounts = new Map<string, Account>();

/**
 * Ends a call through Plivo's REST API: network errors, 429 and 5xx are tried again with growing
 * pauses. Never rejects, and settles within `boundMs`.
 */
export async function hangUp(order: HangupOrder, boundMs = hangupBoundMs): Promise<HangupResult> {
  try {
    const account = accountOf(order);
    account.users += 1;
    try {
      return await insist(account, order.callId, performance.now() + boundMs - restTimeoutMs);
    } finally {
      account.users -= 1;
    }
  } catch (thrown) {
    return { outcome: 'refused', attempts: 0, status: undefined, detail: errorText(thrown) };
  }
}

/** No request begins after `lastMs` but the first. */
async function insist(account: Account, callId: string, lastMs: number): Promise<HangupResult> {
  let attempts = 0;
  let status: number | undefined;
  let detail = 'no place within the rate limit of the account';
  for (;;) {
    const place = await placeOf(account, attempts === 0 ? Number.POSITIVE_INFINITY : lastMs);
    if (place === undefined) break;
    attempts += 1;
    let pauseMs = retryDelayMsMin * 2 ** (attempts - 1) * (0.5 + Math.random() / 2);
    try {
      const answer = await account.client.hangup(callId);
      status = answer.status;
      detail = `status ${status} ${answer.text}`.trim();
      const outcome = hangupVerdict(status);
      if (outcome === 'refused' || outcome === 'unauthorized') {
        return { outcome: 'refused', attempts, status, detail };
      }
      if (outcome !== 'retry') return { outcome, attempts, status, detail: '' };
      pauseMs = Math.max(pauseMs, answer.retryAfterMs ?? 0);
    } catch (thrown) {
      if (thrown instanceof GatewayError) throw thrown; // no request was made
      detail = errorText(thrown);
    } finally {
      account.window.answered(place, performance.now());
    }
    pauseMs = Math.min(pauseMs, retryDelayMsMax);
    if (performance.now() + pauseMs > lastMs) break;
    await sleep(pauseMs);
  }
  return { outcome: 'gave-up', attempts, status, detail };
}

/** Waits for a place within the account's rate. */
async function placeOf({ window }: Account, lastMs: number): Promise<number | undefined> {
  for (;;) {
    const place = window.take(performance.now());
    if (place !== undefined || performance.now() > lastMs) return place;
    await sleep(lookMs);
  }
}

function accountOf({ apiUrl, authId, authToken }: HangupOrder): Account {
  const key = JSON.stringify([apiUrl, authId, authToken]);
  let account = accounts.get(key);
  if (account === undefined) {
    forgetIdle();
    const client = new PlivoClient({ apiUrl, credentials: { authId, authToken } });
    account = { client, window: new SlidingWindow(restRequestsMax, restWindowMs), users: 0 };
    accounts.set(key, account);
  }
  return account;
}

function forgetIdle(): void {
  for (const [key, { client, users }] of accounts) {
    if (accounts.size < accountsMax) return;
    if (users > 0) continue;
    accounts.delete(key);
    void client.close();
  }
}
