import type { SeriesResult } from './prometheus.js';

export type Verdict = 'good' | 'rightly empty' | 'EMPTY' | 'ERROR' | 'NOT EMPTY';

/**
 * Panels that have nothing to show in a run in which all goes as it is meant to, by dashboard and title. One that is not
 * empty after all has no place here.
 */
export const rightlyEmpty: Readonly<Record<string, string>> = {};

/** A series that is NaN all along is a quotient of nothing by nothing. */
export function pointsOf(results: readonly SeriesResult[]): number {
  let count = 0;
  for (const { points } of results) {
    for (const [, value] of points) if (Number.isFinite(value)) count += 1;
  }
  return count;
}

/** What a panel's result is worth; `results` is the text of the error if there was one. */
export function verdictOf(
  name: string,
  results: readonly SeriesResult[] | string,
  mayBeEmpty: Readonly<Record<string, string>> = rightlyEmpty,
): Verdict {
  if (typeof results === 'string') return 'ERROR';
  const isEmpty = pointsOf(results) === 0;
  if (name in mayBeEmpty) return isEmpty ? 'rightly empty' : 'NOT EMPTY';
  return isEmpty ? 'EMPTY' : 'good';
}

export function isFine(verdict: Verdict): boolean {
  return verdict === 'good' || verdict === 'rightly empty';
}

/** Names in the table that no panel has. */
export function strangers(
  names: readonly string[],
  mayBeEmpty: Readonly<Record<string, string>> = rightlyEmpty,
): string[] {
  return Object.keys(mayBeEmpty).filter((name) => !names.includes(name));
}
