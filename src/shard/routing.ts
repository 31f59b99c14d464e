import type { MessagePort } from 'node:worker_threads';
import type { HandlerSource, UpstreamConfig } from '../config/types.js';
import type { AudioRate } from '../limits.js';

/** What a route means to a worker: which handler, at which rate. The index is the one in `open` records. */
export interface ShardRoute {
  readonly name: string;
  readonly sampleRate: AudioRate;
  readonly handler: HandlerSource;
  /** Which block its calls are counted in: see `voice-counters.ts`. */
  readonly voiceArea: number;
}

/** Where an application listens. */
export interface AddressPlace {
  /** With the names of call facts in braces. */
  readonly url: string;
  readonly weight: number;
  /** On the board. */
  readonly index: number;
  readonly generation: number;
  /** What the name in the URL resolved to; absent: it is resolved when it is dialled. */
  readonly ip?: string;
}

/** An address for people: without a password in it. */
export function shownUrl(url: string): string {
  return url.replace(/^(wss?:\/\/)[^/?#]*@/i, '$1');
}

export interface ShardUpstream extends UpstreamConfig {
  readonly places: readonly AddressPlace[];
}

/** Where calls go, as one whole: a reload makes another revision. Plain data, fit for a thread. */
export interface Routing {
  readonly revision: number;
  readonly routes: readonly ShardRoute[];
  readonly upstreams: readonly ShardUpstream[];
}

/** Calls to come of an upstream, as that revision has it, go to these addresses. */
export interface PlacesChange {
  readonly revision: number;
  readonly upstream: string;
  readonly places: readonly AddressPlace[];
}

/** A few times in the life of a gateway, so by messages and not through the rings. */
type ToShard =
  | { readonly what: 'adopt'; readonly routing: Routing; readonly active: number }
  | ({ readonly what: 'places' } & PlacesChange);

interface FromShard {
  readonly revision: number;
  /** Why the routes cannot be had; absent: they are loaded. */
  readonly problem?: string;
}

export interface RoutingEvents {
  /**
   * Loads these routes for calls to come; only those of the revision `active` may still be asked for besides. Rejects
   * with what is wrong.
   */
  adopt(routing: Routing, active: number): Promise<void>;
  /** The addresses of an upstream have changed. */
  places(change: PlacesChange): void;
}

/** The worker's end. */
export function listenForRouting(port: MessagePort, events: RoutingEvents): void {
  const answer = (message: FromShard): void => port.postMessage(message);
  port.on('message', (message: ToShard) => {
    if (message.what === 'places') return events.places(message);
    const { revision } = message.routing;
    events.adopt(message.routing, message.active).then(
      () => answer({ revision }),
      (thrown: unknown) =>
        answer({ revision, problem: thrown instanceof Error ? thrown.message : String(thrown) }),
    );
  });
}

/** The front's end of one shard. */
export class RoutingPort {
  readonly #port: MessagePort;
  #isClosed = false;
  #waiting: { readonly revision: number; settle(problem: string | undefined): void } | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    port.unref();
    port.on('message', ({ revision, problem }: FromShard) => {
      if (this.#waiting?.revision === revision) this.#waiting.settle(problem);
    });
    // A shard that is gone needs no routes.
    port.on('close', () => {
      this.#isClosed = true;
      this.#waiting?.settle(undefined);
    });
  }

  /** @returns what is wrong, or undefined once the shard has loaded the routes; one at a time */
  adopt(routing: Routing, active: number, deadlineMs: number): Promise<string | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const settle = (problem: string | undefined): void => {
        clearTimeout(timer);
        this.#waiting = undefined;
        resolve(problem);
      };
      const late = `a worker did not load them within ${deadlineMs / 1_000} s`;
      const timer = setTimeout(() => settle(late), deadlineMs);
      this.#waiting = { revision: routing.revision, settle };
      this.#post({ what: 'adopt', routing, active });
    });
  }

  places(change: PlacesChange): void {
    this.#post({ what: 'places', ...change });
  }

  close(): void {
    this.#port.close();
  }

  #post(message: ToShard): void {
    this.#port.postMessage(message);
  }
}
