import type { RouteConfig } from '../config/types.js';

/** What is known of a call before its stream is admitted. */
export interface RouteFacts {
  readonly path: string;
  readonly from: string;
  readonly to: string;
  /** Name of the account whose call it is; absent or empty: not known yet. */
  readonly account?: string;
  /** Of the stream URL, first value of each name. */
  readonly query: Readonly<Record<string, string>>;
}

/**
 * Index of the first route that matches, or -1.
 * @param chance 0 up to 1, asked for each route that takes a share of its calls
 */
export function matchRoute(
  routes: readonly RouteConfig[],
  facts: RouteFacts,
  chance: () => number = Math.random,
): number {
  return routes.findIndex(
    (route) => mismatch(route, facts) === undefined && chance() * 100 < (route.share ?? 100),
  );
}

/** Why a route does not take a call, for people; undefined if it does, or a share of such calls. */
export function mismatch(route: RouteConfig, facts: RouteFacts): string | undefined {
  const { path, to, from, direction, query, account } = route;
  if (account && facts.account && account !== facts.account) return `its account is ${account}`;
  if (path !== undefined && path !== facts.path) return `its path is ${path}`;
  if (!matchesNumber(to, facts.to)) return `its to is ${to.join(', ')}`;
  if (!matchesNumber(from, facts.from)) return `its from is ${from.join(', ')}`;
  if (direction !== undefined && direction !== facts.query.direction) {
    return `its direction is ${direction}`;
  }
  for (const [name, value] of Object.entries(query)) {
    if (facts.query[name] !== value) return `its query has ${name}=${value}`;
  }
  return undefined;
}

function matchesNumber(patterns: readonly string[], number: string): boolean {
  if (patterns.length === 0) return true;
  const plain = normalNumber(number);
  return patterns.some((pattern) => {
    if (pattern === 'anonymous') return isAnonymous(plain);
    if (pattern.endsWith('*')) return plain.startsWith(normalNumber(pattern.slice(0, -1)));
    return plain !== '' && plain === normalNumber(pattern);
  });
}

/** What networks write in place of a number that its owner does not show. */
function isAnonymous(number: string): boolean {
  return number === '' || /^(anonymous|restricted|private|unavailable|unknown)$/i.test(number);
}

/** Plivo writes numbers without `+`, people with it; a SIP address counts by its user part. */
export function normalNumber(number: string): string {
  const user = /^sips?:([^@;?]*)/i.exec(number.trim())?.[1] ?? number.trim();
  return user.replace(/^\+/, '').replace(/[\s().-]/g, '');
}
