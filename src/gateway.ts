import { AdminServer, type CallView } from './admin/server.js';
import { workerEnvironment } from './config/environment.js';
import type { GatewayConfig, Privacy } from './config/types.js';
import { drainGateway } from './drain.js';
import type { EndReason } from './errors.js';
import { refusals } from './front/admission.js';
import type { Connection } from './front/connections.js';
import { Front } from './front/front.js';
import { loadNative } from './front/native.js';
import { Server } from './front/server.js';
import { Webhooks, webhookKinds, webhookOutcomes } from './front/webhooks.js';
import { Hangups } from './hangup/hangups.js';
import type { LiveCall } from './hangup/intent.js';
import { hangupOutcomes, isOver, requestOutcomes } from './hangup/outcome.js';
import { type Log, maskNumber } from './log.js';
import { registerCounts } from './metrics/collect.js';
import { Instruments } from './metrics/instruments.js';
import { ShardPool } from './pool/pool.js';
import { type ReloadResult, Reloads, routingOf } from './reload.js';
import { Upstreams } from './routing/upstreams.js';
import { CallBoard } from './shard/call-board.js';
import { StampClock } from './shard/clock.js';
import { counterBlock } from './shard/counters.js';
import { version } from './version.js';

/** A running gateway. */
export interface Gateway {
  /** Port of the streams, and of the admin listener. */
  readonly port: number;
  readonly adminPort: number;
  /** Lets the calls finish, then ends; for the steps see `drain.ts`. Resolves with false if it was not clean. */
  drain(timeoutMs?: number): Promise<boolean>;
  /** Takes routes and upstreams from the configuration as it is now. Never rejects. */
  reload(): Promise<ReloadResult>;
  /** Ends at once. */
  destroy(): Promise<void>;
}

/**
 * Builds all parts, in the order in which the audio travels, and starts them.
 * @param loadAgain reads the configuration anew, for a reload
 * @throws GatewayError LISTEN, PLATFORM, HANDLER_LOAD, SHARD_START
 */
export async function openGateway(
  config: GatewayConfig,
  log: Log,
  loadAgain?: () => GatewayConfig,
): Promise<Gateway> {
  const native = await loadNative();
  const callsPerShard = Math.ceil(config.limits.calls / config.shardCount);
  const values = counterBlock();
  const upstreams = new Upstreams(config.shardCount, log);
  const places = await upstreams.prepare(config.upstreams);
  upstreams.adopt(places);
  const callBoard = new CallBoard(config.limits.calls);
  const clock = new StampClock(performance.timeOrigin);
  const instruments = new Instruments({
    routes: config.routes.map(({ name }) => name),
    upstreams: config.upstreams.map(({ name }) => name),
    refusals,
    hangupOutcomes,
    requestOutcomes,
    webhookKinds,
    webhookOutcomes,
    version: version(),
  });

  const hangups = await Hangups.open(
    config,
    log,
    {
      liveCalls: () => front.calls,
      requested: (outcome) => instruments.hangupRequests.inc({ outcome }),
      settled: ({ callId, reason }, outcome, seconds) => {
        instruments.hangups.inc({ outcome });
        const done = isOver(outcome);
        if (done) instruments.hangupTime.observe(seconds);
        if (outcome === 'withdrawn' || outcome === 'dropped') return;
        front.hangupSettled(callId, reason as EndReason, done);
      },
    },
    `${config.admin.host}:${config.admin.port}`,
  );

  const secrets = new Set(config.accounts.map(({ credentials }) => credentials.authToken));
  const environment = workerEnvironment(secrets);
  const { playout, privacy, limits } = config;
  const options = {
    routing: routingOf(0, config.routes, places),
    upstreamBoard: upstreams.board,
    callBoard: callBoard.memory,
    ...{ playout, log: config.log, privacy, slots: limits.calls },
  };
  const pool = new ShardPool(options, callsPerShard, environment, log, {
    opened: (shard) => front.shardOpened(shard),
    lost: (shard, cause) => front.shardLost(shard, cause),
  });
  const reloads = new Reloads(config, { upstreams, pool, hangups, instruments, log });
  const front = new Front(
    {
      routing: () => reloads.current,
      slots: config.limits.calls,
      callsPerShard,
      shards: () => pool.shards,
      values,
      clock,
      log,
    },
    {
      started: (connection) => {
        instruments.callsStarted.inc({ route: connection.route });
        hangups.started(liveCall(connection));
      },
      ended: (connection, reason) => {
        const { route, callId } = connection;
        instruments.ended(route, reason, callId !== '');
        // A call whose stream came again is not over with the old one.
        if (callId === '' || front.connections.byCallId(callId) !== undefined) return;
        hangups.ended(liveCall(connection), reason);
      },
      answerer: ({ route }, body) => instruments.answerer(route, body),
      refused: (reason) => instruments.refusals.inc({ reason }),
      hangup: ({ callId, accountId, route }, reason, inMs) => {
        hangups.dispatcher.submit({ callId, accountId, route, reason, inMs, speculative: false });
      },
      transfer: async (connection, url) => {
        const result = await hangups.transfer(liveCall(connection), url);
        instruments.transfers.inc({ outcome: result.ok ? 'ok' : 'failed' });
        if (result.ok) return result;
        const { callId } = connection;
        log.error({ callId, detail: result.detail }, 'transfer failed; the call goes on');
        return result;
      },
    },
  );
  const { dispatcher } = hangups;
  registerCounts(instruments.registry, {
    shards: () => pool.shards,
    others: [values, pool.retired],
    gauges: {
      calls: () => front.calls,
      connections: () => front.connections.count,
      shardRestarts: () => pool.restarts,
      draining: () => front.draining,
    },
    hangups: () => hangups.counts(),
    upstreams: () => upstreams.views(),
  });

  const webhooks = new Webhooks({
    publicUrl: config.publicUrl,
    tokens: config.accounts.map(({ credentials }) => credentials.authToken),
    log,
    on: {
      callEnded: (callId) => {
        front.callEnded(callId);
        hangups.callEnded(callId);
      },
      streamEnded: (callId, streamId, how) => {
        if (how === 'stopped') front.streamStopped(callId, streamId);
      },
      webhook: (kind, outcome) => instruments.webhooks.inc({ kind, outcome }),
    },
  });
  const server = new Server(native, config, front, webhooks);
  const reload = async (): Promise<ReloadResult> =>
    loadAgain === undefined
      ? { ok: false, problem: 'this gateway was started without a way to load its configuration' }
      : reloads.reload(loadAgain);
  const admin = new AdminServer({
    metrics: async () => ({
      type: instruments.registry.contentType,
      text: await instruments.registry.metrics(),
    }),
    readiness: () => ({
      ready: !front.draining && pool.shards.some((shard) => shard.responsive),
      draining: front.draining,
      calls: front.calls,
      hangupsPending: dispatcher.pending,
      degraded: hangups.degraded,
      shards: pool.shards.map(({ index, responsive, calls }) => ({
        shard: index,
        ready: responsive,
        calls,
      })),
    }),
    calls: () => callViews(front, callBoard, privacy),
    hangup: (callId) => front.hangupCall(callId) || hangups.endLost(callId),
    hangups: () => ({
      pending: dispatcher.pending,
      failed: dispatcher.failed,
      lostStreams: hangups.lostStreams.count,
      degraded: hangups.degraded,
      hangups: dispatcher.list(hangupsShownMax),
    }),
    upstreams: () => upstreams.views(),
    reload,
    retryHangups: (callId) => dispatcher.retry(callId),
    dropHangup: (callId) => dispatcher.drop(callId),
  });

  const parts = { front, pool, hangups, server, admin };
  const destroy = async (): Promise<void> => {
    server.stopListening();
    upstreams.stop();
    front.stop();
    front.closeAll('drain-deadline');
    await Promise.all([pool.destroy(), hangups.close(), admin.close()]);
  };
  try {
    hangups.recover();
    await pool.start(config.shardCount);
    const adminPort = await admin.listen(config.admin.host, config.admin.port);
    const port = await server.listen();
    hangups.lostStreams.listening();
    upstreams.watch((upstream, changed) => pool.places(upstream, changed));
    const drain = (timeoutMs = config.drain.timeoutMs) => drainGateway(parts, timeoutMs, log);
    return { port, adminPort, drain, reload, destroy };
  } catch (thrown) {
    await destroy();
    throw thrown;
  }
}

/** In one answer of the API. */
const hangupsShownMax = 1_000;

function liveCall({ callId, accountId, route, startedAt }: Connection): LiveCall {
  return { callId, accountId, route, startedAt };
}

function callViews(front: Front, board: CallBoard, privacy: Privacy): CallView[] {
  return [...front.connections]
    .filter((connection) => connection.callId !== '')
    .map((connection) => ({
      callId: connection.callId,
      streamId: connection.streamId,
      route: connection.route,
      answeredBy: connection.answeredBy,
      upstream: connection.upstream,
      address: connection.address,
      shard: connection.shard.index,
      from: maskNumber(connection.facts.from, privacy),
      to: maskNumber(connection.facts.to, privacy),
      startedAt: new Date(connection.startedAt).toISOString(),
      seconds: Math.round((Date.now() - connection.startedAt) / 100) / 10,
      ending: connection.endReason,
      ...board.read(connection.slot),
    }));
}
