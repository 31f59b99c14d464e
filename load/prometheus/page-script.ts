/** What the page does in the browser: draws the lines. Plain JavaScript as text; `plots` and `uPlot` are there. */
export const pageScript = `
const palette = ['#7eb26d', '#eab839', '#6ed0e0', '#ef843c', '#e24d42', '#1f78c1', '#ba43a9', '#705da0', '#508642', '#cca300',
  '#447ebc', '#c15c17'];
const short = (value) => String(Number(value.toPrecision(3)));

/** Each line upon those before it; the last first, so that it hides no other. */
function stacked(lines) {
  const sums = lines[0].values.map(() => 0);
  return lines.map(({ label, values }) => ({
    label,
    values: values.map((value, i) => (value === null ? null : (sums[i] += value))),
  })).reverse();
}

for (const [index, plot] of plots.entries()) {
  const box = document.getElementById('plot-' + index);
  const { times, factor, suffix, level, max, isStacked } = plot;
  const drawn = isStacked ? stacked(plot.lines) : plot.lines;
  const scaled = drawn.map(({ values }) => values.map((value) => (value === null ? null : value * factor)));
  const levels = level === null ? [] : [times.map(() => level * factor)];
  const series = drawn.map(({ label }, i) => ({
    label,
    stroke: palette[i % palette.length],
    width: 1.5,
    ...(isStacked && { fill: palette[i % palette.length] + 'cc' }),
    points: { show: false },
  }));
  const line = { label: 'threshold', stroke: '#cf222e', width: 1, dash: [6, 4], points: { show: false } };
  const top = Math.max(...scaled.flat().map((value) => value ?? 0));
  new uPlot({
    width: box.clientWidth,
    height: Math.max(90, box.clientHeight - 18 * Math.ceil(series.length / 5)),
    scales: { x: { time: false }, y: { range: () => [0, max === null ? (top || 1) * 1.1 : max * factor] } },
    axes: [
      { size: 30, font: '10px system-ui', values: (u, ticks) => ticks.map((tick) => tick + ' s') },
      { size: 58, font: '10px system-ui', values: (u, ticks) => ticks.map((tick) => short(tick) + suffix) },
    ],
    cursor: { show: false },
    legend: { live: false },
    series: [{}, ...series, ...levels.map(() => line)],
  }, [times, ...scaled, ...levels], box);
}
`;
