import { counterNames } from '../generator/messages.js';
import { newCounters } from '../generator/meter.js';
import type { Second, StageReport } from './report.js';

interface Column {
  readonly head: string;
  readonly width: number;
  value(second: Second): string;
}

const number = (value: number): string => value.toLocaleString('en-US');
const ms = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
const cores = (value: number | null): string => (value === null ? '-' : value.toFixed(2));

/** What one line of the table says of one second. */
const columns: readonly Column[] = [
  { head: 'time', width: 7, value: ({ atMs }) => `${(atMs / 1_000).toFixed(0)} s` },
  { head: 'calls', width: 7, value: ({ live }) => number(live) },
  { head: 'conn/s', width: 7, value: ({ counters }) => number(counters.connected) },
  { head: 'failed', width: 7, value: ({ counters }) => number(counters.failed) },
  { head: 'media in/s', width: 11, value: ({ counters }) => number(counters.sent) },
  { head: 'out/s', width: 9, value: ({ counters }) => number(counters.received) },
  { head: 'p50 ms', width: 8, value: ({ turnaround }) => ms(turnaround.p50) },
  { head: 'p99', width: 7, value: ({ turnaround }) => ms(turnaround.p99) },
  { head: 'p99.9', width: 7, value: ({ turnaround }) => ms(turnaround.p999) },
  { head: 'max', width: 7, value: ({ turnaround }) => ms(turnaround.max) },
  { head: 'lost', width: 6, value: ({ counters }) => number(counters.lost) },
  { head: 'late', width: 7, value: ({ counters }) => number(counters.late) },
  { head: 'gaps', width: 6, value: ({ counters }) => number(counters.gaps) },
  { head: 'hangups', width: 8, value: ({ hangUps }) => number(hangUps) },
  { head: 'server', width: 7, value: ({ serverCores }) => cores(serverCores) },
  { head: 'gen', width: 6, value: ({ generatorCores }) => cores(generatorCores) },
  { head: 'lag p99', width: 8, value: ({ lag }) => ms(lag.p99) },
];

const head = columns.map(({ head: name, width }) => name.padStart(width)).join('');
const linesShown = 15;

export function secondLine(second: Second): string {
  return columns.map(({ value, width }) => value(second).padStart(width)).join('');
}

/** Where the run is shown while it goes on. */
export interface LiveStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** One table that is written over on a terminal; a line every so often elsewhere. */
export class LiveTable {
  readonly #to: LiveStream;
  readonly #isTerminal: boolean;
  #shown: string[] = [];
  #drawn = 0;
  #count = 0;
  /** Of the seconds since the last line. */
  #since = newCounters();

  constructor(to: LiveStream) {
    this.#to = to;
    this.#isTerminal = to.isTTY === true;
  }

  second(second: Second, stage: string): void {
    this.#count += 1;
    if (!this.#isTerminal) {
      if (this.#count === 1) this.#to.write(`${head}\n`);
      for (const name of counterNames) this.#since[name] += second.counters[name];
      if (this.#count === 1 || this.#count % 5 === 0) this.#line(second);
      return;
    }
    this.#shown = [...this.#shown, secondLine(second)].slice(-linesShown);
    this.#draw([stage, head, ...this.#shown]);
  }

  /** Rates are of the last second; what went wrong is counted since the last line. */
  #line(second: Second): void {
    const { failed, lost, late, gaps } = this.#since;
    this.#since = newCounters();
    const counters = { ...second.counters, failed, lost, late, gaps };
    this.#to.write(`${secondLine({ ...second, counters })}\n`);
  }

  stage({ name, counters, distributions, void: voidBecause }: StageReport): void {
    const p99 = ms(distributions.turnaround.p99);
    const line = `${name}: turnaround p99 ${p99} ms, ${counters.lost} lost, ${counters.failed} failed`;
    const mark = voidBecause.length > 0 ? ' (VOID)' : '';
    this.#to.write(`${line}${mark}\n`);
    this.#shown = [];
    this.#drawn = 0;
  }

  #draw(lines: readonly string[]): void {
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A`;
    // A line that wraps would be two when the cursor goes up.
    const widthMax = this.#to.columns ?? Number.POSITIVE_INFINITY;
    this.#to.write(`${up}${lines.map((line) => `\x1b[2K${line.slice(0, widthMax)}\n`).join('')}`);
    this.#drawn = lines.length;
  }
}
