import { basename, extname } from 'node:path';
import type { ParsedConfig } from './schema.js';
import {
  type AccountConfig,
  defaultAccount,
  type GatewayConfig,
  type HandlerSource,
  type PlivoConfig,
  type RouteConfig,
} from './types.js';

/** The configuration as the program uses it, from values that are all right. */
export function effective(parsed: ParsedConfig, file: string | undefined): GatewayConfig {
  const { tls, playout, hangup } = parsed;
  const plivo = plivoOf(parsed);
  return deepFreeze({
    file,
    host: parsed.host,
    port: parsed.port,
    admin: parsed.admin,
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
    shardCount: parsed.shards,
    limits: parsed.limits,
    playout: { leadMs: playout.lead, chunkMs: playout.chunk, queueMs: playout.queue },
    drain: { timeoutMs: parsed.drain.timeout },
    log: parsed.log,
    privacy: parsed.privacy,
    routes: routesOf(parsed.routes),
  });
}

function plivoOf({ plivo }: ParsedConfig): PlivoConfig {
  const { apiUrl, authId, authToken } = plivo;
  return { apiUrl, credentials: authId && authToken ? { authId, authToken } : undefined };
}

function accountsOf(
  { accounts }: ParsedConfig,
  { apiUrl, credentials }: PlivoConfig,
): readonly AccountConfig[] {
  return [
    ...(credentials ? [{ name: defaultAccount, credentials, apiUrl }] : []),
    ...accounts.map(({ name, authId, authToken, apiUrl: own }) => ({
      name,
      credentials: { authId, authToken },
      apiUrl: own ?? apiUrl,
    })),
  ];
}

function routesOf(routes: ParsedConfig['routes']): readonly RouteConfig[] {
  const taken = new Set(routes.map(({ name }) => name));
  return routes.map(({ name, path, to, from, handler, sampleRate, account, onStreamLost }) => ({
    name: name ?? freeName(handler, taken),
    ...(path && { path }),
    to: to ?? [],
    from: from ?? [],
    handler,
    sampleRate,
    ...(account && { account }),
    onStreamLost,
  }));
}

const nameCharsMax = 40;

/** `echo`, then `echo-2` and so on; from a file, its base name in the characters of a name. */
function freeName(handler: HandlerSource, taken: Set<string | undefined>): string {
  const base =
    handler.kind === 'builtin' ? handler.name : basename(handler.file, extname(handler.file));
  const plain = base.toLowerCase().replace(/[^a-z0-9_-]+/g, '-');
  const trimmed = plain.replace(/^-+|-+$/g, '') || 'handler';
  for (let count = 1; ; count += 1) {
    const suffix = count === 1 ? '' : `-${count}`;
    const name = trimmed.slice(0, nameCharsMax - suffix.length) + suffix;
    if (taken.has(name)) continue;
    taken.add(name);
    return name;
  }
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
  return Object.freeze(value);
}
