/** What a histogram is made of; the bounds and all values in its own unit. */
export interface HistogramShape {
  /** Upper bounds, rising; one more bucket takes the rest. */
  readonly bounds: readonly number[];
  /** So many of its unit make one base unit of the metric: 1,000 where values are milliseconds. */
  readonly scale: number;
}

/** Where a histogram lies in a block of float64: its buckets, not cumulative, then the sum of all values. */
export interface Histogram extends HistogramShape {
  readonly first: number;
  /** The bucket where the search begins for a value of so many leading zeros (of 32 bits): no value goes below it. */
  readonly starts: Uint8Array;
  /** The bounds in base units, as they are written, with that of the last bucket. */
  readonly les: readonly string[];
}

export function histogramSlots({ bounds }: HistogramShape): number {
  return bounds.length + 2;
}

/**
 * Records one value, or several that are alike; nothing is allocated. The size of the value in powers of two tells where
 * to look: with bounds that grow as ours do, one or two of them are compared.
 */
export function observe(
  values: Float64Array,
  { first, bounds, starts }: Histogram,
  value: number,
  count = 1,
): void {
  const { length } = bounds;
  let bucket = value >= 1 ? starts[Math.clz32(value)]! : 0;
  while (bucket < length && value > bounds[bucket]!) bucket += 1;
  values[first + bucket]! += count;
  values[first + length + 1]! += value * count;
}

/** For values from 1: a value whose 32 bits begin with `zeros` zeros is at least 2^(31 - zeros), or, if larger, anything. */
function searchStarts(bounds: readonly number[]): Uint8Array {
  return Uint8Array.from({ length: 33 }, (_, zeros) => {
    const bucket = bounds.findIndex((bound) => bound >= 2 ** (31 - zeros));
    return bucket < 0 ? bounds.length : bucket;
  });
}

export interface HistogramView {
  /** Upper bounds in base units, as they are written. */
  readonly les: readonly string[];
  /** Counts per bucket, not cumulative; the last one is above all bounds. */
  readonly buckets: readonly number[];
  /** In base units. */
  readonly sum: number;
}

export function readHistogram(
  values: Float64Array,
  { first, bounds, les, scale }: Histogram,
): HistogramView {
  const end = first + bounds.length + 1;
  const buckets: number[] = [];
  for (let at = first; at < end; at += 1) buckets.push(values[at]!);
  return { les, buckets, sum: values[end]! / scale };
}

/** Gives out the slots of a block, one thing after another. */
export class BlockPlan {
  #next: number;

  constructor(first = 0) {
    this.#next = first;
  }

  /** The first slot that is free. */
  get end(): number {
    return this.#next;
  }

  counters<Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> {
    const entries = names.map((name) => [name, this.#take(1)]);
    return Object.freeze(Object.fromEntries(entries));
  }

  histograms<Name extends string>(
    shapes: Readonly<Record<Name, HistogramShape>>,
  ): Readonly<Record<Name, Histogram>> {
    const entries = Object.entries<HistogramShape>(shapes).map(([name, shape]) => {
      const bounds = Object.freeze([...shape.bounds]);
      const starts = searchStarts(bounds);
      const inBase = bounds.map((bound) => String(bound / shape.scale));
      const les = Object.freeze([...inBase, '+Inf']);
      const first = this.#take(histogramSlots(shape));
      return [name, Object.freeze({ ...shape, first, bounds, starts, les })];
    });
    return Object.freeze(Object.fromEntries(entries));
  }

  #take(slots: number): number {
    const first = this.#next;
    this.#next += slots;
    return first;
  }
}
