import { GatewayError } from '../src/errors.js';
import type { PlacesChange, Routing } from '../src/shard/routing.js';
import { loadHandler } from './handler/load.js';
import type { LoadedRoute } from './shard-context.js';
import type { UpstreamDoors } from './upstream/upstream-doors.js';

/** The routes of one revision, with their handlers loaded. */
export interface RouteSet {
  readonly revision: number;
  readonly routes: readonly LoadedRoute[];
  readonly doors: UpstreamDoors;
}

export type OpenDoors = (routing: Routing) => Promise<UpstreamDoors>;

/** The routes that calls may still be opened with: those in use, and those that are to follow. */
export class RouteSets {
  readonly #openDoors: OpenDoors;
  readonly #queueMs: number;
  readonly #sets = new Map<number, RouteSet>();
  #newest = -1;
  #latest: RouteSet | undefined;

  /** `queueMs`: of audio that a call may queue. */
  constructor(openDoors: OpenDoors, queueMs: number) {
    this.#openDoors = openDoors;
    this.#queueMs = queueMs;
  }

  /** @throws GatewayError HANDLER_LOAD, also if others were asked for while these were loaded */
  async adopt(routing: Routing, active: number): Promise<RouteSet> {
    this.#newest = Math.max(this.#newest, routing.revision);
    const doors = await this.#openDoors(routing);
    const routes: LoadedRoute[] = [];
    for (const route of routing.routes) {
      routes.push({ ...route, loaded: await loadHandler(route, doors, this.#queueMs) });
    }
    // The front has given these up by now: they must not take the place of those that came after.
    if (routing.revision < this.#newest) {
      throw new GatewayError('HANDLER_LOAD', 'they were loaded too late');
    }
    for (const revision of this.#sets.keys()) if (revision !== active) this.#sets.delete(revision);
    const set = { revision: routing.revision, routes, doors };
    this.#sets.set(routing.revision, set);
    this.#latest = set;
    return set;
  }

  /** Those loaded last; there are some once `adopt` has resolved. */
  get latest(): RouteSet {
    return this.#latest!;
  }

  /** Undefined for routes that this shard does not have: a call must not meet others. */
  get(revision: number): RouteSet | undefined {
    return this.#sets.get(revision);
  }

  places({ revision, upstream, places }: PlacesChange): void {
    this.#sets.get(revision)?.doors.places(upstream, places);
  }
}
