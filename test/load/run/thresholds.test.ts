import { describe, expect, it } from 'vitest';
import type { GeneratorInterval } from '../../../load/generator/messages.js';
import { Meter } from '../../../load/generator/meter.js';
import { stageReport } from '../../../load/run/report.js';
import { Tally } from '../../../load/run/tally.js';
import { judge, parseThreshold } from '../../../load/run/thresholds.js';

/** 100 turnarounds of 1 to 100 ms, and counts. */
function interval(lagMs = 1): GeneratorInterval {
  const meter = new Meter();
  for (let ms = 1; ms <= 100; ms += 1) meter.turnaround.record(ms);
  for (let i = 0; i < 100; i += 1) meter.lag.record(lagMs);
  Object.assign(meter.counters, { sent: 1_000, lost: 5, dialled: 50, failed: 2, connected: 48 });
  return meter.take(performance.now(), 10, 0);
}

function tally(more: Partial<GeneratorInterval> = {}, lagMs = 1): Tally {
  const sum = new Tally();
  sum.add(0, { ...interval(lagMs), cpuMs: 100, wallMs: 1_000, ...more }, true, true);
  return sum;
}

const holds = (text: string): boolean => judge(parseThreshold(text), tally()).holds;

describe('a threshold', () => {
  it.each([
    ['turnaround_p50<51ms', true],
    ['turnaround_p99<99ms', false],
    ['turnaround_p99 <= 0.1s', true],
    ['turnaround_p99.9>99ms', true],
    ['turnaround_max<100ms', false],
    ['lost==5', true],
    ['lost<0.5%', false],
    ['lost<=0.5%', true],
    ['failed<5%', true],
    ['failed==0', false],
  ])('%s holds: %s', (text, expected) => {
    expect(holds(text)).toBe(expected);
  });

  it('shows what was measured, not less than it was', () => {
    const { value } = judge(parseThreshold('turnaround_p99<20ms'), tally());
    expect(value).toBeGreaterThanOrEqual(99);
    expect(value).toBeLessThan(99.2);
  });

  it.each([
    ['fast', /is no threshold such as/],
    ['speed<5', /names the unknown metric speed; metrics are turnaround/],
    ['turnaround<5ms', /does not say which of turnaround, e.g. turnaround_p99/],
    ['turnaround_p99<5', /needs ms or s/],
    ['lost_p99<5', /asks a count for its p99/],
    ['lost<5ms', /compares a count with a time/],
  ])('is refused with why: %s', (text, why) => {
    expect(() => parseThreshold(text)).toThrow(why);
  });
});

describe('a report', () => {
  const report = (sum: Tally) => stageReport('10 calls', 10, sum, [], null);

  it('is void if a generator thread used too much of a core, or sent late', () => {
    expect(report(tally()).void).toEqual([]);
    expect(report(tally({ cpuMs: 900 })).void).toEqual([
      'a generator thread used 90 % of a core (85 % at most)',
    ]);
    expect(report(tally({}, 12)).void).toEqual([
      expect.stringMatching(/^the generator sent late: p99 12\.\d ms \(5 at most\)$/),
    ]);
  });

  it('times packets only while the calls are up', () => {
    const sum = new Tally();
    sum.add(0, interval(), false, false);
    expect(report(sum).distributions.turnaround.count).toBe(0);
    expect(report(sum).counters.sent).toBe(1_000);
    sum.add(0, interval(), true, true);
    expect(report(sum).distributions.turnaround.count).toBe(100);
  });

  it('times also what comes back after the calls have ended, but not the generator then', () => {
    const sum = tally();
    const before = report(sum);
    sum.add(0, { ...interval(50), cpuMs: 5_000, wallMs: 1 }, false, true);
    const after = report(sum);
    expect(after.distributions.turnaround.count).toBe(before.distributions.turnaround.count * 2);
    expect(after.distributions.lag).toEqual(before.distributions.lag);
    expect(after.generator).toEqual(before.generator);
  });

  it('is void if the server says more than an echo', () => {
    const sum = tally();
    Object.assign(sum.counters, { returned: 1_000, surplus: 90 });
    expect(report(sum).void).toEqual([]);
    sum.counters.surplus = 110;
    expect(report(sum).void).toEqual([expect.stringContaining('use --no-echo')]);
  });

  it('fails a threshold of something that was never seen', () => {
    const unseen = judge(parseThreshold('barge_p99<300ms'), tally());
    expect(unseen).toMatchObject({ value: null, holds: false });
    expect(judge(parseThreshold('response_max<1s'), tally()).holds).toBe(false);
  });

  it('says of calls that ended otherwise than they should how many and why', () => {
    const sum = tally();
    const call = { callId: 'a', closeCode: 1011, lastedMs: 100, sent: 5, lost: 1 };
    const ending = { scenario: 'dtmf', end: 'server-closed', detail: 'code 1011' } as const;
    for (let i = 0; i < 3; i += 1) sum.addResult({ ...call, ...ending, isExpected: false });
    sum.addResult({ ...call, ...ending, end: 'completed', detail: '', isExpected: true });
    expect(report(sum)).toMatchObject({
      unexpected: 3,
      troubles: { 'server-closed: code 1011': 3 },
      scenarios: {
        dtmf: { calls: 4, sent: 20, lost: 4, ends: { 'server-closed': 3, completed: 1 } },
      },
    });
  });
});
