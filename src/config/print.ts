import { createHash } from 'node:crypto';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { GatewayError } from '../errors.js';
import type { CallAction } from '../plivo/xml.js';
import { formatDuration } from './duration.js';
import { readEnvironment } from './environment.js';
import { addConfigFlags } from './flags.js';
import { loadConfig } from './load.js';
import {
  type AccountConfig,
  type AnswerConfig,
  type CallRecordsConfig,
  defaultAccount,
  type GatewayConfig,
  type HandlerSource,
  type PlivoCredentials,
  type RouteConfig,
  type StreamSettings,
  type UpstreamConfig,
  type UpstreamPolicy,
} from './types.js';

const mask = '********';

/** The effective configuration as it would stand in a file, without secrets. */
export function printConfig(config: GatewayConfig): string {
  const source = config.file ?? 'no file';
  return `# effective configuration (${source})\n${stringify(asWritten(config))}`;
}

/** Stands for the configuration in a metric label: the same for the same settings, whatever the secrets in them are. */
export function configHash(config: GatewayConfig): string {
  return createHash('sha256')
    .update(JSON.stringify(asWritten(config)))
    .digest('hex')
    .slice(0, 12);
}

function asWritten(config: GatewayConfig) {
  const { admin, tls, plivo, playout, drain, hangup, log, limits } = config;
  const { credentials } = plivo;
  return {
    host: config.host,
    port: config.port,
    admin: { host: admin.host, port: admin.port, ...(admin.token && { token: mask }) },
    metrics: { ...config.metrics },
    ...(tls && { tls: { cert: tls.certFile, key: tls.keyFile } }),
    plivo: {
      ...(credentials && credentialsAsWritten(credentials)),
      apiUrl: plivo.apiUrl,
    },
    ...(config.publicUrl && { publicUrl: config.publicUrl }),
    signatures: { ...config.signatures },
    answer: answerAsWritten(config.answer),
    ...(config.trustProxy.length > 0 && { trustProxy: [...config.trustProxy] }),
    accounts: config.accounts.filter(({ name }) => name !== defaultAccount).map(accountAsWritten),
    dataDir: config.dataDir,
    shards: config.shardCount,
    limits: { calls: limits.calls, watchdog: formatDuration(limits.watchdogMs) },
    playout: {
      lead: formatDuration(playout.leadMs),
      chunk: formatDuration(playout.chunkMs),
      queue: formatDuration(playout.queueMs),
    },
    drain: { timeout: formatDuration(drain.timeoutMs), atDeadline: drain.atDeadline },
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
    callRecords: callRecordsAsWritten(config.callRecords),
    ...(config.capture.folder && { capture: { folder: config.capture.folder } }),
    upstreams: config.upstreams.map(upstreamAsWritten),
    routes: config.routes.map(routeAsWritten),
  };
}

function accountAsWritten({ name, credentials, apiUrl }: AccountConfig) {
  return { name, ...credentialsAsWritten(credentials), apiUrl };
}

function credentialsAsWritten({ authId, previousAuthToken }: PlivoCredentials) {
  return { authId, authToken: mask, ...(previousAuthToken && { previousAuthToken: mask }) };
}

function answerAsWritten({ forward, whenBusy, tokenSecrets }: AnswerConfig) {
  return {
    ...(forward && { forward }),
    whenBusy: actionAsWritten(whenBusy),
    ...(tokenSecrets.length > 0 && { tokenSecret: mask }),
  };
}

function callRecordsAsWritten({ log, file, webhook, headers }: CallRecordsConfig) {
  return { log, ...(file && { file }), ...(webhook && { webhook }), ...headersAsWritten(headers) };
}

/** Their values are secrets. */
function headersAsWritten(headers: Readonly<Record<string, string>>) {
  const masked = Object.keys(headers).map((name) => [name, mask]);
  return masked.length === 0 ? {} : { headers: Object.fromEntries(masked) as object };
}

function actionAsWritten(action: CallAction) {
  switch (action.kind) {
    case 'hangup':
      return 'hangup';
    case 'speak':
      return { speak: action.text };
    case 'dial':
      return { dial: action.to };
    case 'redirect':
      return { redirect: action.url };
  }
}

function upstreamAsWritten(upstream: UpstreamConfig) {
  const { name, protocol, addresses, discover, health, balance, callsMax, sampleRate } = upstream;
  return {
    name,
    protocol,
    urls: addresses.map(({ url, weight }) => (weight === 1 ? url : { url, weight })),
    discover,
    ...(health && { health }),
    balance,
    callsPerAddress: callsMax,
    sampleRate,
    ...headersAsWritten(upstream.headers),
    ...(upstream.caFile && { ca: upstream.caFile }),
    connectTimeout: formatDuration(upstream.connectMs),
    readyTimeout: formatDuration(upstream.readyMs),
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
    ...streamAsWritten(route.stream),
  };
}

function streamAsWritten(stream: StreamSettings) {
  const { contentType, timeoutMs, extraHeaders, noiseCancellation, after } = stream;
  const headers = extraHeaders?.split(',').map((pair) => pair.split('='));
  return {
    contentType,
    ...(timeoutMs !== undefined && { streamTimeout: formatDuration(timeoutMs) }),
    ...(headers && { extraHeaders: Object.fromEntries(headers) as object }),
    ...(noiseCancellation !== undefined && { noiseCancellation }),
    afterStream: actionAsWritten(after),
  };
}

function handlerAsWritten(handler: HandlerSource) {
  switch (handler.kind) {
    case 'builtin':
      return { handler: handler.name };
    case 'module':
      return { handler: handler.file };
    case 'upstream':
      return { upstream: handler.name, ...policyAsWritten(handler) };
    case 'lookup':
      return { lookup: handler.url, ...policyAsWritten(handler) };
    case 'play':
      return { play: handler.file };
    case 'reject':
      return { reject: handler.why };
    case 'redirect':
      return { redirect: handler.url };
  }
}

function policyAsWritten({ onUpstreamLost, fallback, autoHangUp, meanwhile }: UpstreamPolicy) {
  const named = { ...(fallback && { fallback }), ...(meanwhile && { meanwhile }) };
  return { onUpstreamLost, ...named, autoHangUp };
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
