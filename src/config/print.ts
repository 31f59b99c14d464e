import { Command } from 'commander';
import { stringify } from 'yaml';
import { GatewayError } from '../errors.js';
import { formatDuration } from './duration.js';
import { readEnvironment } from './environment.js';
import { addConfigFlags } from './flags.js';
import { loadConfig } from './load.js';
import {
  type AccountConfig,
  defaultAccount,
  type GatewayConfig,
  type HandlerSource,
  type RouteConfig,
  type UpstreamConfig,
} from './types.js';

const mask = '********';

/** The effective configuration as it would stand in a file, without secrets. */
export function printConfig(config: GatewayConfig): string {
  const source = config.file ?? 'no file';
  return `# effective configuration (${source})\n${stringify(asWritten(config))}`;
}

function asWritten(config: GatewayConfig) {
  const { admin, tls, plivo, playout, drain, hangup, log, limits } = config;
  const { credentials } = plivo;
  return {
    host: config.host,
    port: config.port,
    admin: { ...admin },
    ...(tls && { tls: { cert: tls.certFile, key: tls.keyFile } }),
    plivo: {
      ...(credentials && { authId: credentials.authId, authToken: mask }),
      apiUrl: plivo.apiUrl,
    },
    ...(config.publicUrl && { publicUrl: config.publicUrl }),
    accounts: config.accounts.filter(({ name }) => name !== defaultAccount).map(accountAsWritten),
    dataDir: config.dataDir,
    shards: config.shardCount,
    limits: { ...limits },
    playout: {
      lead: formatDuration(playout.leadMs),
      chunk: formatDuration(playout.chunkMs),
      queue: formatDuration(playout.queueMs),
    },
    drain: { timeout: formatDuration(drain.timeoutMs) },
    hangup: {
      lostStreamGrace: formatDuration(hangup.lostStreamGraceMs),
      giveUpAfter: formatDuration(hangup.giveUpMs),
      fsync: hangup.fsync,
      connections: hangup.connections,
      pipelining: hangup.pipelining,
      tick: formatDuration(hangup.tickMs),
      requests: hangup.requestsMax,
    },
    log: { ...log },
    privacy: config.privacy,
    upstreams: config.upstreams.map(upstreamAsWritten),
    routes: config.routes.map(routeAsWritten),
  };
}

function accountAsWritten({ name, credentials, apiUrl }: AccountConfig) {
  return { name, authId: credentials.authId, authToken: mask, apiUrl };
}

function upstreamAsWritten(upstream: UpstreamConfig) {
  const { name, protocol, addresses, balance, callsMax, sampleRate } = upstream;
  const headers = Object.keys(upstream.headers).map((header) => [header, mask]);
  return {
    name,
    protocol,
    urls: addresses.map(({ url, weight }) => (weight === 1 ? url : { url, weight })),
    balance,
    callsPerAddress: callsMax,
    sampleRate,
    ...(headers.length > 0 && { headers: Object.fromEntries(headers) as object }),
    ...(upstream.caFile && { ca: upstream.caFile }),
    connectTimeout: formatDuration(upstream.connectMs),
  };
}

function routeAsWritten(route: RouteConfig) {
  const { name, path, to, from, direction, query, share } = route;
  const { handler, sampleRate, account, onStreamLost } = route;
  return {
    name,
    ...(path && { path }),
    ...(to.length > 0 && { to: [...to] }),
    ...(from.length > 0 && { from: [...from] }),
    ...(direction && { direction }),
    ...(Object.keys(query).length > 0 && { query: { ...query } }),
    ...(share !== undefined && { share }),
    ...handlerAsWritten(handler),
    sampleRate,
    ...(account && { account }),
    onStreamLost,
  };
}

function handlerAsWritten(handler: HandlerSource) {
  switch (handler.kind) {
    case 'builtin':
      return { handler: handler.name };
    case 'module':
      return { handler: handler.file };
    case 'upstream': {
      const { onUpstreamLost, fallback, autoHangUp } = handler;
      const more = { onUpstreamLost, ...(fallback && { fallback }), autoHangUp };
      return { upstream: handler.name, ...more };
    }
    case 'reject':
      return { reject: handler.why };
    case 'redirect':
      return { redirect: handler.url };
  }
}

/** `plivo-gateway check`: prints what `serve` would run with, or everything that is wrong. */
export function checkCommand(): Command {
  const command = new Command('check').description(
    'validate the configuration and print it with secrets masked',
  );
  addConfigFlags(command).option('--json', 'print JSON');
  return command.action((flags: Readonly<Record<string, unknown>>) => {
    const { writeOut = writeStdout, writeErr = writeStderr } = command.configureOutput();
    try {
      const config = loadConfig({ flags, environment: readEnvironment(), cwd: process.cwd() });
      writeOut(flags.json === true ? asJson(config) : printConfig(config));
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== 'CONFIG') throw error;
      writeErr(`${error.message}\n`);
      process.exitCode = 1;
    }
  });
}

function asJson(config: GatewayConfig): string {
  return `${JSON.stringify({ file: config.file ?? null, ...asWritten(config) }, null, 2)}\n`;
}

function writeStdout(text: string): void {
  process.stdout.write(text);
}

function writeStderr(text: string): void {
  process.stderr.write(text);
}
