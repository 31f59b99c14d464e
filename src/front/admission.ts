import type { RouteConfig } from '../config/types.js';
import { matchRoute } from '../routing/route-table.js';
import type { CallFacts } from '../shard/record.js';

/** Why an upgrade was refused; a metric label. */
export const refusals = ['draining', 'full', 'no-shard', 'no-route'] as const;
export type Refusal = (typeof refusals)[number];

export type Admission =
  | { readonly admitted: true; readonly route: number; readonly facts: CallFacts }
  | {
      readonly admitted: false;
      readonly refusal: Refusal;
      readonly status: string;
      readonly retryAfterSeconds: number | undefined;
      readonly text: string;
    };

const retryAfterSeconds = 5;

/** Facts of a call from the query of its stream URL. */
export function readFacts(query: string): CallFacts {
  const first: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(query)) {
    if (first[name] === undefined && name !== '__proto__') first[name] = value;
  }
  return { from: number(first.from), to: number(first.to), query: first };
}

/** An unescaped `+` in a query reads as a space. */
function number(value = ''): string {
  return value.replace(/^ (?=\d)/, '+');
}

/** Decides on an upgrade by its path and query. */
export function admit(
  path: string,
  query: string,
  routes: readonly RouteConfig[],
  state: { readonly draining: boolean; readonly full: boolean; readonly shardReady: boolean },
): Admission {
  if (state.draining) return busy('draining', 'the gateway is draining');
  if (state.full) return busy('full', 'the gateway has as many calls as it may');
  if (!state.shardReady) return busy('no-shard', 'no worker is ready');
  const facts = readFacts(query);
  const route = matchRoute(routes, { path, ...facts });
  if (route < 0) {
    return {
      admitted: false,
      refusal: 'no-route',
      status: '404 Not Found',
      retryAfterSeconds: undefined,
      text: 'no route matches this call',
    };
  }
  return { admitted: true, route, facts };
}

function busy(refusal: Refusal, text: string): Admission {
  return { admitted: false, refusal, status: '503 Service Unavailable', retryAfterSeconds, text };
}
