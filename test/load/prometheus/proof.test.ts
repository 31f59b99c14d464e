import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { drawnPage } from '../../../load/prometheus/page.js';
import type { SeriesResult } from '../../../load/prometheus/prometheus.js';
import { filledIn, readBoards, readRules } from '../../../load/prometheus/queries.js';
import { formatted, legendOf } from '../../../load/prometheus/units.js';
import { isFine, rightlyEmpty, strangers, verdictOf } from '../../../load/prometheus/verdict.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'boards-'));
afterAll(() => rmSync(folder, { recursive: true }));

const series = (...values: number[]): SeriesResult => ({
  labels: { route: 'main' },
  points: values.map((value, i) => [100 + i, value] as const),
});

mkdirSync(join(folder, 'dashboards'));
mkdirSync(join(folder, 'rules'));
const place = { x: 0, y: 1, w: 12, h: 8 };
const panel = {
  ...{ type: 'timeseries', title: 'Calls <b>', description: 'How many.', gridPos: place },
  targets: [
    {
      expr: 'sum by (route) (rate(x{route=~"$route"}[$__rate_interval]))',
      legendFormat: '{{route}}',
    },
  ],
  fieldConfig: { defaults: { unit: 'cps' } },
};
const row = { type: 'row', title: 'A row', gridPos: { ...place, y: 0 }, panels: [panel] };
writeFileSync(
  join(folder, 'dashboards/one.json'),
  JSON.stringify({ title: 'Is it?', panels: [row, { ...panel, title: 'Other' }] }),
);
writeFileSync(
  join(folder, 'rules/all.yaml'),
  'groups: [{ name: a, rules: [{ alert: Down, expr: up == 0 }, { record: "a:b:c", expr: sum(x) }] }]',
);

describe('what is asked', () => {
  it('is every query of every panel, those in rows included, and every rule', () => {
    const [board] = readBoards(folder);
    expect(board?.panels.map(({ title, kind }) => [title, kind])).toEqual([
      ['A row', 'row'],
      ['Calls <b>', 'timeseries'],
      ['Other', 'timeseries'],
    ]);
    expect(board?.panels[1]?.queries).toEqual([
      { expression: panel.targets[0]!.expr, legend: '{{route}}', isInstant: false },
    ]);
    expect(readRules(folder)).toEqual([
      { name: 'Down', kind: 'alert', expression: 'up == 0' },
      { name: 'a:b:c', kind: 'recording', expression: 'sum(x)' },
    ]);
  });

  it('is asked with everything chosen', () => {
    const asked = filledIn(
      'rate(x{instance=~"$instance",route=~"$route"}[$__rate_interval]) / increase(y[$__range])',
      43,
      15,
    );
    expect(asked).toBe('rate(x{instance=~".*",route=~".*"}[15s]) / increase(y[43s])');
  });

  it('holds no variable that is not known here', () => {
    const boards = readBoards(join(root, 'grafana'));
    expect(boards).toHaveLength(5);
    for (const { panels } of boards) {
      for (const { queries } of panels) {
        for (const { expression } of queries) expect(filledIn(expression, 1, 1)).not.toContain('$');
      }
    }
  });
});

describe('the verdict', () => {
  const table = { 'Is it? Rare': 'nothing of it happens' };

  it.each([
    ['values', 'Is it? Calls', [series(1, 2)], 'good'],
    ['noughts', 'Is it? Calls', [series(0, 0)], 'good'],
    ['no series', 'Is it? Calls', [], 'EMPTY'],
    ['quotients of nothing', 'Is it? Calls', [series(Number.NaN)], 'EMPTY'],
    ['an error', 'Is it? Calls', 'parse error', 'ERROR'],
    ['nothing, as it should be', 'Is it? Rare', [], 'rightly empty'],
    ['something after all', 'Is it? Rare', [series(1)], 'NOT EMPTY'],
    ['an error there too', 'Is it? Rare', 'parse error', 'ERROR'],
  ] as const)('of %s', (_what, name, results, verdict) => {
    expect(verdictOf(name, results, table)).toBe(verdict);
    expect(isFine(verdict)).toBe(verdict === 'good' || verdict === 'rightly empty');
  });

  it('knows names that no panel has', () => {
    expect(strangers(['Is it? Calls'], table)).toEqual(['Is it? Rare']);
    const names = readBoards(join(root, 'grafana')).flatMap(({ title, panels }) =>
      panels.map((one) => `${title} ${one.title}`),
    );
    expect(strangers(names, rightlyEmpty)).toEqual([]);
  });
});

describe('the page', () => {
  it.each([
    [0.00042, 's', undefined, '420 µs'],
    [0.0123, 's', undefined, '12.3 ms'],
    [12, 's', undefined, '12 s'],
    [0, 's', undefined, '0 s'],
    [600, 's', undefined, '10 min'],
    [0.12345, 'percentunit', 1, '12.3%'],
    [1_536, 'bytes', undefined, '1.5 KiB'],
    [2_500, 'short', undefined, '2.5 K'],
    [12, 'cps', undefined, '12 c/s'],
    [Number.NaN, 's', undefined, '–'],
  ])('writes %d of %s (%s decimals) as %s', (value, unit, decimals, text) => {
    expect(formatted(value, unit, decimals)).toBe(text);
  });

  it('names a line by its labels', () => {
    expect(legendOf('{{route}}: {{ side }}', { route: 'main' })).toBe('main: ');
  });

  it('holds every panel, its words, and its error where there is one', async () => {
    const [board] = readBoards(folder);
    const [first, second] = board!.panels.slice(1);
    const page = await drawnPage([
      {
        board: board!,
        panels: [
          { panel: first!, results: [[series(1, 2)]] },
          { panel: second!, results: ['parse error at <char> 7'] },
        ],
      },
    ]);
    expect(page).toContain('Calls &lt;b&gt;');
    expect(page).toContain('How many.');
    expect(page).toContain('id="plot-0"');
    expect(page).toContain('"label":"main"');
    expect(page).toContain('parse error at &lt;char&gt; 7');
  });
});

describe('without Prometheus', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, 'dist/load/prometheus/proof.js'), ...args], {
      env: { PATH: folder },
      encoding: 'utf8',
    });

  it('it says so, and fails unless it may be missing', () => {
    const alone = run();
    expect([alone.status, alone.stdout]).toEqual([
      1,
      'prometheus is not on the PATH (Debian: apt-get install prometheus)\n',
    ]);
    expect(run('--if-present').status).toBe(0);
  });
});
