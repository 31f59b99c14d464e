import { build, type Histogram } from 'hdr-histogram-js';
import type { Distribution, GeneratorResult } from './generator-messages.js';
import { cpuMsOf, machineBusyMs } from './process-stat.js';

/**
 * The measured part of a run, cut into seconds. A second is quiet if, in it and in the one before,
 * hardly any CPU time went to processes other than server and generator or was taken away by the
 * machine's own host: turnarounds of quiet seconds are the server's doing, others may be anybody's.
 */

const sliceMs = 1_000;
const othersCoresMax = 0.15;

type Figures = Pick<
  GeneratorResult,
  | 'windowSent'
  | 'windowMs'
  | 'windowReplies'
  | 'turnaroundMs'
  | 'quietTurnaroundMs'
  | 'quietSeconds'
  | 'lagMs'
  | 'cpuMs'
  | 'serverCpuMs'
  | 'othersCores'
>;

/** CPU times at one moment, ms; `machine` is null where it is not known. */
interface CpuMark {
  readonly atMs: number;
  readonly machine: number | null;
  readonly server: number;
  readonly own: number;
}

function histogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60_000_000,
    numberOfSignificantValueDigits: 3,
    autoResize: false,
    useWebAssembly: false,
  });
}

function distributionOf(microseconds: Histogram): Distribution {
  const at = (percentile: number): number => microseconds.getValueAtPercentile(percentile) / 1_000;
  return { p50: at(50), p99: at(99), p999: at(99.9), max: microseconds.maxValue / 1_000 };
}

/** Cores that neither server nor generator used between two moments. */
function othersCores(from: CpuMark, to: CpuMark): number | null {
  if (from.machine === null || to.machine === null) return null;
  const measuredMs = to.server - from.server + to.own - from.own;
  const othersMs = to.machine - from.machine - measuredMs;
  return Math.max(0, othersMs / Math.max(1, to.atMs - from.atMs));
}

export class MeasuredWindow {
  readonly #serverPid: number;
  readonly #turnaroundUs = histogram();
  readonly #quietUs = histogram();
  readonly #sliceUs = histogram();
  readonly #lagUs = histogram();
  readonly #start: CpuMark;
  #sliceStart: CpuMark;
  #end: CpuMark | null = null;
  #wasQuiet = false;
  #quietSeconds = 0;
  #sent = 0;
  #replies = 0;

  /** Opens at once. */
  constructor(serverPid: number, nowMs: number) {
    this.#serverPid = serverPid;
    this.#start = this.#mark(nowMs);
    this.#sliceStart = this.#start;
  }

  /** A media message left, this late. */
  sent(lagMs: number): void {
    if (this.#end !== null) return;
    this.#sent += 1;
    this.#lagUs.recordValue(Math.round(lagMs * 1_000));
  }

  reply(): void {
    if (this.#end === null) this.#replies += 1;
  }

  /** The audio of a media message came back; counted if it was sent within the window. */
  returned(sentAtMs: number, nowMs: number): void {
    const untilMs = this.#end?.atMs ?? Number.POSITIVE_INFINITY;
    if (sentAtMs < this.#start.atMs || sentAtMs >= untilMs) return;
    const turnaroundUs = Math.round((nowMs - sentAtMs) * 1_000);
    this.#turnaroundUs.recordValue(turnaroundUs);
    this.#sliceUs.recordValue(turnaroundUs);
  }

  /** To be called often: ends a second when it is over. */
  look(nowMs: number): void {
    if (nowMs - this.#sliceStart.atMs < sliceMs) return;
    const mark = this.#mark(nowMs);
    const others = othersCores(this.#sliceStart, mark);
    const isQuiet = others !== null && others <= othersCoresMax;
    if (isQuiet && this.#wasQuiet) {
      this.#quietUs.add(this.#sliceUs);
      this.#quietSeconds += 1;
    }
    this.#wasQuiet = isQuiet;
    this.#sliceUs.reset();
    this.#sliceStart = mark;
  }

  close(nowMs: number): void {
    this.#end = this.#mark(nowMs);
  }

  figures(): Figures {
    const end = this.#end ?? this.#start;
    return {
      windowSent: this.#sent,
      windowMs: Math.max(1, end.atMs - this.#start.atMs),
      windowReplies: this.#replies,
      turnaroundMs: distributionOf(this.#turnaroundUs),
      quietTurnaroundMs: this.#quietSeconds === 0 ? null : distributionOf(this.#quietUs),
      quietSeconds: this.#quietSeconds,
      lagMs: distributionOf(this.#lagUs),
      cpuMs: end.own - this.#start.own,
      serverCpuMs: end.server - this.#start.server,
      othersCores: othersCores(this.#start, end),
    };
  }

  #mark(atMs: number): CpuMark {
    const { user, system } = process.cpuUsage();
    const own = (user + system) / 1_000;
    return { atMs, machine: machineBusyMs(), server: cpuMsOf(this.#serverPid), own };
  }
}
