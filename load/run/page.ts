import { escaped, scriptData, uPlot } from '../html.js';
import { pageScript } from './page-script.js';
import { isGood, type LoadReport, type StageReport } from './report.js';
import { loadSummary } from './summary.js';

const style = `
:root { color-scheme: light dark; --ink: #24292f; --paper: #fff; --line: #d8dee4; --bad: #cf222e; --good: #1a7f37; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #c9d1d9; --paper: #0d1117; --line: #30363d; --bad: #f85149; --good: #3fb950; }
}
body { margin: 0 auto; max-width: 1240px; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; } .void { border: 2px solid var(--bad); color: var(--bad); padding: .6rem .9rem; font-weight: 600; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .3rem .6rem; text-align: right; }
th:first-child, td:first-child { text-align: left; } tr { border-bottom: 1px solid var(--line); }
.bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(480px, 1fr)); gap: 1.2rem; }
figure { margin: 0; min-width: 0; } .u-title { font-size: 1rem !important; font-weight: 600; }
.wide { overflow-x: auto; } pre { overflow-x: auto; font-size: 13px; }
`;

/** One page that holds everything it needs: style, uPlot, the figures. */
export async function loadPage(report: LoadReport): Promise<string> {
  const { script, css } = await uPlot();
  const { machine } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load: ${escaped(report.profile)}</title>
<style>${css}</style>
<style>${style}</style>
</head>
<body>
<h1>Load of ${escaped(report.target)}</h1>
<p>${escaped(report.profile)} · ${escaped(report.startedAt)} · ${escaped(machine.cpu)}, ${machine.cores} cores,
Node ${escaped(machine.node)} · plivo-gateway ${escaped(report.version)}</p>
${voidBanner(report)}
<h2>Result</h2>
<div class="wide">${stageTable(report.stages)}</div>
${objectives(report.stages)}
<div class="plots" id="steps"></div>
<h2>Over time</h2>
<div class="plots" id="time"></div>
<h2>Summary</h2>
<pre>${escaped(loadSummary(report, (text) => text))}</pre>
<script>${script}</script>
<script>const report = ${scriptData(report)};${pageScript}</script>
</body>
</html>
`;
}

function voidBanner({ stages }: LoadReport): string {
  const lines = stages.flatMap(({ name, void: because }) =>
    because.map((why) => `${escaped(name)}: ${escaped(why)}`),
  );
  if (lines.length === 0) return '';
  return `<p class="void">VOID. The generator was the limit, not the server.<br>${lines.join('<br>')}</p>`;
}

type Cell = (stage: StageReport) => string;
const ms = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
const count = (value: number): string => value.toLocaleString('en-US');

const columns: readonly (readonly [head: string, cell: Cell])[] = [
  ['', ({ name }) => escaped(name)],
  ['connected', ({ counters }) => count(counters.connected)],
  ['failed', ({ counters }) => marked(counters.failed)],
  ['ended wrongly', ({ unexpected }) => marked(unexpected)],
  ['packets sent', ({ counters }) => count(counters.sent)],
  ['lost', ({ counters }) => marked(counters.lost)],
  ['late', ({ counters }) => marked(counters.late)],
  ['gaps', ({ counters }) => count(counters.gaps)],
  ['turnaround p50', ({ distributions }) => ms(distributions.turnaround.p50)],
  ['p99', ({ distributions }) => ms(distributions.turnaround.p99)],
  ['p99.9', ({ distributions }) => ms(distributions.turnaround.p999)],
  ['max ms', ({ distributions }) => ms(distributions.turnaround.max)],
  ['server µs/packet', ({ serverUsPerPacket }) => serverUsPerPacket?.toFixed(1) ?? '–'],
  ['generator', ({ generator }) => `${(generator.busiestCores * 100).toFixed(0)} %`],
  ['verdict', (stage) => verdict(stage)],
];

function marked(value: number): string {
  return value === 0 ? '0' : `<span class="bad">${count(value)}</span>`;
}

function verdict(stage: StageReport): string {
  if (stage.void.length > 0) return '<span class="bad">void</span>';
  const { thresholds, counters, unexpected } = stage;
  const hasTrouble = counters.failed + counters.lost + unexpected > 0;
  if (!isGood(stage) || (thresholds.length === 0 && hasTrouble)) {
    return '<span class="bad">broken</span>';
  }
  return thresholds.length === 0 ? 'no objectives' : '<span class="good">good</span>';
}

function stageTable(stages: readonly StageReport[]): string {
  const head = columns.map(([name]) => `<th>${name}</th>`).join('');
  const rows = stages.map((stage) => {
    return `<tr>${columns.map(([, cell]) => `<td>${cell(stage)}</td>`).join('')}</tr>`;
  });
  return `<table><tr>${head}</tr>${rows.join('')}</table>`;
}

function objectives(stages: readonly StageReport[]): string {
  const rows = stages.flatMap(({ name, thresholds }) =>
    thresholds.map(({ text, value, holds }) => {
      const mark = holds ? '<span class="good">holds</span>' : '<span class="bad">fails</span>';
      const measured = value === null ? 'nothing' : String(Number(value.toFixed(3)));
      return `<tr><td>${escaped(name)}</td><td>${escaped(text)}</td><td>${measured}</td><td>${mark}</td></tr>`;
    }),
  );
  if (rows.length === 0) return '';
  return `<h2>Objectives</h2><table><tr><th></th><th>objective</th><th>measured</th><th></th></tr>${rows.join('')}</table>`;
}
