import { AdminServer, type CallView } from './admin/server.js';
import { callEvents } from './call-events.js';
import { CallHistory } from './calls/call-history.js';
import { RecordSinks } from './calls/record-sinks.js';
import { workerEnvironment } from './config/environment.js';
import { configHash } from './config/print.js';
import type { GatewayConfig, Privacy } from './config/types.js';
import { drainGateway } from './drain.js';
import { Edge } from './edge.js';
import type { EndReason } from './errors.js';
import { Captures } from './front/captures.js';
import { expiryWarning } from './front/certificate.js';
import type { Connection } from './front/connections.js';
import { Front } from './front/front.js';
import { loadNative } from './front/native.js';
import { Server } from './front/server.js';
import { Hangups } from './hangup/hangups.js';
import { isOver } from './hangup/outcome.js';
import { labelLists } from './label-lists.js';
import { type Log, maskNumber } from './log.js';
import { registerCounts } from './metrics/collect.js';
import { Exposition } from './metrics/exposition.js';
import { Instruments } from './metrics/instruments.js';
import { ShardPool } from './pool/pool.js';
import { type ReloadResult, Reloads, routingOf } from './reload.js';
import { doctorRoute } from './routing/doctor-route.js';
import { Upstreams } from './routing/upstreams.js';
import { CallBoard, type CallNumbers } from './shard/call-board.js';
import { StampClock } from './shard/clock.js';
import { counterBlock } from './shard/counters.js';
import { seatsFor } from './shard/shard.js';
import { VoiceAreas } from './shard/voice-counters.js';
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
  const upstreams = new Upstreams(seatsFor(config.shardCount), log);
  const places = await upstreams.prepare(config.upstreams);
  upstreams.adopt(places);
  const callBoard = new CallBoard(config.limits.calls);
  const clock = new StampClock(performance.timeOrigin);
  const areas = new VoiceAreas();
  const instruments = new Instruments({
    routes: [...config.routes, doctorRoute].map(({ name }) => name),
    upstreams: config.upstreams.map(({ name }) => name),
    ...labelLists,
    version: version(),
    config: configHash(config),
  });
  const records = new RecordSinks(config.callRecords, log, (sink, outcome) =>
    instruments.callRecords.inc({ sink, outcome }),
  );
  const history = new CallHistory({
    isLost: (callId) => hangups.isLost(callId),
    over: (record) => records.write(record),
  });

  const hangups = await Hangups.open(
    config,
    log,
    {
      liveCalls: () => front.calls,
      requested: (outcome) => instruments.hangupRequests.inc({ outcome }),
      asked: ({ callId, reason }) => history.hangupAsked(callId, reason),
      settled: ({ callId, reason }, outcome, { seconds, ...effort }) => {
        instruments.hangups.inc({ outcome });
        const done = isOver(outcome);
        if (done) instruments.hangupTime.observe(seconds);
        history.hangupSettled(callId, { reason, outcome, ...effort });
        if (outcome === 'withdrawn' || outcome === 'dropped') return;
        front.hangupSettled(callId, reason as EndReason, done);
      },
    },
    `${config.admin.host}:${config.admin.port}`,
  );

  hangups.adopt([doctorRoute]);
  const secrets = new Set([
    ...config.answer.tokenSecrets,
    ...config.accounts.flatMap(({ credentials: { authToken, previousAuthToken = '' } }) => [
      ...[authToken, previousAuthToken],
    ]),
  ]);
  if (config.admin.token !== undefined) secrets.add(config.admin.token);
  const environment = workerEnvironment(secrets);
  const { playout, privacy, limits } = config;
  const options = {
    routing: routingOf(0, [...config.routes, doctorRoute], places, areas),
    upstreamBoard: upstreams.board,
    callBoard: callBoard.memory,
    ...{ playout, log: config.log, privacy, slots: limits.calls },
  };
  const { watchdogMs } = limits;
  const poolOptions = { callsPerShard, watchdogMs, environment, log };
  const pool = new ShardPool(options, poolOptions, {
    opened: (shard) => front.shardOpened(shard),
    lost: (shard, cause) => {
      front.shardLost(shard, cause);
      upstreams.forget(shard.seat);
    },
    replaced: (lost, by) => front.shardReplaced(lost, by),
  });
  const edge = new Edge(config, log, {
    state: () => front.admissionState,
    isLive: (callId) => front.connections.byCallId(callId) !== undefined || hangups.isLost(callId),
    callEnded: (callId, cause) => {
      log.info({ callId, cause }, 'Plivo says that a call is over');
      front.callEnded(callId);
      hangups.callEnded(callId);
      history.callEnded(callId, cause);
      edge.tokens.ended(callId);
    },
    streamStatus: ({ callId, streamId, event, detail }) => {
      instruments.streamEvents.inc({ event });
      history.happened(callId, `stream-${event}`, detail);
      if (event === 'stopped') front.streamStopped(callId, streamId);
      if (event !== 'dropped' && event !== 'degraded') return;
      log.warn({ callId, streamId, detail }, `Plivo says that a stream is ${event}`);
    },
    answered: (outcome) => instruments.answers.inc({ outcome }),
    arrived: (outcome) => instruments.answeredCalls.inc({ outcome }),
    webhook: (kind, outcome) => instruments.webhooks.inc({ kind, outcome }),
  });
  const reloads = new Reloads(config, {
    ...{ upstreams, pool, hangups, instruments, areas, records, log },
    prepareCertificate: (tls) => server.prepareCertificate(tls),
  });
  const front = new Front(
    {
      routing: () => reloads.current,
      slots: config.limits.calls,
      callsPerShard,
      shards: () => pool.shards,
      giveUp: (shard, cause) => pool.giveUp(shard, cause),
      callBoard,
      values,
      clock,
      admissions: edge.admissions,
      log,
    },
    callEvents({
      ...{ instruments, hangups, history, privacy, log },
      edge: () => edge,
      front: () => front,
    }),
  );
  const { dispatcher } = hangups;
  registerCounts(instruments.registry, {
    shards: () => pool.shards,
    front: values,
    retired: pool.retired,
    areas,
    gauges: {
      calls: () => front.calls,
      callsLimit: config.limits.calls,
      connections: () => front.connections.count,
      shardRestarts: () => pool.restarts,
      draining: () => front.draining,
      callRecordsWaiting: () => records.waiting,
      captures: () => captures.active,
      certificateExpiresMs: config.tls && (() => server.certificate?.expiresMs ?? 0),
    },
    hangups: () => hangups.counts(),
    upstreams: () => upstreams.views(),
  });

  const captures = new Captures({
    folder: config.capture.folder,
    connections: front.connections,
    version: version(),
    log,
    ended: (end) => instruments.captures.inc({ end }),
  });
  const exposition = new Exposition(instruments.registry);
  const server = new Server(native, config, front, edge.clientAddress, edge.webhooks);
  const warnOfExpiry = (): void => {
    const warning = server.certificate && expiryWarning(server.certificate);
    if (warning !== undefined) log.warn(warning);
  };
  const reload = async (): Promise<ReloadResult> => {
    if (loadAgain === undefined) {
      const problem = 'this gateway was started without a way to load its configuration';
      return { ok: false, problem };
    }
    const result = await reloads.reload(loadAgain);
    warnOfExpiry();
    return result;
  };
  const { host, token } = config.admin;
  const guard = { host, token, metricsPublic: config.metrics.public };
  const admin = new AdminServer(guard, {
    metrics: (request) => exposition.page(request),
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
    call: (callId) => {
      const story = history.view(callId);
      return story && { ...story, capture: captures.view(callId) };
    },
    startCapture: (callId) => captures.start(callId),
    stopCapture: (callId) => captures.stop(callId),
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
    streamUrl: (facts) => edge.answers.streamUrl(facts),
    retryHangups: (callId) => dispatcher.retry(callId),
    dropHangup: (callId) => dispatcher.drop(callId),
  });

  const { publicUrl } = config;
  const deadline = {
    ending: config.drain.atDeadline,
    resumeUrl: publicUrl === undefined ? undefined : `${publicUrl}/answer?resume=1`,
  };
  const parts = { front, pool, hangups, server, admin, history, records, captures, deadline };
  const destroy = async (): Promise<void> => {
    server.stopListening();
    upstreams.stop();
    front.stop();
    front.closeAll('drain-deadline');
    await captures.close();
    await Promise.all([pool.destroy(), hangups.close(), admin.close(), edge.close()]);
    history.flush();
    await records.close(0);
  };
  try {
    hangups.recover();
    await pool.start(config.shardCount);
    const adminPort = await admin.listen(config.admin.host, config.admin.port);
    const port = await server.listen();
    warnOfExpiry();
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
      ...withBefore(connection, board.read(connection.slot)),
    }));
}

function withBefore({ mediaBefore }: Connection, numbers: CallNumbers): CallNumbers {
  const { mediaIn, mediaOut } = numbers;
  return { ...numbers, mediaIn: mediaIn + mediaBefore.in, mediaOut: mediaOut + mediaBefore.out };
}
