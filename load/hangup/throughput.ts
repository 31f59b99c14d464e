import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import type { HangupConfig } from '../../src/config/types.js';
import { HangupDispatcher } from '../../src/hangup/dispatcher.js';
import { Journal } from '../../src/hangup/journal.js';
import { openApiPool, PlivoClient } from '../../src/hangup/plivo-client.js';
import { openLog } from '../../src/log.js';
import { basicAuthorization } from '../../src/plivo/rest.js';

const account = {
  name: 'default',
  credentials: { authId: 'MABENCH', authToken: 'of-the-bench' },
};
const log = openLog({ level: 'error', format: 'json', privacy: 'masked' });

/** A bare undici `Pool`, kept busy: requests per second. */
export async function barePool(
  apiUrl: string,
  count: number,
  { connections, pipelining }: Pick<HangupConfig, 'connections' | 'pipelining'>,
): Promise<number> {
  const pool = new Pool(new URL(apiUrl).origin, { connections, pipelining });
  const headers = { authorization: basicAuthorization(account.credentials) };
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) {
      const path = `/v1/Account/${account.credentials.authId}/Call/${newCallId('bare', next)}/`;
      next += 1;
      const { body } = await pool.request({ method: 'DELETE', path, headers, idempotent: true });
      await body.dump();
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: connections * pipelining }, one));
  const seconds = (performance.now() - startMs) / 1_000;
  await pool.close();
  return count / seconds;
}

/** All of it: intents accepted, written to a journal, sent and confirmed. Hang-ups per second. */
export async function dispatched(
  apiUrl: string,
  count: number,
  settings: HangupConfig,
): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-hangup-'));
  const store = await Journal.open(directory, { fsync: settings.fsync, log });
  const client = new PlivoClient(
    { ...account, apiUrl },
    openApiPool(apiUrl, settings.connections, settings.pipelining),
  );
  let left = count;
  let done = (): void => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const dispatcher = new HangupDispatcher({
    accounts: [{ config: { ...account, apiUrl }, client }],
    routes: [],
    settings,
    store,
    log,
    events: {
      settled: (_intent, outcome) => {
        if (outcome !== 'confirmed') throw new Error(`a hang-up was ${outcome}`);
        left -= 1;
        if (left === 0) done();
      },
      asked: () => {},
      requested: () => {},
    },
  });
  const startMs = performance.now();
  for (let i = 0; i < count; i += 1) {
    const callId = newCallId(directory.slice(-6), i);
    dispatcher.submit({
      callId,
      accountId: '',
      route: '',
      reason: 'app-end',
      inMs: 0,
      speculative: false,
    });
  }
  await all;
  const seconds = (performance.now() - startMs) / 1_000;
  await dispatcher.close();
  await rm(directory, { recursive: true });
  return count / seconds;
}

let rounds = 0;
/** As long as Plivo's, never the same twice. */
function newCallId(kind: string, index: number): string {
  if (index === 0) rounds += 1;
  return `${kind}-${rounds}-${String(index).padStart(8, '0')}`.padEnd(36, '0');
}
