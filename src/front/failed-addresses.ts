import { failedAddressesMax, failedUpgradesMax, failedUpgradesMs } from '../limits.js';

interface Failures {
  count: number;
  sinceMs: number;
}

/**
 * Which addresses failed to come in, and how often lately. Only failures count, and one that has too many is still let
 * in with a good token or the signature that Plivo is known to use: so neither Plivo nor a proxy is ever shut out by
 * others behind the same address.
 */
export class FailedAddresses {
  readonly #failures = new Map<string, Failures>();
  readonly #nowMs: () => number;

  /** @param nowMs monotonic, for tests */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  failed(address: string): void {
    const nowMs = this.#nowMs();
    const known = this.#failures.get(address);
    if (known !== undefined && nowMs - known.sinceMs < failedUpgradesMs) {
      known.count += 1;
      return;
    }
    this.#failures.delete(address);
    this.#failures.set(address, { count: 1, sinceMs: nowMs });
    if (this.#failures.size <= failedAddressesMax) return;
    for (const oldest of this.#failures.keys()) {
      this.#failures.delete(oldest);
      break;
    }
  }

  tooMany(address: string): boolean {
    const known = this.#failures.get(address);
    if (known === undefined || this.#nowMs() - known.sinceMs >= failedUpgradesMs) return false;
    return known.count >= failedUpgradesMax;
  }
}
