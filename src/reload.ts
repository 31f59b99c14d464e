import { configHash } from './config/print.js';
import type { GatewayConfig, RouteConfig, TlsConfig } from './config/types.js';
import { errorText } from './errors.js';
import type { Hangups } from './hangup/hangups.js';
import type { Log } from './log.js';
import type { Instruments } from './metrics/instruments.js';
import type { ShardPool } from './pool/pool.js';
import { doctorRoute } from './routing/doctor-route.js';
import type { Upstreams } from './routing/upstreams.js';
import type { Routing, ShardUpstream } from './shard/routing.js';
import type { VoiceAreas } from './shard/voice-counters.js';

/** Where calls go now: `front` decides, and the shards of the same revision know what it means. */
export interface CurrentRouting {
  readonly revision: number;
  readonly routes: readonly RouteConfig[];
}

export type ReloadResult =
  | {
      readonly ok: true;
      readonly revision: number;
      readonly routes: readonly string[];
      readonly upstreams: readonly string[];
      /** New sockets get another certificate than before. */
      readonly certificate: boolean;
      /** Settings that have changed too, and take effect after a restart. */
      readonly afterRestart: readonly string[];
    }
  | { readonly ok: false; readonly problem: string };

interface Parts {
  readonly upstreams: Upstreams;
  readonly pool: ShardPool;
  readonly hangups: Hangups;
  readonly instruments: Instruments;
  readonly areas: VoiceAreas;
  readonly records: { reopen(): void };
  readonly log: Log;
  /** Checks a certificate; what it returns takes it up, and answers whether it was another one. */
  prepareCertificate(tls: TlsConfig): () => Promise<boolean>;
}

/** Routes and upstreams as plain data for the shards. */
export function routingOf(
  revision: number,
  routes: readonly RouteConfig[],
  upstreams: readonly ShardUpstream[],
  areas: VoiceAreas,
): Routing {
  const shardRoutes = routes.map(({ name, sampleRate, handler }) => ({
    name,
    sampleRate,
    handler,
    voiceArea: areas.of(name),
  }));
  return { revision, routes: shardRoutes, upstreams };
}

/** Takes routes and upstreams from a changed configuration; live calls keep theirs, and a bad one changes nothing. */
export class Reloads {
  readonly #running: GatewayConfig;
  readonly #parts: Parts;
  #current: CurrentRouting;
  #last: Promise<unknown> = Promise.resolve();
  #revisions = 0;

  constructor(running: GatewayConfig, parts: Parts) {
    this.#running = running;
    this.#parts = parts;
    this.#current = { revision: 0, routes: [...running.routes, doctorRoute] };
  }

  get current(): CurrentRouting {
    return this.#current;
  }

  /** One after another. Never rejects. */
  reload(load: () => GatewayConfig): Promise<ReloadResult> {
    const result = this.#last.then(() => this.#reload(load));
    this.#last = result;
    return result;
  }

  async #reload(load: () => GatewayConfig): Promise<ReloadResult> {
    const { instruments, log } = this.#parts;
    let result: ReloadResult;
    try {
      result = await this.#adopt(load());
    } catch (thrown) {
      this.#parts.upstreams.discard();
      result = { ok: false, problem: errorText(thrown) };
    }
    instruments.reloads.inc({ outcome: result.ok ? 'ok' : 'failed' });
    if (!result.ok) log.error(`reload failed: ${result.problem}`);
    else {
      const { ok: _, ...about } = result;
      log.info(about, 'configuration reloaded: new calls take the new routes');
      if (about.afterRestart.length > 0) {
        log.warn(`changed, but only after a restart: ${about.afterRestart.join(', ')}`);
      }
    }
    return result;
  }

  async #adopt(config: GatewayConfig): Promise<ReloadResult> {
    const { upstreams, pool, hangups, instruments } = this.#parts;
    const { routes } = config;
    const stranger = routes.find(({ account }) => account !== undefined && !this.#knows(account));
    if (stranger !== undefined) {
      const { name, account } = stranger;
      const problem = `route ${name}: account ${account} is new; accounts take effect after a restart`;
      return { ok: false, problem };
    }
    const { tls } = config;
    // A certificate that is wrong is known before anything is changed.
    const renews = tls !== undefined && this.#running.tls !== undefined;
    const renew = renews ? this.#parts.prepareCertificate(tls) : async () => false;
    const prepared = await upstreams.prepare(config.upstreams);
    this.#revisions += 1;
    const revision = this.#revisions;
    const next = routingOf(revision, [...routes, doctorRoute], prepared, this.#parts.areas);
    const problem = await pool.adopt(next);
    if (problem !== undefined) {
      upstreams.discard();
      return { ok: false, problem };
    }
    const [routeNames, upstreamNames] = [routes, config.upstreams].map((list) =>
      list.map(({ name }) => name),
    ) as [string[], string[]];
    instruments.knowRoutes(routeNames);
    instruments.knowUpstreams(upstreamNames);
    instruments.configured(configHash({ ...this.#running, routes, upstreams: config.upstreams }));
    this.#parts.records.reopen();
    upstreams.adopt(prepared);
    hangups.adopt(routes);
    this.#current = { revision, routes: [...routes, doctorRoute] };
    const certificate = await renew().catch((thrown: unknown) => {
      throw new Error(`${errorText(thrown)} (the new routes are in use)`, { cause: thrown });
    });
    return {
      ...{ ok: true, revision, routes: routeNames, upstreams: upstreamNames, certificate },
      afterRestart: changedSettings(this.#running, config),
    };
  }

  #knows(account: string): boolean {
    return this.#running.accounts.some(({ name }) => name === account);
  }
}

/** Top-level settings that differ, but for those that a reload takes up. */
function changedSettings(before: GatewayConfig, after: GatewayConfig): string[] {
  const names = Object.keys(after) as (keyof GatewayConfig)[];
  return names
    .filter((name) => !['file', 'routes', 'upstreams'].includes(name))
    .filter((name) => name !== 'tls' || (before.tls === undefined) !== (after.tls === undefined))
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
}
