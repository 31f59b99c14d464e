import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Ticks per second in `/proc`: USER_HZ, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;
const pageBytes = 4_096;

/** CPU time of a process and all its threads since its start, user and system, ms. */
export function cpuMsOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything; fields are counted from behind it, the third first.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond;
  } catch {
    return millisecondsOf(ps(pid, 'cputime='));
  }
}

/**
 * CPU time that the whole machine has spent on anything, time that its host took away included, ms
 * over all cores; null where there is no `/proc`.
 */
export function machineBusyMs(): number | null {
  try {
    const text = readFileSync('/proc/stat', 'latin1');
    const [, ...ticks] = text.slice(0, text.indexOf('\n')).trim().split(/\s+/);
    // user nice system idle iowait irq softirq steal; what follows is counted in user already.
    const busy = ticks.slice(0, 8).filter((_, i) => i !== 3 && i !== 4);
    return (busy.reduce((sum, count) => sum + Number(count), 0) * 1_000) / ticksPerSecond;
  } catch {
    return null;
  }
}

/** Resident bytes of a process. */
export function residentBytesOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ');
    return Number(fields[1]) * pageBytes;
  } catch {
    return Number(ps(pid, 'rss=')) * 1_024;
  }
}

/** Where there is no `/proc`. */
function ps(pid: number, column: string): string {
  return execFileSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'latin1' }).trim();
}

/** `[days-][hours:]minutes:seconds[.hundredths]` to ms. */
export function millisecondsOf(time: string): number {
  const [days, clock] = time.includes('-') ? time.split('-') : ['0', time];
  const seconds = (clock ?? '0').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round((Number(days) * 86_400 + seconds) * 1_000);
}
