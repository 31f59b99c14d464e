import { escaped, scriptData, uPlot } from '../html.js';
import { pageScript } from './page-script.js';
import type { SeriesResult } from './prometheus.js';
import type { Board, Panel, Step } from './queries.js';
import { formatted, legendOf } from './units.js';
import { pointsOf } from './verdict.js';

export interface DrawnPanel {
  readonly panel: Panel;
  /** Of each query; text where it went wrong. */
  readonly results: readonly (readonly SeriesResult[] | string)[];
}

export interface DrawnBoard {
  readonly board: Board;
  readonly panels: readonly DrawnPanel[];
}

const style = `
body { margin: 0; padding: 1rem; background: #f4f5f5; color: #24292e; font: 13px/1.4 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 1.5rem 0 0; } h1 + p { margin: .2rem 0 .6rem; color: #57606a; }
.board { display: grid; grid-template-columns: repeat(24, 1fr); grid-auto-rows: 34px; gap: 6px; }
.row { font-weight: 600; font-size: 15px; align-self: end; }
.panel { background: #fff; border: 1px solid #d8dee4; border-radius: 2px; padding: 6px 8px; overflow: hidden;
  display: flex; flex-direction: column; min-width: 0; }
.panel b { font-size: 13px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.panel small { color: #57606a; font-size: 10.5px; line-height: 1.25; display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; overflow: hidden; }
.number { font-size: 30px; font-weight: 600; margin: auto; }
.plot { flex: 1; min-height: 0; } .u-legend { font-size: 11px; text-align: left; } .u-legend .u-value { display: none; }
.bar { display: grid; grid-template-columns: 40% 1fr 5rem; gap: 6px; align-items: center; margin: 3px 0; }
.bar i { height: 12px; display: block; } .bad { color: #cf222e; font-weight: 600; }
`;

const colors: Readonly<Record<string, string>> = {
  green: '#1a7f37',
  orange: '#bc4c00',
  red: '#cf222e',
  blue: '#0969da',
};

/** One page with everything in it: each dashboard as its reader would see it, with the real results. */
export async function drawnPage(boards: readonly DrawnBoard[]): Promise<string> {
  const { script, css } = await uPlot();
  const plots: object[] = [];
  const parts = boards.map(({ board, panels }) => {
    const inside = panels.map((panel) => drawn(panel, plots)).join('\n');
    return `<h1>${escaped(board.title)}</h1><p>${escaped(board.about)}</p><div class="board">${inside}</div>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Dashboards</title>
<style>${css}</style>
<style>${style}</style>
</head>
<body>
${parts.join('\n')}
<script>${script}</script>
<script>const plots = ${scriptData(plots)};${pageScript}</script>
</body>
</html>
`;
}

function drawn({ panel, results }: DrawnPanel, plots: object[]): string {
  const { x, y, w, h } = panel.place;
  const place = `grid-column: ${x + 1} / span ${w}; grid-row: ${y + 1} / span ${h}`;
  if (panel.kind === 'row') {
    return `<div class="row" style="${place}">${escaped(panel.title)}</div>`;
  }
  const words = `<b>${escaped(panel.title)}</b><small>${escaped(panel.about)}</small>`;
  return `<div class="panel" style="${place}">${words}${content({ panel, results }, plots)}</div>`;
}

function content({ panel, results }: DrawnPanel, plots: object[]): string {
  const error = results.find((result) => typeof result === 'string');
  if (error !== undefined) return `<span class="bad">${escaped(error)}</span>`;
  const found = results as readonly (readonly SeriesResult[])[];
  if (found.every((result) => pointsOf(result) === 0))
    return '<span class="number">none yet</span>';
  if (panel.kind === 'stat') return numbers(panel, found);
  if (panel.kind === 'bargauge') return bars(panel, found);
  plots.push(plotOf(panel, found));
  return `<div class="plot" id="plot-${plots.length - 1}"></div>`;
}

const lastOf = ({ points }: SeriesResult): number => points.at(-1)?.[1] ?? Number.NaN;

function colorOf(steps: readonly Step[], value: number): string {
  const step = steps.findLast(({ value: from }) => from === null || value >= from);
  return colors[step?.color ?? ''] ?? '#24292e';
}

function numbers({ unit, decimals, steps }: Panel, results: readonly (readonly SeriesResult[])[]) {
  return results
    .flat()
    .map((series) => {
      const value = lastOf(series);
      return `<span class="number" style="color: ${colorOf(steps, value)}">${formatted(value, unit, decimals)}</span>`;
    })
    .join(' ');
}

function bars({ unit, steps, queries }: Panel, results: readonly (readonly SeriesResult[])[]) {
  const rows = results.flatMap((result, i) =>
    result.map((series) => ({
      name: legendOf(queries[i]!.legend, series.labels),
      value: lastOf(series),
    })),
  );
  const most = Math.max(...rows.map(({ value }) => value), Number.MIN_VALUE);
  return rows
    .map(({ name, value }) => {
      const width = Math.round((100 * value) / most);
      const fill = `width: ${width}%; background: ${colorOf(steps, value)}`;
      return `<div class="bar"><span>${escaped(name)}</span><i style="${fill}"></i><span>${formatted(value, unit)}</span></div>`;
    })
    .join('');
}

/** Lines of all queries on one axis of time. */
function plotOf(panel: Panel, results: readonly (readonly SeriesResult[])[]): object {
  const { unit, isStacked, steps, queries, max } = panel;
  const all = results.flatMap((result, i) =>
    result.map((series) => ({
      label: legendOf(queries[i]!.legend, series.labels),
      values: new Map(series.points),
    })),
  );
  const times = [...new Set(all.flatMap(({ values }) => [...values.keys()]))].toSorted(
    (a, b) => a - b,
  );
  const lines = all.map(({ label, values }) => ({
    label,
    values: times.map((time) => {
      const value = values.get(time);
      return value === undefined || !Number.isFinite(value) ? null : value;
    }),
  }));
  const level = steps.findLast(({ color }) => color === 'red')?.value ?? null;
  const scale = scaleOf(
    unit,
    lines.flatMap(({ values }) => values),
  );
  return {
    isStacked,
    lines,
    level,
    max: max ?? null,
    ...scale,
    times: times.map((t) => t - times[0]!),
  };
}

/** The largest value decides in which unit the axis is. */
function scaleOf(unit: string, values: readonly (number | null)[]) {
  const most = Math.max(...values.map((value) => value ?? 0));
  if (unit === 's') {
    if (most < 1e-3) return { factor: 1e6, suffix: ' µs' };
    return most < 1 ? { factor: 1e3, suffix: ' ms' } : { factor: 1, suffix: ' s' };
  }
  if (unit === 'percentunit') return { factor: 100, suffix: '%' };
  if (unit === 'bytes') return { factor: 2 ** -20, suffix: ' MiB' };
  if (unit === 'Bps') return { factor: 1e-3, suffix: ' kB/s' };
  return { factor: 1, suffix: unit === 'cps' ? ' c/s' : '' };
}
