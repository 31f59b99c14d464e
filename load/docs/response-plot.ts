import { writeFile } from 'node:fs/promises';
import { argv, stdout } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { passBandEdge, stopBandEdge } from '../../src/codec/filters.js';
import {
  aliasOf,
  amplitude,
  decibels,
  fitSine,
  type RatePair,
  SineBench,
  without,
} from './measure.js';

/**
 * Draws the resampler's response as SVG: sines of -1 dBFS through the kernel, 25 Hz apart. Upwards, a
 * sine is read where it belongs and where its image lies; downwards, where it belongs or where its
 * alias lands. Both make one curve, as the filter has one response. Same bytes on every run.
 */

export const plots: readonly (RatePair & { readonly file: string })[] = [
  { file: 'resampler-8-16.svg', sourceRate: 8_000, targetRate: 16_000 },
  { file: 'resampler-24-8.svg', sourceRate: 24_000, targetRate: 8_000 },
];

const stepHz = 25;
/** Pass band and stop band limits. */
const rippleLimitDb = 0.1;
const stopBandLimitDb = -80;
/** A sine as small as the smallest int16 step: below, rounding has its say. */
const stepDb = decibels(1 / amplitude);

interface Point {
  readonly hz: number;
  readonly db: number;
}

/** Half a step off, so that none meets its own image or alias; and the edge, which no step meets. */
function frequencies({ sourceRate, targetRate }: RatePair): number[] {
  const count = sourceRate / 2 / stepHz;
  const isUp = targetRate > sourceRate;
  const edge = (isUp ? passBandEdge : stopBandEdge) * Math.min(sourceRate, targetRate);
  return [...Array.from({ length: count }, (_, i) => (i + 0.5) * stepHz), edge];
}

/** Gain of what is wanted and of what is not, by its own frequency. */
function measuredResponse(pair: RatePair): Point[] {
  const bench = new SineBench();
  const { sourceRate, targetRate } = pair;
  const points: Point[] = [];
  for (const hz of frequencies(pair)) {
    const output = bench.settled(hz, pair);
    const landed = aliasOf(hz, targetRate);
    points.push({ hz, db: decibels(fitSine(output, landed, targetRate).amplitude / amplitude) });
    if (targetRate < sourceRate) continue;
    const image = sourceRate - hz;
    const rest = without(output, hz, targetRate);
    points.push({
      hz: image,
      db: decibels(fitSine(rest, image, targetRate).amplitude / amplitude),
    });
  }
  return points.toSorted((a, b) => a.hz - b.hz);
}

interface Panel {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly hzMax: number;
  readonly dbMax: number;
  readonly dbMin: number;
}

const width = 760;
const height = 480;
const upper = { left: 64, top: 58, width: 672, height: 220, dbMax: 10, dbMin: -120 };
const lower = { left: 64, top: 348, width: 672, height: 84, dbMax: 0.2, dbMin: -0.2 };

const number = (value: number): string => String(Math.round(value * 10) / 10);
const x = (panel: Panel, hz: number): string =>
  number(panel.left + (hz / panel.hzMax) * panel.width);
const y = (panel: Panel, db: number): string =>
  number(panel.top + ((panel.dbMax - db) / (panel.dbMax - panel.dbMin)) * panel.height);
const kilohertz = (hz: number): string => String(hz / 1_000);
/** With a true minus sign. */
const signed = (value: number): string => String(value).replace('-', '−');

/** The picture for one pair. */
export function responsePlot(pair: RatePair): string {
  const { sourceRate, targetRate } = pair;
  const points = measuredResponse(pair);
  const lowerRate = Math.min(sourceRate, targetRate);
  const passHz = passBandEdge * lowerRate;
  const stopHz = stopBandEdge * lowerRate;
  const unwanted = targetRate > sourceRate ? 'images' : 'aliases';
  const whole: Panel = { ...upper, hzMax: Math.max(sourceRate, targetRate) / 2 };
  const close: Panel = { ...lower, hzMax: lowerRate / 2 };
  const ripple = Math.max(...points.filter(({ hz }) => hz <= passHz).map(({ db }) => Math.abs(db)));
  const worst = Math.max(...points.filter(({ hz }) => hz >= stopHz).map(({ db }) => db));
  const title = `Resampler, ${kilohertz(sourceRate)} to ${kilohertz(targetRate)} kHz: gain over frequency`;
  const found = `measured: pass band within ±${ripple.toFixed(4)} dB, ${unwanted} at most ${signed(Number(worst.toFixed(1)))} dB`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title found">`,
    `<title id="title">${title}</title>`,
    `<desc id="found">${found}</desc>`,
    style,
    `<rect class="page" width="${width}" height="${height}"/>`,
    `<text class="title" x="${upper.left}" y="24">${title}</text>`,
    text(upper.left, 43, found),
    ...wholeBand(whole, points, { stopHz, lowerRate, unwanted }),
    ...passBand(close, points, passHz),
    '</svg>',
    '',
  ].join('\n');
}

// A page of its own colour: a viewer may be dark where the document around the picture is light.
const style = `<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.limit-text { fill: #a40e26; }
.page { fill: #ffffff; }
.grid { stroke: #d8dee4; fill: none; }
.frame { stroke: #8c959f; fill: none; }
.half { stroke: #57606a; stroke-dasharray: 4 4; fill: none; }
.limit { fill: #cf222e; fill-opacity: 0.12; }
.edge { stroke: #cf222e; stroke-width: 1.5; fill: none; }
.curve { stroke: #0550ae; stroke-width: 1.4; fill: none; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.limit-text { fill: #ff9a92; }
.page { fill: #0d1117; }
.grid { stroke: #262c36; }
.frame { stroke: #6e7681; }
.half { stroke: #9198a1; }
.limit { fill: #f85149; fill-opacity: 0.2; }
.edge { stroke: #f85149; }
.curve { stroke: #79c0ff; }
}
</style>`;

function wholeBand(
  panel: Panel,
  points: readonly Point[],
  band: { readonly stopHz: number; readonly lowerRate: number; readonly unwanted: string },
): string[] {
  const { stopHz, lowerRate, unwanted } = band;
  const half = x(panel, lowerRate / 2);
  const bottom = panel.top + panel.height;
  return [
    forbidden(panel, [stopHz, panel.hzMax], [panel.dbMax, stopBandLimitDb]),
    ...grid(panel, [0, -20, -40, -60, -80, -100, -120], 1_000),
    `<path class="edge" d="M${x(panel, stopHz)} ${panel.top}V${y(panel, stopBandLimitDb)}H${x(panel, panel.hzMax)}"/>`,
    `<path class="half" d="M${half} ${panel.top}V${bottom}"/>`,
    curve(panel, points),
    `<path class="half" d="M${panel.left} ${y(panel, stepDb)}H${panel.left + panel.width}"/>`,
    text(panel.left + 8, Number(y(panel, stepDb)) + 16, 'one step of 16 bits'),
    limitText(
      (Number(x(panel, stopHz)) + panel.left + panel.width) / 2,
      Number(y(panel, stopBandLimitDb)) - 8,
      `limit: ${signed(stopBandLimitDb)} dB from ${kilohertz(stopHz)} kHz on`,
    ),
    text(
      panel.left + panel.width / 2,
      bottom + 34,
      `frequency, kHz; ${unwanted} lie above ${kilohertz(lowerRate / 2)}`,
      'middle',
    ),
  ];
}

function passBand(panel: Panel, points: readonly Point[], passHz: number): string[] {
  return [
    forbidden(panel, [0, passHz], [panel.dbMax, rippleLimitDb]),
    forbidden(panel, [0, passHz], [-rippleLimitDb, panel.dbMin]),
    ...grid(panel, [0.2, 0.1, 0, -0.1, -0.2], 500),
    ...[1, -1].map((sign) => {
      const end = y(panel, sign > 0 ? panel.dbMax : panel.dbMin);
      return `<path class="edge" d="M${panel.left} ${y(panel, sign * rippleLimitDb)}H${x(panel, passHz)}V${end}"/>`;
    }),
    curve(
      panel,
      points.filter(({ db }) => db > 2 * panel.dbMin),
    ),
    text(panel.left, panel.top - 8, 'pass band'),
    limitText(
      Number(x(panel, passHz / 2)),
      Number(y(panel, rippleLimitDb)) - 6,
      `limit: ±${rippleLimitDb} dB up to ${kilohertz(passHz)} kHz`,
    ),
    text(panel.left + panel.width / 2, panel.top + panel.height + 34, 'frequency, kHz', 'middle'),
  ];
}

function forbidden(
  panel: Panel,
  [fromHz, toHz]: readonly [number, number],
  [topDb, bottomDb]: readonly [number, number],
): string {
  const [left, right] = [x(panel, fromHz), x(panel, toHz)].map(Number) as [number, number];
  const [top, bottom] = [y(panel, topDb), y(panel, bottomDb)].map(Number) as [number, number];
  return `<rect class="limit" x="${left}" y="${top}" width="${number(right - left)}" height="${number(bottom - top)}"/>`;
}

function grid(panel: Panel, levelsDb: readonly number[], stepHz: number): string[] {
  const right = panel.left + panel.width;
  const bottom = panel.top + panel.height;
  const marksHz = Array.from({ length: panel.hzMax / stepHz + 1 }, (_, i) => i * stepHz);
  const across = levelsDb.map((db) => `M${panel.left} ${y(panel, db)}H${right}`);
  const upright = marksHz.map((hz) => `M${x(panel, hz)} ${panel.top}V${bottom}`);
  return [
    `<path class="grid" d="${[...across, ...upright].join('')}"/>`,
    `<rect class="frame" x="${panel.left}" y="${panel.top}" width="${panel.width}" height="${panel.height}"/>`,
    ...levelsDb.map((db) =>
      text(
        panel.left - 8,
        Number(y(panel, db)) + 4,
        `${signed(db)}${db === 0 ? ' dB' : ''}`,
        'end',
      ),
    ),
    ...marksHz.map((hz) => text(Number(x(panel, hz)), bottom + 17, kilohertz(hz), 'middle')),
  ];
}

/** Cut off at the panel's edges. */
function curve(panel: Panel, points: readonly Point[]): string {
  const id = `panel-${panel.top}`;
  const path = points.map(({ hz, db }, i) => {
    // Far below the panel a few pixels more make no difference, and nothing at all has no logarithm.
    const finite = Math.max(db, 2 * panel.dbMin);
    return `${i === 0 ? 'M' : 'L'}${x(panel, hz)} ${y(panel, finite)}`;
  });
  return [
    `<clipPath id="${id}"><rect x="${panel.left}" y="${panel.top}" width="${panel.width}" height="${panel.height}"/></clipPath>`,
    `<path class="curve" clip-path="url(#${id})" d="${path.join('')}"/>`,
  ].join('\n');
}

type Anchor = 'start' | 'middle' | 'end';

function text(left: number, base: number, content: string, anchor: Anchor = 'start'): string {
  return `<text x="${number(left)}" y="${number(base)}" text-anchor="${anchor}">${content}</text>`;
}

function limitText(left: number, base: number, content: string): string {
  return `<text class="limit-text" x="${number(left)}" y="${number(base)}" text-anchor="middle">${content}</text>`;
}

/** Writes the pictures into `docs/`. */
export async function main(): Promise<void> {
  for (const { file, ...pair } of plots) {
    const path = fileURLToPath(new URL(`../../../docs/${file}`, import.meta.url));
    await writeFile(path, responsePlot(pair));
    stdout.write(`${path}\n`);
  }
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) await main();
