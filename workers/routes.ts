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
  #latest: RouteSet | undefined;

  /** `queueMs`: of audio that a call may queue. */
  constructor(openDoors: OpenDoors, queueMs: number) {
    this.#openDoors = openDoors;
    this.#queueMs = queueMs;
  }

  /** @throws GatewayError HANDLER_LOAD */
  async adopt(routing: Routing, active: number): Promise<RouteSet> {
    const doors = await this.#openDoors(routing);
    const routes: LoadedRoute[] = [];
    for (const route of routing.routes) {
      routes.push({ ...route, loaded: await loadHandler(route, doors, this.#queueMs) });
    }
    for (const revision of this.#sets.keys()) if (revision !== active) this.#sets.delete(revision);
    const set = { revision: routing.revision, routes, doors };
    this.#sets.set(routing.revision, set);
    this.#latest = set;
    return set;
  }

  get(revision: number): RouteSet {
    return this.#sets.get(revision) ?? this.#latest!;
  }

  places({ revision, upstream, places }: PlacesChange): void {
    this.#sets.get(revision)?.doors.places(upstream, places);
  }
}
