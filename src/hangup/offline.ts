import { GatewayError } from '../errors.js';
import type { Log } from '../log.js';
import { DataLock } from './data-lock.js';
import type { HangupView } from './dispatcher.js';
import type { Intent } from './intent.js';
import { Journal } from './journal.js';
import { readSegment, segmentFile, segmentNumbers } from './journal-files.js';
import { JournalState } from './journal-line.js';

/** What an operator can do with the journal while no gateway runs on it. */

/** Hang-ups in a data directory, failed ones first. Changes nothing. Empty if there is no such directory. */
export async function listOffline(directory: string, log: Log): Promise<HangupView[]> {
  const state = new JournalState();
  for (const number of await numbersIn(directory)) {
    await readSegment(segmentFile(directory, number), state, log);
  }
  return [
    ...[...state.failed.values()].map((failed) => viewOf(failed, 'failed', failed)),
    ...[...state.intents.values()].map((intent) => viewOf(intent, 'pending', none)),
  ];
}

async function numbersIn(directory: string): Promise<readonly number[]> {
  try {
    return await segmentNumbers(directory);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}

const none = { attempts: 0, lastAnswer: '' };

function viewOf(
  { callId, accountId, reason, speculative, requestedAt }: Intent,
  state: HangupView['state'],
  { attempts, lastAnswer }: { readonly attempts: number; readonly lastAnswer: string },
): HangupView {
  return {
    ...{ callId, state, account: accountId, reason, speculative, attempts, lastAnswer },
    requestedAt: new Date(requestedAt).toISOString(),
    ageSeconds: Math.round((Date.now() - requestedAt) / 100) / 10,
  };
}

/**
 * Makes failed hang-ups pending again, or only that of one call: the next gateway sends them. Answers how many.
 * @throws GatewayError DATA_LOCKED
 */
export function retryOffline(
  directory: string,
  callId: string | undefined,
  log: Log,
): Promise<number> {
  return withJournal(directory, log, (journal) => {
    const chosen = [...journal.recovered.failed.values()].filter(
      (failed) => callId === undefined || failed.callId === callId,
    );
    const nowMs = Date.now();
    for (const { callId: id, accountId, route, reason, speculative } of chosen) {
      const call = { callId: id, accountId, route };
      const intent = { ...call, reason, speculative, requestedAt: nowMs, notBefore: nowMs };
      journal.append({ type: 'hangup', intent });
    }
    return chosen.length;
  });
}

/**
 * Gives a hang-up up; false if there is none.
 * @throws GatewayError DATA_LOCKED
 */
export function dropOffline(directory: string, callId: string, log: Log): Promise<boolean> {
  return withJournal(directory, log, (journal) => {
    const { intents, failed } = journal.recovered;
    const isThere = intents.has(callId) || failed.has(callId);
    if (isThere) journal.append({ type: 'settled', callIds: [callId] });
    return isThere;
  });
}

async function withJournal<T>(
  directory: string,
  log: Log,
  act: (journal: Journal) => T,
): Promise<T> {
  const lock = await DataLock.take(directory, { admin: '', log });
  if (!(lock instanceof DataLock)) throw new GatewayError('DATA_UNUSABLE', lock.degraded);
  try {
    const journal = await Journal.open(directory, { fsync: 'tick', log });
    const result = act(journal);
    await journal.written();
    const { degraded } = journal;
    await journal.close();
    if (degraded !== undefined) throw new GatewayError('DATA_UNUSABLE', degraded);
    return result;
  } finally {
    await lock.release();
  }
}
