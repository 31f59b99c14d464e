import type { RouteConfig } from '../config/types.js';

/** What is known of a call before its stream is admitted. */
export interface RouteFacts {
  readonly path: string;
  readonly from: string;
  readonly to: string;
}

/** Index of the first route that matches, or -1. */
export function matchRoute(routes: readonly RouteConfig[], facts: RouteFacts): number {
  const from = normalNumber(facts.from);
  const to = normalNumber(facts.to);
  return routes.findIndex(
    (route) =>
      (route.path === undefined || route.path === facts.path) &&
      matchesNumber(route.to, to) &&
      matchesNumber(route.from, from),
  );
}

function matchesNumber(patterns: readonly string[], number: string): boolean {
  if (patterns.length === 0) return true;
  return patterns.some((pattern) =>
    pattern.endsWith('*')
      ? number.startsWith(normalNumber(pattern.slice(0, -1)))
      : number !== '' && number === normalNumber(pattern),
  );
}

/** Plivo writes numbers without `+`, people with it; a SIP address counts by its user part. */
export function normalNumber(number: string): string {
  const user = /^sips?:([^@;?]*)/i.exec(number.trim())?.[1] ?? number.trim();
  return user.replace(/^\+/, '').replace(/[\s().-]/g, '');
}
