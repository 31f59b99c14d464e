import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { segmentFile } from '../../src/hangup/journal-files.js';
import { lineOf } from '../../src/hangup/journal-line.js';
import { type Children, Mailbox } from '../bench/children.js';
import type { BacklogReport } from './backlog-child.js';

export interface BacklogResult {
  /** What a gateway with the backlog has resident more than one without. */
  readonly residentMb: number;
  readonly wholeMb: number;
  /** Of the front's event loop, from when the gateway was ready. */
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  readonly settled: number;
  readonly seconds: number;
}

const reportMsMax = 30_000;
const settleMs = 3_000;

/** Starts a gateway on a journal with so many intents, and watches it for a while, or until all are settled. */
export async function measureBacklog(
  children: Children,
  apiUrl: string,
  intents: number,
  { requests, seconds }: { readonly requests: number; readonly seconds: number },
): Promise<BacklogResult> {
  const withoutMb = (await watch(children, apiUrl, 0, { requests, seconds: settleMs / 1_000 })).mb;
  const { mb, reports, tookMs } = await watch(children, apiUrl, intents, { requests, seconds });
  const last = reports.at(-1);
  return {
    residentMb: mb - withoutMb,
    wholeMb: mb,
    delayP99Ms: last?.delayP99Ms ?? 0,
    delayMaxMs: last?.delayMaxMs ?? 0,
    settled: intents - (last?.pending ?? intents),
    seconds: tookMs / 1_000,
  };
}

async function watch(
  children: Children,
  apiUrl: string,
  intents: number,
  { requests, seconds }: { readonly requests: number; readonly seconds: number },
) {
  const dataDir = await mkdtemp(join(tmpdir(), 'bench-backlog-'));
  await writeFile(segmentFile(dataDir, 1), journalOf(intents));
  const account = ['PLIVO_AUTH_ID=MABENCH', 'PLIVO_AUTH_TOKEN=x', `PLIVO_API_URL=${apiUrl}`];
  const child = children.fork('../hangup/backlog-child.js', [
    ...['HOST=127.0.0.1', 'PORT=0', 'ADMIN_PORT=0', 'SHARDS=1', `DATA_DIR=${dataDir}`],
    ...[`REQUESTS=${requests}`, ...account],
  ]);
  const mailbox = new Mailbox<BacklogReport>(child);
  const reports: BacklogReport[] = [];
  const startMs = performance.now();
  for (;;) {
    const report = await mailbox.take(reportMsMax);
    reports.push(report);
    const tookMs = performance.now() - startMs;
    const isDone = intents > 0 && report.pending === 0;
    if (!isDone && tookMs < seconds * 1_000) continue;
    await children.end(child);
    await rm(dataDir, { recursive: true });
    const mb = Math.max(...reports.map(({ rssBytes }) => rssBytes)) / 2 ** 20;
    return { reports, mb, tookMs };
  }
}

function journalOf(intents: number): string {
  const base = { accountId: 'MABENCH', route: 'default', reason: 'app-end', speculative: false };
  const nowMs = Date.now();
  return Array.from({ length: intents }, (_, i) => {
    const callId = `backlog-${nowMs}-${String(i).padStart(8, '0')}`;
    const requestedAt = nowMs - 60_000 + Math.floor(i / 10);
    return lineOf({ type: 'hangup', intent: { ...base, callId, requestedAt, notBefore: nowMs } });
  }).join('');
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
