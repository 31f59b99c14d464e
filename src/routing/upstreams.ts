import type { UpstreamConfig } from '../config/types.js';
import { errorText } from '../errors.js';
import {
  healthFailuresMax,
  resolveTimeoutMs,
  upstreamAddressesMax,
  upstreamWatchMs,
} from '../limits.js';
import type { Log } from '../log.js';
import { type AddressPlace, type ShardUpstream, shownUrl } from '../shard/routing.js';
import { UpstreamBoard, type UpstreamEvent, upstreamEvents } from '../shard/upstream-board.js';
import { AddressRegistry, type Totals } from './address-registry.js';
import { isHealthy } from './health-check.js';
import { endpointOf, type Resolve, resolveHost } from './resolve.js';

/** One address of an upstream as the API and the metrics show it. */
export interface AddressView {
  readonly url: string;
  /** What its name resolved to, where the gateway resolves it. */
  readonly ip: string | undefined;
  /**
   * `ejected`: it failed several times in a row, and is left alone for a while; `unhealthy`: its health check fails;
   * `leaving`: it takes no more calls, as it is in the configuration or in DNS no longer.
   */
  readonly state: 'up' | 'ejected' | 'unhealthy' | 'leaving';
  readonly calls: number;
  /** Since it was first seen, by what became of the connection. */
  readonly events: Readonly<Record<UpstreamEvent, number>>;
}

export interface UpstreamView {
  readonly name: string;
  readonly protocol: string;
  readonly addresses: readonly AddressView[];
  /** Since the start, over all addresses it ever had. */
  readonly totals: Totals;
}

/** The upstreams as the front sees them: the shards do the work, and note it on the board. */
export class Upstreams {
  readonly #seats: number;
  readonly #log: Log;
  readonly #resolve: Resolve;
  readonly #watchMs: number;
  readonly #board: UpstreamBoard;
  readonly #registry: AddressRegistry;
  readonly #unhealthyChecks = new Map<number, number>();
  /** Hosts that did not resolve the last time. */
  readonly #unresolved = new Set<string>();
  #current: readonly ShardUpstream[] = [];
  /** Places that are to be current soon. */
  #prepared: readonly ShardUpstream[] = [];
  #isPreparing = false;
  #watcher: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  /** `world`: for tests. */
  constructor(
    seats: number,
    log: Log,
    world: { readonly resolve?: Resolve; readonly watchMs?: number } = {},
  ) {
    this.#seats = seats;
    this.#log = log;
    this.#resolve = world.resolve ?? resolveHost;
    this.#watchMs = world.watchMs ?? upstreamWatchMs;
    this.#board = new UpstreamBoard(seats);
    this.#registry = new AddressRegistry(this.#board);
  }

  /** The thread of this seat is gone, and its calls with it. */
  forget(seat: number): void {
    this.#board.forget(seat);
  }

  /** For the shards. */
  get board(): { readonly memory: SharedArrayBuffer; readonly seats: number } {
    return { memory: this.#board.memory, seats: this.#seats };
  }

  /** Finds the addresses of upstreams that are to be used; `adopt` or `discard` has to follow. */
  async prepare(upstreams: readonly UpstreamConfig[]): Promise<readonly ShardUpstream[]> {
    // What is looked after at the same time must not give these places to others.
    this.#isPreparing = true;
    await this.#looking;
    this.#prepared = await Promise.all(
      upstreams.map(async (one) => {
        const before = this.#current.find(({ name }) => name === one.name)?.places ?? [];
        return { ...one, places: await this.#placesOf(one, before) };
      }),
    );
    return this.#prepared;
  }

  /** Calls go to these from now on. */
  adopt(upstreams: readonly ShardUpstream[]): void {
    this.#current = upstreams;
    for (const { health, places } of upstreams) {
      // Nobody would find out any more that one of them is well again.
      if (health === undefined) for (const { index } of places) this.#forgetHealth(index);
    }
    this.discard();
  }

  /** What was prepared is not to be used. */
  discard(): void {
    this.#prepared = [];
    this.#isPreparing = false;
    this.#keep();
  }

  #forgetHealth(index: number): void {
    this.#unhealthyChecks.delete(index);
    this.#board.setHealth(index, true, Date.now());
  }

  /** Resolves names and checks health from now on; tells which addresses an upstream has when they change. */
  watch(changed: (upstream: string, places: readonly AddressPlace[]) => void): void {
    let isBusy = false;
    this.#watcher = setInterval(() => {
      if (isBusy || this.#isPreparing) return;
      isBusy = true;
      const failed = (thrown: unknown) =>
        this.#log.error({ err: thrown }, 'upstreams could not be looked after');
      this.#looking = this.#look(changed)
        .catch(failed)
        .finally(() => {
          isBusy = false;
        });
    }, this.#watchMs);
    this.#watcher.unref();
  }

  stop(): void {
    clearInterval(this.#watcher);
  }

  views(): readonly UpstreamView[] {
    return this.#current.map(({ name, protocol }) => ({
      name,
      protocol,
      addresses: this.#addressViews(name),
      totals: this.#registry.totals(name),
    }));
  }

  #addressViews(name: string): AddressView[] {
    const nowMs = Date.now();
    return (
      [...this.#registry]
        .filter(({ upstream }) => upstream === name)
        // Those that are prepared are not there yet.
        .filter(({ place: { index }, isCurrent }) => isCurrent || this.#board.calls(index) > 0)
        .map(({ place: { index, url, ip }, isCurrent }) => ({
          ...{ url: shownUrl(url), ip, calls: this.#board.calls(index) },
          state: isCurrent ? this.#stateOf(index, nowMs) : 'leaving',
          events: Object.fromEntries(
            upstreamEvents.map((event) => [event, this.#board.events(index, event)]),
          ) as Record<UpstreamEvent, number>,
        }))
    );
  }

  #stateOf(index: number, nowMs: number): AddressView['state'] {
    if (this.#board.isUnhealthy(index)) return 'unhealthy';
    return this.#board.isEjected(index, nowMs) ? 'ejected' : 'up';
  }

  /** Names that do not resolve now keep the addresses they had. */
  async #placesOf(
    upstream: UpstreamConfig,
    before: readonly AddressPlace[],
  ): Promise<readonly AddressPlace[]> {
    const found = await Promise.all(
      upstream.addresses.map(async ({ url, weight }) => {
        if (upstream.discover === 'list') return [{ url, weight }];
        const ips = await this.#ipsOf(url);
        return ips?.map((ip) => ({ url, weight, ip })) ?? before.filter((one) => one.url === url);
      }),
    );
    const places = found.flat().map((address) => this.#registry.place(upstream.name, address));
    if (places.includes(undefined)) {
      const { name } = upstream;
      this.#log.error(
        { upstream: name },
        `more than ${upstreamAddressesMax} addresses of upstreams`,
      );
    }
    return places.filter((place) => place !== undefined);
  }

  async #ipsOf(url: string): Promise<readonly string[] | undefined> {
    const { host } = endpointOf(url);
    try {
      const ips = await inTime(this.#resolve(host));
      this.#unresolved.delete(host);
      return ips.toSorted();
    } catch (thrown) {
      if (!this.#unresolved.has(host)) {
        this.#log.error(
          { host, err: errorText(thrown) },
          'the host of an upstream does not resolve',
        );
      }
      this.#unresolved.add(host);
      return undefined;
    }
  }

  async #look(changed: (upstream: string, places: readonly AddressPlace[]) => void): Promise<void> {
    const found = await Promise.all(
      this.#current
        .filter(({ discover }) => discover === 'dns')
        .map(async (one) => [one, await this.#placesOf(one, one.places)] as const),
    );
    for (const [upstream, places] of found) {
      if (!this.#current.includes(upstream) || samePlaces(places, upstream.places)) continue;
      this.#log.info({ upstream: upstream.name, addresses: places.length }, 'addresses changed');
      this.#current = this.#current.map((one) => (one === upstream ? { ...one, places } : one));
      changed(upstream.name, places);
    }
    this.#keep();
    await this.#checkHealth();
  }

  async #checkHealth(): Promise<void> {
    const checks = this.#current
      .filter(({ health }) => health !== undefined)
      .flatMap((upstream) => upstream.places.map((place) => ({ upstream, place })));
    await Promise.all(
      checks.map(async ({ upstream, place }) => {
        const isUp = await isHealthy(upstream, place);
        this.#checked(upstream.name, place, isUp);
      }),
    );
  }

  #checked(upstream: string, { index, url: whole, ip }: AddressPlace, isUp: boolean): void {
    const url = shownUrl(whole);
    const failures = isUp ? 0 : (this.#unhealthyChecks.get(index) ?? 0) + 1;
    this.#unhealthyChecks.set(index, failures);
    const wasOut = this.#board.isUnhealthy(index);
    const isOut = failures >= healthFailuresMax;
    if (wasOut === isOut) return;
    this.#board.setHealth(index, !isOut, Date.now());
    const about = { upstream, url, ...(ip && { ip }) };
    if (isOut) this.#log.error(about, 'the health check of an upstream fails');
    else this.#log.info(about, 'an upstream is healthy again');
  }

  #keep(): void {
    const placesIn = (upstreams: readonly ShardUpstream[]) =>
      upstreams.flatMap(({ places }) => places);
    const freed = this.#registry.keep(placesIn(this.#current), placesIn(this.#prepared));
    for (const index of freed) this.#unhealthyChecks.delete(index);
  }
}

function samePlaces(a: readonly AddressPlace[], b: readonly AddressPlace[]): boolean {
  const isSame = (one: AddressPlace, other?: AddressPlace) =>
    one.index === other?.index && one.generation === other.generation;
  return a.length === b.length && a.every((place, i) => isSame(place, b[i]));
}

/** DNS servers that are down can take half a minute to say nothing. */
function inTime<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const seconds = resolveTimeoutMs / 1_000;
    const late = () => reject(new Error(`no answer within ${seconds} s`));
    const timer = setTimeout(late, resolveTimeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
