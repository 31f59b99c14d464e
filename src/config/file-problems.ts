import type { ConfigFile } from './file.js';
import type { Surroundings } from './kinds.js';
import { nearestName } from './nearest.js';
import { foundText, namesBelow, type Path, type Problem, pathText, printable } from './problems.js';
import { gatewaySchema, settings } from './schema.js';

/** All that is wrong in a file by itself. */
export function fileProblems(file: ConfigFile, surroundings: Surroundings): readonly Problem[] {
  const { error } = gatewaySchema(surroundings).safeParse(file.tree);
  const problems: Problem[] = [];
  for (const issue of error?.issues ?? []) {
    const path = issue.path as Path;
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) problems.push(unknownName([...path, key], file));
      continue;
    }
    const repeated = problems.some((problem) => problem.path.join() === path.join());
    if (repeated) continue;
    const quote = issue.code === 'custom' && issue.params?.quote === true;
    problems.push(wrongValue(path, issue.message, quote, file));
  }
  return problems;
}

function unknownName(path: Path, file: ConfigFile): Problem {
  const meant = meantBy(path);
  const text = `unknown setting${meant ? `; did you mean ${meant}?` : ''}`;
  return { path, text, origin: file.originOf(path) };
}

/** A similar name in the same group, or else the right or a similar one in another group. */
function meantBy(path: Path): string | undefined {
  const key = String(path.at(-1));
  const group = path.slice(0, -1);
  const here = nearestName(key, namesBelow(group));
  if (here) return pathText([...group, here]);
  const paths = settings.map((setting) => setting.path);
  return paths.find((other) => other.endsWith(`.${key}`)) ?? nearestName(key, paths);
}

function wrongValue(path: Path, expected: string, quote: boolean, file: ConfigFile): Problem {
  const value = valueAt(file.tree, path);
  const source = file.sourceOf(path);
  const found = foundText(value, path, source);
  const origin = file.originOf(path);
  if (quote) {
    const fix = `"${printable(source ?? String(value)).replaceAll('"', '')}"`;
    const text = `found the number ${found}, expected a text: quote it, as in ${fix}`;
    return { path, text, origin };
  }
  const missing = value === undefined ? 'missing' : `found ${found}`;
  return { path, text: `${missing}, expected ${expected}`, origin };
}

function valueAt(tree: unknown, path: Path): unknown {
  let value = tree;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
