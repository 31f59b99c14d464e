import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { version } from '../../src/version.js';
import type { CallResult, GeneratorInterval } from '../generator/messages.js';
import type { ScenarioName } from '../generator/scenarios.js';
import { speechSamples } from '../speech.js';
import { prepareSpeech, streamFormats } from '../stream-format.js';
import { CallDice } from './calls.js';
import { Generators, newCallId } from './generators.js';
import type { LoadOptions } from './options.js';
import { PlivoCalls } from './plivo-calls.js';
import { isGood, type LoadReport, type Second, type StageReport, stageReport } from './report.js';
import { secondOf } from './second.js';
import { Tally } from './tally.js';
import { type LoadTarget, openTarget } from './target.js';
import { UsageClock } from './usage.js';

export interface LoadEvents {
  /** The target is there. */
  begun?(target: LoadTarget): void;
  second?(second: Second, stage: string): void;
  stage?(stage: StageReport): void;
}

const lookMs = 20;
/** With nothing connected after so long, nothing will be; sooner if enough has been tried and failed. */
const hopelessMs = 10_000;
const hopelessFailedMs = 3_000;
const hopelessFailures = 10;
/** The slowest connects may come this long after the last call was begun. */
const connectSpareMs = 12_000;
/** Calls that have just come up are not yet how they will be. */
const settleMs = 2_000;
/** Callers settle and close within this, and what has not connected by then has failed. */
const endMsMax = 16_000;

/** One stage: how many calls, and how they come. */
interface Stage {
  readonly name: string;
  readonly calls: number;
  /** By chance at this rate; undefined keeps `calls` up. */
  readonly perSecond: number | undefined;
  readonly holdMs: number;
}

function stagesOf({ profile }: LoadOptions): Stage[] {
  const { holdMs } = profile;
  switch (profile.kind) {
    case 'hold':
      return [
        { name: `${profile.calls} calls`, calls: profile.calls, perSecond: undefined, holdMs },
      ];
    case 'arrivals': {
      const { perSecond } = profile;
      return [{ name: `${perSecond} calls/s`, calls: 0, perSecond, holdMs }];
    }
    case 'steps':
      return profile.calls.map((calls) => {
        return { name: `${calls} calls`, calls, perSecond: undefined, holdMs };
      });
  }
}

/** A run of the load: makes the calls, measures them, and answers what was seen. */
export class LoadRun {
  readonly #options: LoadOptions;
  readonly #events: LoadEvents;
  readonly #target: LoadTarget;
  readonly #generators: Generators;
  readonly #plivo: PlivoCalls;
  readonly #dice: CallDice;
  readonly #usage: UsageClock;
  readonly #stages: StageReport[] = [];
  readonly #seconds: Second[] = [];
  readonly #startedAt = new Date();
  readonly #startMs = performance.now();
  #pending: [thread: number, interval: GeneratorInterval][] = [];
  #tally = new Tally();
  #stageIndex = 0;
  #stageName = '';
  #isSteady = false;
  #isTimed = false;
  #isInterrupted = false;
  #broken: Error | undefined = undefined;
  #steadySince: { cpuMs: number; sent: number } | null = null;
  #steadyUsPerPacket: number | null = null;

  private constructor(
    options: LoadOptions,
    events: LoadEvents,
    target: LoadTarget,
    payloads: readonly string[],
  ) {
    this.#options = options;
    this.#events = events;
    this.#target = target;
    this.#dice = new CallDice(options.seed, options.scenarios, options.length);
    const { format, insecure, isEcho, seed } = options;
    const { authToken } = target;
    this.#generators = new Generators(
      options.threads,
      { format, payloads, insecure, authToken, isEcho, seed },
      {
        interval: (thread, interval) => this.#pending.push([thread, interval]),
        started: (callId, streamId) => this.#plivo.started(callId, streamId),
        over: (result) => this.#over(result),
        broke: (error) => {
          this.#broken = error;
        },
      },
    );
    this.#plivo = new PlivoCalls(options, target, this.#generators, {
      unanswered: ({ scenario }, detail) => this.#unanswered(scenario, detail),
    });
    this.#usage = new UsageClock(target);
  }

  /** Throws only for what was wrong before the first call. */
  static async start(options: LoadOptions, events: LoadEvents = {}): Promise<LoadRun> {
    const format = streamFormats[options.format];
    const samples = await speechSamples(options.wavPath, format);
    const { payloads } = prepareSpeech(samples, format);
    const target = await openTarget(options);
    events.begun?.(target);
    return new LoadRun(options, events, target, payloads);
  }

  /** The callers hang up; `finish` settles soon. */
  interrupt(): void {
    this.#isInterrupted = true;
  }

  /** Runs to the end. To be called once. */
  async finish(): Promise<LoadReport> {
    const timer = setInterval(() => this.#second(), 1_000);
    try {
      for (const stage of stagesOf(this.#options)) {
        const report = await this.#run(stage);
        this.#stages.push(report);
        this.#events.stage?.(report);
        if (this.#isOver || !isGood(report)) break;
        this.#stageIndex += 1;
      }
      const violations = await this.#generators.stop();
      if (this.#broken !== undefined) throw this.#broken;
      return this.#report(violations);
    } finally {
      clearInterval(timer);
      await this.#plivo.close();
      await this.#target.close();
    }
  }

  get #isOver(): boolean {
    return this.#isInterrupted || this.#broken !== undefined;
  }

  async #run(stage: Stage): Promise<StageReport> {
    this.#tally = new Tally();
    this.#stageName = stage.name;
    this.#steadyUsPerPacket = null;
    if (stage.perSecond !== undefined) await this.#arrive(stage.perSecond, stage.holdMs);
    else await this.#hold(stage);
    this.#endSteady();
    this.#plivo.endAll();
    await this.#until(() => this.#plivo.up === 0, endMsMax);
    // The threads' last report of this stage is a second away at most.
    await sleep(1_100);
    this.#second();
    this.#isTimed = false;
    const { thresholds } = this.#options;
    const { name, calls } = stage;
    return stageReport(name, calls, this.#tally, thresholds, this.#steadyUsPerPacket);
  }

  /** Brings the calls up and keeps them up. */
  async #hold({ calls, holdMs }: Stage): Promise<void> {
    const { rampPerSecond } = this.#options;
    const beganMs = performance.now();
    const rampMs = (calls * 1_000) / rampPerSecond;
    let budget = 1;
    let lastMs = beganMs;
    let upSinceMs = Number.POSITIVE_INFINITY;
    await this.#until((nowMs) => {
      const grown = budget + ((nowMs - lastMs) * rampPerSecond) / 1_000;
      budget = Math.min(grown, Math.max(1, rampPerSecond));
      lastMs = nowMs;
      for (; budget >= 1 && this.#plivo.up < calls; budget -= 1) this.#dial();
      const isUp = this.#plivo.up >= calls && this.#plivo.live >= calls;
      if (isUp || nowMs > beganMs + rampMs + connectSpareMs) upSinceMs = Math.min(upSinceMs, nowMs);
      if (!this.#isSteady && nowMs >= upSinceMs + settleMs) this.#beginSteady();
      return nowMs >= upSinceMs + settleMs + holdMs || this.#isHopeless(nowMs - beganMs);
    }, Number.POSITIVE_INFINITY);
  }

  async #arrive(perSecond: number, holdMs: number): Promise<void> {
    this.#beginSteady();
    const untilMs = performance.now() + holdMs;
    const beganMs = performance.now();
    let nextMs = beganMs;
    await this.#until((nowMs) => {
      for (; nextMs <= nowMs; nextMs += this.#dice.gapMs(perSecond)) this.#dial();
      return nowMs >= untilMs || this.#isHopeless(nowMs - beganMs);
    }, Number.POSITIVE_INFINITY);
  }

  #isHopeless(sinceMs: number): boolean {
    const { connected, failed } = this.#tally.counters;
    if (connected > 0) return false;
    return sinceMs > hopelessMs || (sinceMs > hopelessFailedMs && failed >= hopelessFailures);
  }

  #dial(): void {
    const lengthMs = this.#dice.lengthMs();
    this.#plivo.dial({
      callId: newCallId(),
      scenario: this.#dice.scenario(),
      ...(lengthMs === undefined ? {} : { lengthMs }),
    });
  }

  #unanswered(scenario: ScenarioName, detail: string): void {
    this.#tally.counters.dialled += 1;
    this.#tally.counters.failed += 1;
    const isExpected = false;
    const ending = { end: 'connect-failed', detail, closeCode: 0, isExpected } as const;
    this.#tally.addResult({ callId: '', scenario, ...ending, lastedMs: 0, sent: 0, lost: 0 });
  }

  #over(result: CallResult): void {
    this.#tally.addResult(result);
    this.#plivo.over(result);
  }

  #beginSteady(): void {
    this.#isSteady = true;
    this.#isTimed = true;
    const usage = this.#target.usage();
    this.#steadySince = usage && { cpuMs: usage.cpuMs, sent: this.#tally.counters.sent };
  }

  #endSteady(): void {
    const usage = this.#target.usage();
    const since = this.#steadySince;
    if (this.#isSteady && usage !== null && since !== null) {
      const sent = this.#tally.counters.sent - since.sent;
      if (sent > 0) this.#steadyUsPerPacket = ((usage.cpuMs - since.cpuMs) * 1_000) / sent;
    }
    this.#isSteady = false;
  }

  /** Looks often; ends early when the run is over. */
  async #until(isDone: (nowMs: number) => boolean, withinMs: number): Promise<void> {
    const deadlineMs = performance.now() + withinMs;
    for (;;) {
      const nowMs = performance.now();
      const isEnding = withinMs !== Number.POSITIVE_INFINITY;
      if (isDone(nowMs) || nowMs > deadlineMs || (this.#isOver && !isEnding)) return;
      await sleep(lookMs);
    }
  }

  /** What the threads have reported since the last second. */
  #second(): void {
    const intervals = this.#pending;
    this.#pending = [];
    if (intervals.length === 0) return;
    for (const [thread, interval] of intervals) {
      this.#tally.add(thread, interval, this.#isSteady, this.#isTimed);
    }
    const atMs = performance.now() - this.#startMs;
    const second = secondOf(intervals, {
      atMs,
      stage: this.#stageIndex,
      hangUps: this.#plivo.hangUps,
      ...this.#usage.sinceLast(),
    });
    this.#seconds.push(second);
    this.#events.second?.(second, this.#stageName);
  }

  #report(violations: LoadReport['violations']): LoadReport {
    const { profile } = this.#options;
    // A step that was cut short has not shown what it was for.
    const whole = this.#isInterrupted ? this.#stages.slice(0, -1) : this.#stages;
    const good = whole.filter(isGood).at(-1);
    return {
      version: version(),
      target: this.#target.name,
      profile: `${profile.kind}: ${this.#stages.map(({ name }) => name).join(', ')}`,
      startedAt: this.#startedAt.toISOString(),
      seconds: this.#seconds,
      stages: this.#stages,
      violations: [...violations, ...(this.#target.api?.violations.list() ?? [])],
      hangUps: this.#plivo.hangUps,
      isInterrupted: this.#isInterrupted,
      lastWords: this.#target.lastWords(),
      lastGood: profile.kind === 'steps' ? (good?.calls ?? 0) : null,
      machine: { cpu: cpus()[0]?.model ?? '?', cores: cpus().length, node: process.version },
    };
  }
}
