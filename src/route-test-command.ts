import { Command, Option } from 'commander';
import { readEnvironment } from './config/environment.js';
import { loadConfig } from './config/load.js';
import { configFile } from './config/schema.js';
import { type RouteConfig, streamPaths } from './config/types.js';
import { readFacts } from './front/admission.js';
import { mismatch, type RouteFacts } from './routing/route-table.js';
import { targetText } from './routing/target.js';

/** What one route makes of a call. */
export interface RouteVerdict {
  readonly route: string;
  readonly target: string;
  /** `takes`, `shares` some of such calls, `passes` (it does not match), or `late`: one before takes them all. */
  readonly verdict: 'takes' | 'shares' | 'passes' | 'late';
  readonly why: string;
}

/** Which route takes such a call, and why the others do not. */
export function explainRoutes(
  routes: readonly RouteConfig[],
  facts: RouteFacts,
): readonly RouteVerdict[] {
  let winner: string | undefined;
  return routes.map((route) => {
    const named = { route: route.name, target: targetText(route.handler) };
    if (winner !== undefined) return { ...named, verdict: 'late', why: `after ${winner}` };
    const why = mismatch(route, facts);
    if (why !== undefined) return { ...named, verdict: 'passes', why };
    if (route.share !== undefined && route.share < 100) {
      return { ...named, verdict: 'shares', why: `takes ${route.share} % of such calls` };
    }
    winner = route.name;
    return { ...named, verdict: 'takes', why: 'the first that matches' };
  });
}

interface RouteTestFlags {
  readonly config?: string;
  readonly path: string;
  readonly to?: string;
  readonly from?: string;
  readonly query?: string;
  readonly account?: string;
  readonly json?: true;
}

/** The sub-command `route-test`. */
export function routeTestCommand(): Command {
  return new Command('route-test')
    .description('say which route takes a call, and why; exits 1 if none does')
    .option(`${configFile.flag} <file>`, configFile.description)
    .addOption(
      new Option('--path <path>', 'of the stream URL').choices(streamPaths).default('/stream'),
    )
    .option('--to <number>', 'called number')
    .option('--from <number>', 'calling number')
    .option('--account <name>', 'account whose call it is, as its signature says')
    .option('--query <query>', 'further query of the stream URL, as in direction=inbound&tenant=a')
    .option('--json', 'print JSON')
    .action((flags: RouteTestFlags) => {
      process.exitCode = run(flags);
    });
}

function run({ config, path, to, from, query = '', account = '', json }: RouteTestFlags): number {
  const { routes } = loadConfig({
    flags: config === undefined ? {} : { config },
    environment: readEnvironment(),
    cwd: process.cwd(),
  });
  const asked = new URLSearchParams(query.replace(/^\?/, ''));
  if (to !== undefined) asked.set('to', to);
  if (from !== undefined) asked.set('from', from);
  const verdicts = explainRoutes(routes, {
    ...{ path, account },
    ...readFacts(asked.toString()),
  });
  const winner = verdicts.find(({ verdict }) => verdict === 'takes')?.route ?? null;
  process.stdout.write(
    json === true
      ? `${JSON.stringify({ route: winner, routes: verdicts })}\n`
      : verdictsText(verdicts),
  );
  return verdicts.some(({ verdict }) => verdict === 'takes' || verdict === 'shares') ? 0 : 1;
}

function verdictsText(verdicts: readonly RouteVerdict[]): string {
  const width = Math.max(...verdicts.map(({ route }) => route.length));
  const lines = verdicts.map(({ route, target, verdict, why }) => {
    const does = { takes: `takes it → ${target}`, shares: `→ ${target}`, passes: 'no', late: 'no' };
    return `${route.padEnd(width)}  ${does[verdict]} (${why})`;
  });
  if (verdicts.every(({ verdict }) => verdict !== 'takes')) {
    const rest = verdicts.some(({ verdict }) => verdict === 'shares')
      ? 'the rest of such calls'
      : 'it';
    lines.push(`no route takes ${rest}: the stream is refused with 404`);
  }
  return `${lines.join('\n')}\n`;
}
