import { callsPerShardMax } from '../limits.js';
import type { Tree } from './file.js';
import { autoShards } from './kinds.js';
import type { Origin, Path, Problem } from './problems.js';
import type { ParsedConfig } from './schema.js';
import { defaultAccount } from './types.js';

/** What must hold between settings. Looks at values that may still be wrong, each on its own. */
export function relationProblems(tree: Tree, originOf: (path: Path) => Origin): Problem[] {
  return [
    ...pairProblems(tree, originOf, 'tls', ['cert', 'key']),
    ...pairProblems(tree, originOf, 'plivo', ['authId', 'authToken']),
    ...nameProblems(tree, originOf, 'routes'),
    ...nameProblems(tree, originOf, 'accounts'),
    ...nameProblems(tree, originOf, 'upstreams'),
    ...targetProblems(tree, originOf),
    ...shardProblems(tree, originOf),
    ...handoverProblems(tree, originOf),
  ];
}

/** Another node is found by the public address, and calls are handed over by Plivo's API. */
function handoverProblems(tree: Tree, originOf: (path: Path) => Origin): Problem[] {
  const { drain, publicUrl, plivo, accounts } = tree;
  if (!isTree(drain) || drain.atDeadline !== 'handover') return [];
  const hasAccount = isTree(plivo) && plivo.authId !== undefined;
  const missing = [
    ...(publicUrl === undefined ? ['publicUrl'] : []),
    ...(hasAccount || Array.isArray(accounts) ? [] : ['the credentials of an account']),
  ];
  if (missing.length === 0) return [];
  const path = ['drain', 'atDeadline'];
  const text = `handover needs ${missing.join(' and ')}`;
  return [{ path, text, origin: originOf(path) }];
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

function nameProblems(
  tree: Tree,
  originOf: (path: Path) => Origin,
  list: 'routes' | 'accounts' | 'upstreams',
): Problem[] {
  const items = tree[list];
  if (!Array.isArray(items)) return [];
  const firsts = new Map<unknown, number>();
  const problems: Problem[] = [];
  for (const [index, item] of (items as readonly unknown[]).entries()) {
    if (!isTree(item) || typeof item.name !== 'string') continue;
    const first = firsts.get(item.name);
    if (first === undefined) firsts.set(item.name, index);
    else {
      const path = [list, index, 'name'];
      const text = `found ${JSON.stringify(item.name)}, which ${list}[${first}] is called already`;
      problems.push({ path, text, origin: originOf(path) });
    }
  }
  return problems;
}

const targets = ['handler', 'upstream', 'lookup', 'play', 'reject', 'redirect'] as const;

/** A route leads to one place. */
function targetProblems(tree: Tree, originOf: (path: Path) => Origin): Problem[] {
  if (!Array.isArray(tree.routes)) return [];
  const problems: Problem[] = [];
  for (const [index, item] of (tree.routes as readonly unknown[]).entries()) {
    if (!isTree(item)) continue;
    const [first, second] = targets.filter((name) => item[name] !== undefined);
    const path = ['routes', index];
    if (first === undefined) {
      const text = `missing: ${targets.join(', ')}; one of them says who answers`;
      problems.push({ path, text, origin: originOf(path) });
    } else if (second !== undefined) {
      const place = [...path, second];
      const text = `a route leads to one place, and ${first} is set already`;
      problems.push({ path: place, text, origin: originOf(place) });
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

/** What must hold between accounts and routes, once references are resolved. */
export function accountProblems(
  { plivo, accounts, routes }: ParsedConfig,
  originOf: (path: Path) => Origin,
): Problem[] {
  const problems: Problem[] = [];
  const wrong = (path: Path, text: string) => {
    problems.push({ path, text, origin: originOf(path) });
  };
  const owners = new Map<string, string>();
  if (plivo.authId) owners.set(plivo.authId, 'plivo.authId');
  for (const [index, { name, authId }] of accounts.entries()) {
    if (name === defaultAccount) {
      const text = `found "${name}", which is the account of the plivo section; choose another`;
      wrong(['accounts', index, 'name'], text);
    }
    const owner = owners.get(authId);
    if (owner) wrong(['accounts', index, 'authId'], `the same account as ${owner}; give it once`);
    else owners.set(authId, `accounts[${index}].authId`);
  }
  const names = accounts.map(({ name }) => name);
  if (plivo.authId) names.unshift(defaultAccount);
  for (const [index, { account }] of routes.entries()) {
    if (account === undefined || names.includes(account)) continue;
    const known = names.length > 0 ? `one of ${names.join(', ')}` : 'an account, and there is none';
    wrong(['routes', index, 'account'], `found "${account}", expected ${known}`);
  }
  return problems;
}

/** What must hold between upstreams and routes. */
export function upstreamProblems(
  { upstreams, routes }: ParsedConfig,
  originOf: (path: Path) => Origin,
): Problem[] {
  const problems: Problem[] = [];
  const wrong = (path: Path, text: string) => {
    problems.push({ path, text, origin: originOf(path) });
  };
  for (const [index, route] of routes.entries()) {
    const { upstream, fallback } = route;
    if (upstream !== undefined && !upstreams.some(({ name }) => name === upstream)) {
      const names = upstreams.map(({ name }) => name).join(', ');
      const known = names === '' ? 'an upstream, and there is none' : `one of ${names}`;
      wrong(['routes', index, 'upstream'], `found "${upstream}", expected ${known}`);
    }
    if (fallback === undefined) continue;
    const path = ['routes', index, 'fallback'];
    if (!routes.some((other) => other !== route && other.name === fallback)) {
      wrong(path, `found "${fallback}", expected the name of another route`);
    }
  }
  return problems;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
