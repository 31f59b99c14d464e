import { BlockPlan, type HistogramShape } from './histogram.js';

/**
 * What callers of one route hear and say, in numbers. Each thread has such a block for each route; a session keeps the
 * one of its route, so that no label is looked up. Bounds stand on the thresholds of the alerts.
 */
const milliseconds = (...bounds: number[]): HistogramShape => ({ bounds, scale: 1_000 });
const level: HistogramShape = {
  bounds: [0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1],
  scale: 1,
};

const plan = new BlockPlan();
/** Values in milliseconds. */
export const voiceTime = plan.histograms({
  /** From the upgrade to the first audio for the caller. */
  setup: milliseconds(10, 20, 50, 100, 250, 500, 1_000, 2_000, 3_000, 5_000, 10_000),
  /** From the end of the caller's speech to the first audio that answers. */
  response: milliseconds(...[100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000]),
  /** From a clear to Plivo's word that it has nothing left. */
  bargeIn: milliseconds(2, 5, 10, 20, 50, 100, 200, 300, 500, 1_000, 2_000),
  /** A pause inside outgoing speech. */
  underrun: milliseconds(20, 40, 60, 100, 200, 400),
  /** Audio that lies at Plivo unheard. */
  lead: milliseconds(20, 50, 100, 200, 300, 500, 1_000, 5_000),
  /** Of the caller's packets, RFC 3550. */
  jitter: milliseconds(1, 2, 5, 10, 20, 30, 50, 100),
  /** A pause between packets of the caller. */
  gap: milliseconds(100, 200, 500, 1_000, 2_000, 5_000),
});
/** Values: RMS of a second of audio, as a share of full scale. */
export const voiceLevel = plan.histograms({ in: level, out: level });
export const clippedFrames = plan.counters(['in', 'out']);
export const voiceCounter = plan.counters(['late', 'lost', 'reordered']);
/** What a one-way call lacks, once per call and side. */
export const oneWaySides = ['caller-silent', 'nothing-played'] as const;
export type OneWaySide = (typeof oneWaySides)[number];
export const oneWay = plan.counters(oneWaySides);

export const voiceSlots = plan.end;

/** Routes that are told apart in these numbers; those beyond share the last block. */
export const voiceAreas = 64;

/** Gives each route a block, for good: a name that a reload brings back goes on where it was. */
export class VoiceAreas {
  readonly #areas = new Map<string, number>();

  /** Blocks in use, by name; the last may stand for several routes. */
  get names(): readonly string[] {
    return [...this.#areas.keys()];
  }

  of(route: string): number {
    const known = this.#areas.get(route);
    if (known !== undefined) return known;
    if (this.#areas.size >= voiceAreas - 1) {
      this.#areas.set(otherRoutes, voiceAreas - 1);
      return voiceAreas - 1;
    }
    const area = this.#areas.size;
    this.#areas.set(route, area);
    return area;
  }

  areaOf(name: string): number {
    return this.#areas.get(name)!;
  }
}

/** No route can be called so. */
const otherRoutes = '(others)';
