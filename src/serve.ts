import { Command } from 'commander';
import { isLoopback } from './admin/guard.js';
import { readEnvironment } from './config/environment.js';
import { addConfigFlags } from './config/flags.js';
import { loadConfig } from './config/load.js';
import type { GatewayConfig, Privacy, RouteConfig } from './config/types.js';
import { type Gateway, openGateway } from './gateway.js';
import { type Log, maskNumber, openLog } from './log.js';
import { targetText } from './routing/target.js';
import { version } from './version.js';

/** `plivo-gateway serve`. */
export function serveCommand(): Command {
  const command = new Command('serve').description('run the gateway');
  addConfigFlags(command);
  return command.action(async (flags: Record<string, string>) => {
    const load = () => loadConfig({ flags, environment: readEnvironment(), cwd: process.cwd() });
    const config = load();
    const log = openLog({ ...config.log, privacy: config.privacy });
    const gateway = await openGateway(config, log, load);
    announce(config, gateway, log);
    process.on('SIGHUP', () => void gateway.reload());
    drainOnSignal(gateway, log);
  });
}

function announce(config: GatewayConfig, gateway: Gateway, log: Log): void {
  const { host, admin, shardCount, limits, tls, plivo } = config;
  const scheme = tls === undefined ? 'ws' : 'wss';
  const from = config.file === undefined ? 'defaults' : config.file;
  log.info(`plivo-stream-gateway ${version()}, Node ${process.version}, configuration: ${from}`);
  log.info(`streams at ${scheme}://${inUrl(host)}:${gateway.port}/stream and /ws`);
  log.info(
    `admin at http://${inUrl(admin.host)}:${gateway.adminPort} (/metrics /livez /readyz /api/calls)`,
  );
  if (admin.token === undefined && !isLoopback(admin.host)) {
    const open = config.metrics.public ? '/livez, /readyz and /metrics' : '/livez and /readyz';
    log.warn(`admin is not on loopback and has no token: only ${open} answer; set ADMIN_TOKEN`);
  }
  for (const route of config.routes)
    log.info(`route ${route.name}: ${routeText(route, config.privacy)}`);
  log.info(`${shardCount} shard${shardCount === 1 ? '' : 's'}, up to ${limits.calls} calls; ready`);
  announceEdge(config, log);
  if (plivo.credentials === undefined) {
    log.warn(
      'no Plivo credentials: anybody can open streams, and ending a call closes its socket only; set PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN to hang up',
    );
  }
}

/** What is to be pasted at Plivo, or what is missing for it. */
function announceEdge({ accounts, publicUrl, signatures }: GatewayConfig, log: Log): void {
  if (accounts.length === 0) return;
  if (publicUrl === undefined) {
    log.warn('set PUBLIC_URL: it is the start of the URLs that Plivo is given, and signs');
  } else {
    log.info(`for the application at Plivo: Answer URL ${publicUrl}/answer (POST)`);
    log.info(`for the application at Plivo: Hangup URL ${publicUrl}/hangup (POST)`);
    log.info(`status callbacks, if you write the XML: ${publicUrl}/stream-status`);
  }
  if (signatures.upgrade !== 'enforce') {
    log.warn(
      `signatures.upgrade is ${signatures.upgrade}: streams come in without token or signature`,
    );
  }
}

function routeText(route: RouteConfig, privacy: Privacy): string {
  const { path, direction, query, share, handler, sampleRate } = route;
  const shown = (numbers: readonly string[]) =>
    numbers.map((number) => maskNumber(number, privacy)).join(', ');
  const criteria = [
    path ?? '',
    route.to.length > 0 ? `to ${shown(route.to)}` : '',
    route.from.length > 0 ? `from ${shown(route.from)}` : '',
    direction ?? '',
    ...Object.entries(query).map(([name, value]) => `${name}=${value}`),
  ].filter((part) => part !== '');
  const when = criteria.length === 0 ? 'every stream' : criteria.join(', ');
  const part = share === undefined ? '' : ` (${share} %)`;
  return `${when}${part} → ${targetText(handler)}, ${sampleRate} Hz`;
}

/** IPv6 addresses stand in brackets. */
function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** The first signal drains, the second cuts. */
function drainOnSignal(gateway: Gateway, log: Log): void {
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) {
      log.warn({ signal }, 'second signal: ending at once');
      process.exit(1);
    }
    log.info({ signal }, 'signal received; once more ends at once');
    gateway.drain().then(
      (isClean) => process.exit(isClean ? 0 : 1),
      (thrown: unknown) => {
        log.fatal({ err: thrown }, 'drain failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
