import { basename, extname } from 'node:path';
import type { ParsedConfig } from './schema.js';
import {
  type AccountConfig,
  type AnswerConfig,
  type CallRecordsConfig,
  defaultAccount,
  type GatewayConfig,
  type HandlerSource,
  type PlivoConfig,
  type RouteConfig,
  type StreamSettings,
  type UpstreamConfig,
} from './types.js';

/** The configuration as the program uses it, from values that are all right. */
export function effective(parsed: ParsedConfig, file: string | undefined): GatewayConfig {
  const { admin, tls, playout, hangup } = parsed;
  const plivo = plivoOf(parsed);
  return deepFreeze({
    file,
    host: parsed.host,
    port: parsed.port,
    admin: { host: admin.host, port: admin.port, token: admin.token },
    metrics: parsed.metrics,
    tls: tls.cert && tls.key ? { certFile: tls.cert, keyFile: tls.key } : undefined,
    plivo,
    accounts: accountsOf(parsed, plivo),
    hangup: {
      lostStreamGraceMs: hangup.lostStreamGrace,
      giveUpMs: hangup.giveUpAfter,
      fsync: hangup.fsync,
      connections: hangup.connections,
      pipelining: hangup.pipelining,
      tickMs: hangup.tick,
      requestsMax: hangup.requests,
    },
    dataDir: parsed.dataDir,
    publicUrl: parsed.publicUrl,
    signatures: parsed.signatures,
    answer: answerOf(parsed),
    trustProxy: parsed.trustProxy,
    shardCount: parsed.shards,
    limits: { calls: parsed.limits.calls, watchdogMs: parsed.limits.watchdog },
    playout: { leadMs: playout.lead, chunkMs: playout.chunk, queueMs: playout.queue },
    drain: { timeoutMs: parsed.drain.timeout, atDeadline: parsed.drain.atDeadline },
    log: parsed.log,
    privacy: parsed.privacy,
    callRecords: callRecordsOf(parsed),
    capture: { folder: parsed.capture.folder },
    upstreams: parsed.upstreams.map(upstreamOf),
    routes: routesOf(parsed),
  });
}

function plivoOf({ plivo }: ParsedConfig): PlivoConfig {
  const { apiUrl, authId, authToken, previousAuthToken } = plivo;
  const previous = previousAuthToken === undefined ? {} : { previousAuthToken };
  const credentials = authId && authToken ? { authId, authToken, ...previous } : undefined;
  return { apiUrl, credentials };
}

function answerOf({ answer }: ParsedConfig): AnswerConfig {
  const { forward, whenBusy, tokenSecret } = answer;
  return { ...(forward && { forward }), whenBusy, tokenSecrets: tokenSecret?.split(',') ?? [] };
}

function callRecordsOf({ callRecords }: ParsedConfig): CallRecordsConfig {
  const { log, file, webhook, headers } = callRecords;
  return { log, file, webhook, headers: headers ?? {} };
}

function accountsOf(
  { accounts }: ParsedConfig,
  { apiUrl, credentials }: PlivoConfig,
): readonly AccountConfig[] {
  return [
    ...(credentials ? [{ name: defaultAccount, credentials, apiUrl }] : []),
    ...accounts.map(({ name, authId, authToken, previousAuthToken, apiUrl: own }) => ({
      name,
      credentials: { authId, authToken, ...(previousAuthToken && { previousAuthToken }) },
      apiUrl: own ?? apiUrl,
    })),
  ];
}

function upstreamOf(upstream: ParsedConfig['upstreams'][number]): UpstreamConfig {
  const { urls, callsPerAddress, headers, ca, connectTimeout, readyTimeout, health, ...rest } =
    upstream;
  return {
    ...rest,
    ...(health && { health }),
    readyMs: readyTimeout,
    addresses: urls,
    callsMax: callsPerAddress,
    headers: headers ?? {},
    ...(ca && { caFile: ca }),
    connectMs: connectTimeout,
  };
}

function routesOf({ routes, upstreams }: ParsedConfig): readonly RouteConfig[] {
  const taken = new Set(routes.map(({ name }) => name));
  return routes.map((route) => {
    const { path, to, from, direction, query, share, account, onStreamLost } = route;
    const handler = handlerOf(route);
    const upstream = upstreams.find(({ name }) => name === route.upstream);
    return {
      name: route.name ?? freeName(handler, taken),
      ...(path && { path }),
      to: to ?? [],
      from: from ?? [],
      ...(direction && { direction }),
      query: query ?? {},
      ...(share !== undefined && { share }),
      handler,
      sampleRate: upstream?.sampleRate ?? route.sampleRate,
      ...(account && { account }),
      onStreamLost,
      stream: streamOf(route),
    };
  });
}

function streamOf(route: ParsedConfig['routes'][number]): StreamSettings {
  const { contentType, streamTimeout, extraHeaders, noiseCancellation, afterStream } = route;
  return {
    contentType,
    ...(streamTimeout !== undefined && { timeoutMs: streamTimeout }),
    ...(extraHeaders && { extraHeaders }),
    ...(noiseCancellation !== undefined && { noiseCancellation }),
    after: afterStream,
  };
}

/** Exactly one of them is there. */
function handlerOf(route: ParsedConfig['routes'][number]): HandlerSource {
  const { handler, upstream, lookup, play, reject, redirect } = route;
  const { onUpstreamLost, fallback, autoHangUp, meanwhile } = route;
  const policy = {
    ...{ onUpstreamLost, autoHangUp },
    ...(fallback && { fallback }),
    ...(meanwhile && { meanwhile }),
  };
  if (upstream !== undefined) return { kind: 'upstream', name: upstream, ...policy };
  if (lookup !== undefined) return { kind: 'lookup', url: lookup, ...policy };
  if (play !== undefined) return { kind: 'play', file: play };
  if (reject !== undefined) return { kind: 'reject', why: reject };
  if (redirect !== undefined) return { kind: 'redirect', url: redirect };
  return handler!;
}

const nameCharsMax = 40;

/** `echo`, then `echo-2` and so on; from a file, its base name in the characters of a name. */
function freeName(handler: HandlerSource, taken: Set<string | undefined>): string {
  const plain = baseName(handler)
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-');
  const trimmed = plain.replace(/^-+|-+$/g, '') || 'handler';
  for (let count = 1; ; count += 1) {
    const suffix = count === 1 ? '' : `-${count}`;
    const name = trimmed.slice(0, nameCharsMax - suffix.length) + suffix;
    if (taken.has(name)) continue;
    taken.add(name);
    return name;
  }
}

function baseName(handler: HandlerSource): string {
  if (handler.kind === 'builtin') return handler.name;
  if (handler.kind === 'upstream') return handler.name;
  const isFile = handler.kind === 'module' || handler.kind === 'play';
  return isFile ? basename(handler.file, extname(handler.file)) : handler.kind;
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
  return Object.freeze(value);
}
