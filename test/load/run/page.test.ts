import { describe, expect, it } from 'vitest';
import { newCounters } from '../../../load/generator/meter.js';
import { LiveTable, secondLine } from '../../../load/run/live.js';
import { loadPage } from '../../../load/run/page.js';
import type { LoadReport, Second, StageReport } from '../../../load/run/report.js';
import { loadSummary } from '../../../load/run/summary.js';

const none = { count: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
const times = { count: 9, p50: 1.5, p90: 2, p99: 12.25, p999: 20, max: 31 };

const second: Second = {
  atMs: 3_004,
  stage: 0,
  live: 1_500,
  connecting: 2,
  counters: { ...newCounters(), sent: 75_000, received: 74_990, connected: 3, late: 4 },
  turnaround: times,
  response: none,
  lag: times,
  hangUps: 7,
  generatorCores: 0.5,
  loadCores: 0.6,
  serverCores: 1.25,
  serverBytes: 2 ** 27,
};

const stage: StageReport = {
  name: '1500 calls',
  calls: 1_500,
  counters: { ...newCounters(), dialled: 1_500, connected: 1_498, failed: 2, lost: 3 },
  unexpected: 2,
  distributions: { turnaround: times, response: none, connect: times, barge: none, lag: times },
  scenarios: {
    conversation: { calls: 1_500, sent: 9, lost: 3, unexpected: 2, ends: { completed: 1 } },
  },
  troubles: { 'connect failed: <script>alert(1)</script>': 2 },
  thresholds: [{ text: 'lost==0', value: 3, holds: false }],
  generator: { busiestCores: 0.9, cores: 0.9 },
  serverUsPerPacket: 12.34,
  void: ['a generator thread used 90 % of a core (85 % at most)'],
};

const report: LoadReport = {
  version: '1.2.3',
  target: 'ws://127.0.0.1:8080/stream?</script><b>',
  profile: 'steps: 1500 calls',
  startedAt: '2026-01-01T00:00:00.000Z',
  seconds: [second],
  stages: [stage],
  violations: [{ name: 'not-json', detail: 'a message is not JSON', count: 4 }],
  lastWords: '',
  hangUps: 7,
  isInterrupted: true,
  lastGood: 0,
  machine: { cpu: 'Test CPU', cores: 2, node: 'v20.0.0' },
};

describe('the page of a run', () => {
  it('holds everything it needs, and lets nothing out of its figures', async () => {
    const page = await loadPage(report);
    expect(page).toMatch(/<script>[^<]*var uPlot=/);
    expect(page).toContain('.uplot');
    expect(page.match(/<script>/g)).toHaveLength(2);
    expect(page.match(/<\/script>/g)).toHaveLength(2);
    expect(page).not.toMatch(/(src|href)=/);
    expect(page).toContain('&lt;script&gt;alert(1)');
    const data = /const report = (.*?);\n/.exec(page)?.[1] ?? '';
    expect(JSON.parse(data)).toEqual(report);
  });

  it('says in red that a run is void', async () => {
    expect(await loadPage(report)).toMatch(
      /<p class="void">VOID\..*1500 calls: a generator thread/s,
    );
    const sound = { ...report, stages: [{ ...stage, void: [] }] };
    expect(await loadPage(sound)).not.toContain('class="void"');
  });
});

describe('the summary of a run', () => {
  const text = loadSummary(report, (words) => `[red]${words}[/red]`);

  it('says what was measured and what failed', () => {
    expect(text).toMatch(/1,500 begun, 1,498 streams connected, 2 failed, 2 ended otherwise/);
    expect(text).toMatch(/turnaround \(deadline to its audio back\) +1.5 +2.0 +12.3 +20.0 +31.0/);
    expect(text).toMatch(/server 12.3 µs per packet/);
    expect(text).toMatch(/not-json \(4\): a message is not JSON/);
    expect(text).toMatch(/not even the first step was good; 1500 broke: lost==0; a generator/);
    expect(text).toMatch(/ended early/);
    expect(text).not.toContain('response');
  });

  it('says in red what is void and what failed', () => {
    expect(text).toMatch(/\[red\] {2}VOID: a generator thread used 90 %/);
    expect(text).toMatch(/\[red\] {2}FAILS +lost==0 \(3\)/);
  });
});

describe('the table of a run that goes on', () => {
  it('is one line a second on a terminal, written over', () => {
    let out = '';
    const table = new LiveTable({ isTTY: true, write: (text: string) => (out += text) });
    table.second(second, '1500 calls');
    expect(out).toContain('p99.9');
    const lines = out.split('\n').length;
    out = '';
    table.second(second, '1500 calls');
    expect(out.startsWith(`\x1b[${lines - 1}A`)).toBe(true);
  });

  it('is a plain line every five seconds elsewhere', () => {
    let out = '';
    const table = new LiveTable({ write: (text: string) => (out += text) });
    for (let i = 0; i < 12; i += 1) table.second(second, '1500 calls');
    expect(out.trimEnd().split('\n')).toHaveLength(4);
    expect(out).not.toContain('\x1b');
    expect(secondLine(second).trim().split(/\s+/)).toEqual([
      ...['3', 's', '1,500', '3', '0', '75,000', '74,990', '1.5', '12.3', '20.0', '31.0'],
      ...['0', '4', '0', '7', '1.25', '0.50', '12.3'],
    ]);
  });
});
