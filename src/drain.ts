import type { AdminServer } from './admin/server.js';
import type { CallHistory } from './calls/call-history.js';
import type { RecordSinks } from './calls/record-sinks.js';
import type { DrainEnding } from './config/types.js';
import type { Captures } from './front/captures.js';
import type { Front } from './front/front.js';
import type { Server } from './front/server.js';
import type { Hangups } from './hangup/hangups.js';
import {
  drainEndMs,
  handoversAtOnce,
  hangupDrainMs,
  recordsCloseMs,
  restRequestsMax,
  restWindowMs,
} from './limits.js';
import type { Log } from './log.js';
import type { ShardPool } from './pool/pool.js';

interface Parts {
  readonly front: Front;
  readonly pool: ShardPool;
  readonly hangups: Hangups;
  readonly server: Server;
  readonly admin: AdminServer;
  readonly history: CallHistory;
  readonly records: RecordSinks;
  readonly captures: Captures;
  readonly deadline: {
    readonly ending: DrainEnding;
    /** The answer URL of the other nodes. */
    readonly resumeUrl: string | undefined;
  };
}

const lookMs = 50;
const reportMs = 10_000;

/**
 * Finishes the calls in progress, then ends:
 * not ready and refusing → calls finish, up to the deadline → the rest ends (or is handed over, or left), then is cut → shards return →
 * hang-ups finish → call records are written → listeners close. Answers whether no call had to be cut and every hang-up was settled.
 */
export async function drainGateway(parts: Parts, timeoutMs: number, log: Log): Promise<boolean> {
  const { front, pool, hangups, server, admin, history, records, captures } = parts;
  front.draining = true;
  log.info(
    { calls: front.calls, timeoutMs },
    'draining: new streams are refused, calls may finish',
  );
  await empty(front, timeoutMs, log);
  if (front.connections.count > 0) await atDeadline(parts, log);
  const cut = front.connections.count;
  front.closeAll('drain-deadline');
  await pool.drain(drainEndMs);
  const windows = Math.ceil(hangups.dispatcher.pending / restRequestsMax);
  const unsettled = await hangups.dispatcher.drain(hangupDrainMs + windows * restWindowMs);
  server.stopListening();
  front.stop();
  history.flush();
  await Promise.all([
    captures.close(),
    hangups.close(),
    records.close(recordsCloseMs),
    admin.close(),
  ]);
  const line = { cut, hangupsUnsettled: unsettled };
  if (cut + unsettled > 0) log.warn(line, 'drained, not cleanly');
  else log.info('drained');
  return cut + unsettled === 0;
}

/** What is left ends, in the way that was chosen; whatever cannot be handed over ends gracefully. */
async function atDeadline({ front, deadline }: Parts, log: Log): Promise<void> {
  const { ending, resumeUrl } = deadline;
  const line = { calls: front.connections.count, atDeadline: ending };
  log.warn(line, 'drain deadline: the remaining calls are ended, handed over or left');
  if (ending === 'handover' && resumeUrl !== undefined) {
    await front.handOverAll(resumeUrl, 'drain-deadline', handoversAtOnce);
  } else if (ending === 'leave') front.leaveAll('drain-deadline');
  front.endAll('drain-deadline');
  await empty(front, drainEndMs, log);
}

async function empty(front: Front, timeoutMs: number, log: Log): Promise<void> {
  const untilMs = performance.now() + timeoutMs;
  let reportAtMs = performance.now() + reportMs;
  while (front.connections.count > 0 && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, lookMs));
    if (performance.now() < reportAtMs) continue;
    reportAtMs += reportMs;
    const secondsLeft = Math.ceil((untilMs - performance.now()) / 1_000);
    log.info({ calls: front.connections.count, secondsLeft }, 'draining');
  }
}
