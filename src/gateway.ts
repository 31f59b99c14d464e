import { AdminServer, type CallView } from './admin/server.js';
import type { GatewayConfig } from './config/types.js';
import { drainGateway } from './drain.js';
import type { EndReason } from './errors.js';
import { refusals } from './front/admission.js';
import { Front } from './front/front.js';
import { loadNative } from './front/native.js';
import { Server } from './front/server.js';
import { HangupDispatcher, hangupOutcomes } from './hangup/dispatcher.js';
import { PlivoClient } from './hangup/plivo-client.js';
import { type Log, maskNumber } from './log.js';
import { registerCounts } from './metrics/collect.js';
import { Instruments } from './metrics/instruments.js';
import { ShardPool } from './pool/pool.js';
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
  /** Ends at once. */
  destroy(): Promise<void>;
}

/**
 * Builds all parts, in the order in which the audio travels, and starts them.
 * @throws GatewayError LISTEN, PLATFORM, HANDLER_LOAD, SHARD_START
 */
export async function openGateway(config: GatewayConfig, log: Log): Promise<Gateway> {
  const native = await loadNative();
  const routes = config.routes;
  const callsPerShard = Math.ceil(config.limits.calls / config.shardCount);
  const values = counterBlock();
  const clock = new StampClock(performance.timeOrigin);
  const instruments = new Instruments({
    routes: routes.map((route) => route.name),
    refusals,
    hangupOutcomes,
    version: version(),
  });

  const client = new PlivoClient(config.plivo);
  const hangups = new HangupDispatcher(client, log, {
    attempted: () => instruments.hangupAttempts.inc(),
    settled: (callId, outcome, reason) => {
      instruments.hangups.inc({ outcome });
      const done = outcome === 'confirmed' || outcome === 'already-ended';
      front.hangupSettled(callId, reason as EndReason, done);
    },
  });

  const pool = new ShardPool(shardOptions(config), callsPerShard, log, {
    opened: (shard) => front.shardOpened(shard),
    lost: (shard, cause) => front.shardLost(shard, cause),
  });
  const front = new Front(
    {
      routes,
      slots: config.limits.calls,
      callsPerShard,
      shards: () => pool.shards,
      values,
      clock,
      log,
    },
    {
      started: ({ route }) => instruments.callsStarted.inc({ route }),
      ended: ({ route, callId }, reason) => instruments.ended(route, reason, callId !== ''),
      refused: (reason) => instruments.refusals.inc({ reason }),
      hangup: (callId, reason, inMs) => hangups.submit(callId, reason, inMs),
      transfer: async (callId, url) => {
        const result = await hangups.transfer(callId, url);
        if (result.ok) hangups.withdraw(callId);
        instruments.transfers.inc({ outcome: result.ok ? 'ok' : 'failed' });
        if (!result.ok)
          log.error({ callId, detail: result.detail }, 'transfer failed; the call goes on');
        return result;
      },
    },
  );
  registerCounts(instruments.registry, {
    shards: () => pool.shards,
    others: [values, pool.retired],
    gauges: {
      calls: () => front.calls,
      connections: () => front.connections.count,
      hangupsPending: () => hangups.pending,
      shardRestarts: () => pool.restarts,
      draining: () => front.draining,
    },
  });

  const server = new Server(native, config, front);
  const admin = new AdminServer({
    metrics: async () => ({
      type: instruments.registry.contentType,
      text: await instruments.registry.metrics(),
    }),
    readiness: () => ({
      ready: !front.draining && pool.shards.some((shard) => shard.responsive),
      draining: front.draining,
      calls: front.calls,
      hangupsPending: hangups.pending,
      shards: pool.shards.map(({ index, responsive, calls }) => ({
        shard: index,
        ready: responsive,
        calls,
      })),
    }),
    calls: () => callViews(front, config),
    hangup: (callId) => front.hangupCall(callId),
  });

  const parts = { front, pool, hangups, server, admin };
  const destroy = async (): Promise<void> => {
    server.stopListening();
    front.stop();
    front.closeAll('drain-deadline');
    await Promise.all([pool.destroy(), hangups.close(), admin.close()]);
  };
  try {
    await pool.start(config.shardCount);
    const adminPort = await admin.listen(config.admin.host, config.admin.port);
    const port = await server.listen();
    const drain = (timeoutMs = config.drain.timeoutMs) => drainGateway(parts, timeoutMs, log);
    return { port, adminPort, drain, destroy };
  } catch (thrown) {
    await destroy();
    throw thrown;
  }
}

function shardOptions(config: GatewayConfig) {
  const { routes, playout, log, privacy, limits } = config;
  return {
    routes: routes.map(({ name, sampleRate, handler }) => ({ name, sampleRate, handler })),
    playout,
    log,
    privacy,
    slots: limits.calls,
  };
}

function callViews(front: Front, { privacy }: GatewayConfig): CallView[] {
  return [...front.connections]
    .filter((connection) => connection.callId !== '')
    .map((connection) => ({
      callId: connection.callId,
      streamId: connection.streamId,
      route: connection.route,
      shard: connection.shard.index,
      from: maskNumber(connection.facts.from, privacy),
      to: maskNumber(connection.facts.to, privacy),
      startedAt: new Date(connection.startedAt).toISOString(),
      seconds: Math.round((Date.now() - connection.startedAt) / 100) / 10,
      ending: connection.endReason,
    }));
}
