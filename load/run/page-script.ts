/**
 * What the report's page does in the browser: draws the plots. Plain JavaScript as text, for it is sent and not run here;
 * `report` and `uPlot` are there when it runs.
 */
export const pageScript = `
const seconds = report.seconds;
const at = seconds.map((second) => second.atMs / 1000);
const dark = matchMedia('(prefers-color-scheme: dark)').matches;
const ink = dark ? '#c9d1d9' : '#24292f';
const grid = dark ? '#30363d' : '#d8dee4';
const palette = dark
  ? ['#58a6ff', '#3fb950', '#d29922', '#f85149', '#bc8cff']
  : ['#0969da', '#1a7f37', '#9a6700', '#cf222e', '#8250df'];

/** Where one stage ends and the next begins. */
const borders = seconds.flatMap((second, i) =>
  i > 0 && second.stage !== seconds[i - 1].stage ? [at[i]] : [],
);
const drawBorders = (plot) => {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = ink;
  ctx.setLineDash([4, 4]);
  for (const border of borders) {
    const x = plot.valToPos(border, 'x', true);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
};

const short = (value) =>
  value === null || value === undefined ? '–'
  : Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US')
  : String(Number(value.toPrecision(3)));

function draw(place, title, unit, x, xUnit, lines, isLog) {
  const box = document.createElement('figure');
  document.getElementById(place).append(box);
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
  const options = {
    title,
    width: box.clientWidth,
    height: 260,
    scales: { x: { time: false }, y: isLog ? { distr: 3 } : { range: (u, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, label: xUnit, labelSize: 18, size: 36 },
      { ...axis, label: unit, labelSize: 18, size: 64, values: (u, ticks) => ticks.map((tick) => (tick === null ? '' : short(tick))) },
    ],
    series: [
      { label: xUnit, value: (u, value) => short(value) },
      ...lines.map(([label], i) => ({
        label,
        stroke: palette[i % palette.length],
        width: 2,
        points: { show: x.length < 20 },
        value: (u, value) => short(value),
      })),
    ],
    hooks: { drawAxes: place === 'time' ? [drawBorders] : [] },
  };
  const data = [x, ...lines.map(([, values]) => values)];
  const plot = new uPlot(options, data, box);
  addEventListener('resize', () => plot.setSize({ width: box.clientWidth, height: 260 }));
}

const of = (pick) => seconds.map(pick);
/** Of seconds without a packet there is nothing to draw. */
const timed = (name, place) => of((second) => (second[name].count > 0 ? Math.max(0.02, second[name][place]) : null));
const overTime = (title, unit, lines, isLog = false) => {
  const isThere = lines.some(([, values]) => values.some((value) => value !== null));
  if (isThere) draw('time', title, unit, at, 'seconds', lines, isLog);
};

overTime('Calls', 'calls', [
  ['live', of((second) => second.live)],
  ['connecting', of((second) => second.connecting)],
]);
overTime('Turnaround: send deadline of a packet to its audio back', 'ms', [
  ['p50', timed('turnaround', 'p50')],
  ['p99', timed('turnaround', 'p99')],
  ['p99.9', timed('turnaround', 'p999')],
  ['max', timed('turnaround', 'max')],
], true);
overTime('Response: end of a turn to the first sound', 'ms', [
  ['p50', timed('response', 'p50')],
  ['p99', timed('response', 'p99')],
], true);
overTime('Media', 'packets per second', [
  ['to the server', of((second) => second.counters.sent)],
  ['from the server', of((second) => second.counters.received)],
]);
overTime('What callers miss', 'per second', [
  ['lost', of((second) => second.counters.lost)],
  ['later than 100 ms', of((second) => second.counters.late)],
  ['gaps heard', of((second) => second.counters.gaps)],
]);
overTime('Connects', 'per second', [
  ['connected', of((second) => second.counters.connected)],
  ['failed', of((second) => second.counters.failed)],
]);
overTime('CPU of both sides', 'cores', [
  ['server', of((second) => second.serverCores)],
  ['busiest generator thread', of((second) => second.generatorCores)],
  ['the whole load process', of((second) => second.loadCores)],
]);
overTime('How late the generator sent', 'ms', [
  ['p50', timed('lag', 'p50')],
  ['p99', timed('lag', 'p99')],
  ['max', timed('lag', 'max')],
], true);
overTime('Memory of the server', 'MB resident', [
  ['server', of((second) => (second.serverBytes === null ? null : second.serverBytes / 2 ** 20))],
]);

if (report.stages.length > 1) {
  const calls = report.stages.map((stage) => stage.calls);
  const by = (pick) => report.stages.map(pick);
  const overSteps = (title, unit, lines) => draw('steps', title, unit, calls, 'calls', lines, false);
  overSteps('Turnaround by step', 'ms', [
    ['p50', by((stage) => stage.distributions.turnaround.p50)],
    ['p99', by((stage) => stage.distributions.turnaround.p99)],
  ]);
  if (report.stages.some((stage) => stage.serverUsPerPacket !== null)) {
    overSteps('CPU of the server by step', 'µs per packet', [
      ['server', by((stage) => stage.serverUsPerPacket)],
    ]);
  }
}
`;
