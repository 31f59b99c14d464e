import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { errorText } from '../../src/errors.js';
import { withChildren } from '../bench/children.js';
import { type DrawnBoard, drawnPage } from './page.js';
import { hasPrometheus, Prometheus, type SeriesResult } from './prometheus.js';
import { type Board, filledIn, type Query, type Rule, readBoards, readRules } from './queries.js';
import { isFine, pointsOf, strangers, type Verdict, verdictOf } from './verdict.js';
import { openWorld } from './world.js';

const root = dirname(createRequire(import.meta.url).resolve('#package.json'));
/** Grafana's: four scrapes, and not less than 15 s where scrapes are that frequent. */
const rateSeconds = 15;

interface Run {
  readonly from: number;
  readonly to: number;
  readonly prometheus: Prometheus;
}

type Result = readonly SeriesResult[] | string;

interface Line {
  readonly name: string;
  readonly expression: string;
  readonly series: number;
  readonly points: number;
  readonly verdict: Verdict;
  readonly error: string;
}

function ask({ from, to, prometheus }: Run, { expression, isInstant }: Query): Promise<Result> {
  const filled = filledIn(expression, Math.ceil(to - from), rateSeconds);
  const answer = isInstant ? prometheus.at(filled, to) : prometheus.over(filled, from, to);
  return answer.catch((thrown: unknown) => errorText(thrown));
}

function lineOf(name: string, expression: string, result: Result, verdict: Verdict): Line {
  const isError = typeof result === 'string';
  return {
    ...{ name, expression, verdict },
    series: isError ? 0 : result.length,
    points: isError ? 0 : pointsOf(result),
    error: isError ? result : '',
  };
}

async function askBoards(run: Run, boards: readonly Board[], lines: Line[]): Promise<DrawnBoard[]> {
  const drawn: DrawnBoard[] = [];
  for (const board of boards) {
    const panels = [];
    for (const panel of board.panels) {
      const name = `${board.title} ${panel.title}`;
      const results: Result[] = [];
      for (const query of panel.queries) {
        const result = await ask(run, query);
        results.push(result);
        lines.push(lineOf(name, query.expression, result, verdictOf(name, result)));
      }
      panels.push({ panel, results });
    }
    drawn.push({ board, panels });
  }
  return drawn;
}

/** A recording rule has to have written something; an alert has to be an expression that can be asked. */
async function askRules(run: Run, rules: readonly Rule[], lines: Line[]): Promise<void> {
  for (const { name, kind, expression } of rules) {
    const asked = kind === 'recording' ? name : expression;
    const result = await ask(run, { expression: asked, legend: '', isInstant: false });
    const isError = typeof result === 'string';
    const verdict = kind === 'alert' && !isError ? 'good' : verdictOf(name, result);
    lines.push(lineOf(name, expression, result, verdict));
  }
}

function print(lines: readonly Line[]): void {
  const width = Math.max(...lines.map(({ name }) => name.length));
  for (const { name, series, points, verdict, error, expression } of lines) {
    const counts = `${String(series).padStart(4)} series ${String(points).padStart(6)} points`;
    process.stdout.write(`${name.padEnd(width)} ${counts}  ${verdict}\n`);
    if (!isFine(verdict)) process.stdout.write(`    ${error || expression}\n`);
  }
}

async function prove(folder: string, drawTo: string | undefined): Promise<boolean> {
  const scratch = mkdtempSync(join(tmpdir(), 'prometheus-'));
  try {
    return await withChildren(async (children) => {
      const world = await openWorld(children, scratch);
      try {
        const prometheus = await Prometheus.open(children, scratch, folder, world.adminPort);
        const from = Date.now() / 1_000;
        process.stdout.write('a gateway, 100 calls, Prometheus: about 50 seconds\n');
        const to = await world.run();
        const run = { from, to, prometheus };
        const boards = readBoards(folder);
        const lines: Line[] = [];
        const drawn = await askBoards(run, boards, lines);
        await askRules(run, readRules(folder), lines);
        print(lines);
        if (drawTo !== undefined) {
          writeFileSync(drawTo, await drawnPage(drawn));
          process.stdout.write(`drawn: ${drawTo}\n`);
        }
        const unknown = strangers(lines.map(({ name }) => name));
        for (const name of unknown) process.stdout.write(`no panel is called ${name}\n`);
        const bad = lines.filter(({ verdict }) => !isFine(verdict)).length + unknown.length;
        process.stdout.write(`${lines.length} queries, ${bad} of them bad\n`);
        return bad === 0;
      } finally {
        await world.close();
      }
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const command = new Command('test:prometheus')
  .description('run every query of dashboards and rules against a gateway under load')
  .option('--grafana <folder>', 'folder with dashboards and rules', join(root, 'grafana'))
  .option('--out <file>', 'draw the dashboards with their results into this page')
  .option('--if-present', 'be content where no Prometheus is installed')
  .parse();
const { grafana, out, ifPresent } = command.opts<{
  grafana: string;
  out?: string;
  ifPresent?: boolean;
}>();
if (!hasPrometheus()) {
  process.stdout.write('prometheus is not on the PATH (Debian: apt-get install prometheus)\n');
  process.exitCode = ifPresent === true ? 0 : 1;
} else {
  const isProven = await prove(resolve(grafana), out === undefined ? undefined : resolve(out));
  process.exitCode = isProven ? 0 : 1;
}
