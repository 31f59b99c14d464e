import { isGood, type LoadReport, type StageReport } from './report.js';
import type { Distribution } from './tally.js';

const ms = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
const count = (value: number): string => value.toLocaleString('en-US');

/** Red on a terminal, plain elsewhere. */
export type Paint = (text: string) => string;

export function paintFor({ isTTY }: { readonly isTTY?: boolean }): Paint {
  return (text) => (isTTY === true ? `\x1b[31m${text}\x1b[0m` : text);
}

function row(name: string, { p50, p90, p99, p999, max }: Distribution): string {
  const cells = [p50, p90, p99, p999, max].map((value) => ms(value).padStart(9)).join('');
  return `  ${name.padEnd(38)}${cells}`;
}

const distributionRows = [
  ['turnaround', 'turnaround (deadline to its audio back)'],
  ['response', 'response (end of a turn to first sound)'],
  ['barge', 'barge-in (first word to clearAudio)'],
  ['connect', 'connect (dial to upgrade)'],
  ['lag', 'the generator’s own lag'],
] as const;

/** What a run came to, for people. */
export function loadSummary(report: LoadReport, red: Paint): string {
  const lines = [`${report.target}; ${report.profile}`];
  for (const stage of report.stages) lines.push('', ...stageLines(stage, red));
  lines.push('');
  if (report.violations.length > 0) {
    lines.push('broken rules of the protocol:');
    for (const { name, detail, count: times } of report.violations) {
      lines.push(`  ${name} (${times}): ${detail}`);
    }
  }
  if (report.lastGood !== null) lines.push(lastGoodLine(report));
  if (report.lastWords !== '') lines.push(red(`the gateway ended by itself: ${report.lastWords}`));
  if (report.isInterrupted) lines.push('ended early, by request');
  return `${lines.join('\n').trimEnd()}\n`;
}

function lastGoodLine(report: LoadReport): string {
  const { lastGood, stages } = report;
  const broken = stages.find((stage) => !isGood(stage));
  if (broken === undefined && report.isInterrupted) {
    return `ended before the last step; last good: ${lastGood} calls`;
  }
  if (broken === undefined) return `every step kept its objectives, up to ${lastGood} calls`;
  const failed = broken.thresholds.filter(({ holds }) => !holds).map(({ text }) => text);
  const why = [...failed, ...broken.void].join('; ') || 'nothing connected';
  const good = lastGood === 0 ? 'not even the first step was good' : `last good: ${lastGood} calls`;
  return `${good}; ${broken.calls} broke: ${why}`;
}

function stageLines(stage: StageReport, red: Paint): string[] {
  const { counters, distributions, generator } = stage;
  const lines = [stage.name];
  for (const why of stage.void) lines.push(red(`  VOID: ${why}`));
  lines.push(
    `  calls      ${count(counters.dialled)} begun, ${count(counters.connected)} streams connected, ` +
      `${count(counters.failed)} failed, ${count(stage.unexpected)} ended otherwise than they should`,
    `  media      ${count(counters.sent)} sent, ${count(counters.received)} received, ` +
      `${count(counters.lost)} lost, ${count(counters.late)} later than 100 ms`,
    `  heard      ${count(counters.gaps)} gaps, ${count(counters.overflows)} overflows; ` +
      `${count(counters.checkpoints)} checkpoints, ${count(counters.clears)} clears ` +
      `(${count(Math.round(counters.clearedMs))} ms cut off)`,
    `  ${''.padEnd(38)}${['p50', 'p90', 'p99', 'p99.9', 'max ms'].map((name) => name.padStart(9)).join('')}`,
  );
  for (const [name, words] of distributionRows) {
    if (distributions[name].count > 0) lines.push(row(words, distributions[name]));
  }
  const server = stage.serverUsPerPacket;
  const ofServer = server === null ? '' : `; server ${server.toFixed(1)} µs per packet`;
  const busiest = (generator.busiestCores * 100).toFixed(0);
  lines.push(
    `  CPU        generator ${generator.cores.toFixed(2)} cores, busiest thread ${busiest} %${ofServer}`,
  );
  const scenarios = Object.entries(stage.scenarios);
  if (scenarios.length > 1 || stage.unexpected > 0) {
    for (const [name, { calls, unexpected, lost, ends }] of scenarios) {
      const how = Object.entries(ends).map(([end, times]) => `${times} ${end}`);
      const wrong = unexpected > 0 ? red(`, ${unexpected} not as it should`) : '';
      lines.push(`  ${name.padEnd(16)} ${calls} calls: ${how.join(', ')}; ${lost} lost${wrong}`);
    }
  }
  for (const [why, times] of Object.entries(stage.troubles)) lines.push(`  ${times} × ${why}`);
  for (const { text, value, holds } of stage.thresholds) {
    const found = value === null ? 'nothing was measured' : String(Number(value.toFixed(3)));
    const line = `  ${holds ? 'holds' : 'FAILS'}      ${text} (${found})`;
    lines.push(holds ? line : red(line));
  }
  return lines;
}
