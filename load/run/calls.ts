import { type Random, seeded } from '../generator/random.js';
import type { ScenarioName } from '../generator/scenarios.js';
import type { CallLength } from './options.js';

/** What kind of call is next, when, and how long: everything about calls that is left to chance. */
export class CallDice {
  readonly #random: Random;
  readonly #scenarios: ReadonlyMap<ScenarioName, number>;
  readonly #length: CallLength | undefined;

  constructor(
    seed: number,
    scenarios: ReadonlyMap<ScenarioName, number>,
    length: CallLength | undefined,
  ) {
    this.#random = seeded(seed);
    this.#scenarios = scenarios;
    this.#length = length;
  }

  scenario(): ScenarioName {
    const sum = [...this.#scenarios.values()].reduce((total, weight) => total + weight, 0);
    let rest = this.#random() * sum;
    let name: ScenarioName = 'conversation';
    for (const [candidate, weight] of this.#scenarios) {
      name = candidate;
      rest -= weight;
      if (rest < 0) break;
    }
    return name;
  }

  /** Undefined: as long as the run. */
  lengthMs(): number | undefined {
    const length = this.#length;
    switch (length?.kind) {
      case undefined:
        return undefined;
      case 'fixed':
        return length.ms;
      case 'uniform':
        return length.fromMs + this.#random() * (length.toMs - length.fromMs);
      case 'exp':
        return this.#exponential(length.meanMs);
    }
  }

  /** Until the next call, if calls come by chance at this rate. */
  gapMs(perSecond: number): number {
    return this.#exponential(1_000 / perSecond);
  }

  #exponential(mean: number): number {
    return -mean * Math.log(1 - this.#random());
  }
}
