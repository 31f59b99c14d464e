import { callsPerShardMax } from '../limits.js';
import type { Tree } from './file.js';
import { autoShards } from './kinds.js';
import type { Origin, Path, Problem } from './problems.js';

/** What must hold between settings. Looks at values that may still be wrong, each on its own. */
export function relationProblems(tree: Tree, originOf: (path: Path) => Origin): Problem[] {
  return [
    ...pairProblems(tree, originOf, 'tls', ['cert', 'key']),
    ...pairProblems(tree, originOf, 'plivo', ['authId', 'authToken']),
    ...nameProblems(tree, originOf),
    ...shardProblems(tree, originOf),
  ];
}

function pairProblems(
  tree: Tree,
  originOf: (path: Path) => Origin,
  group: string,
  names: readonly [string, string],
): Problem[] {
  const inGroup = tree[group];
  if (!isTree(inGroup)) return [];
  const [absent, ...others] = names.filter((name) => inGroup[name] === undefined);
  if (absent === undefined || others.length > 0) return [];
  const present = names[0] === absent ? names[1] : names[0];
  const origin = originOf([group, present]);
  const text = `missing, although ${group}.${present} is set; set both or neither`;
  return [{ path: [group, absent], text, origin }];
}

function nameProblems(tree: Tree, originOf: (path: Path) => Origin): Problem[] {
  const { routes } = tree;
  if (!Array.isArray(routes)) return [];
  const firsts = new Map<unknown, number>();
  const problems: Problem[] = [];
  for (const [index, route] of (routes as readonly unknown[]).entries()) {
    if (!isTree(route) || typeof route.name !== 'string') continue;
    const first = firsts.get(route.name);
    if (first === undefined) firsts.set(route.name, index);
    else {
      const path = ['routes', index, 'name'];
      const text = `found ${JSON.stringify(route.name)}, which routes[${first}] is called already`;
      problems.push({ path, text, origin: originOf(path) });
    }
  }
  return problems;
}

/** A shard reserves memory for its share of the calls, and no thread could carry more. */
function shardProblems(tree: Tree, originOf: (path: Path) => Origin): Problem[] {
  const calls = isTree(tree.limits) ? tree.limits.calls : undefined;
  const shards = typeof tree.shards === 'number' ? tree.shards : autoShards();
  if (typeof calls !== 'number' || !(calls / shards > callsPerShardMax)) return [];
  const path = ['limits', 'calls'];
  const text = `${calls} calls on ${shards} shards: one takes ${callsPerShardMax} at most`;
  return [{ path, text, origin: originOf(path) }];
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
