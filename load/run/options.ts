import type { ScenarioName } from '../generator/scenarios.js';
import type { StreamFormatName } from '../stream-format.js';
import type { Threshold } from './thresholds.js';

/** How many calls there are, and when. */
export type Profile =
  /** So many at the same time, for so long after they are up. A call that ends is followed by another. */
  | { readonly kind: 'hold'; readonly calls: number; readonly holdMs: number }
  /** So many new ones per second, whatever became of the others. */
  | { readonly kind: 'arrivals'; readonly perSecond: number; readonly holdMs: number }
  /** One run after another, up to the first that breaks an objective. */
  | { readonly kind: 'steps'; readonly calls: readonly number[]; readonly holdMs: number };

/** How long a call lasts, from `start` to the caller's hanging up. */
export type CallLength =
  | { readonly kind: 'fixed'; readonly ms: number }
  | { readonly kind: 'uniform'; readonly fromMs: number; readonly toMs: number }
  /** Exponential, as telephone calls are taken to be. */
  | { readonly kind: 'exp'; readonly meanMs: number };

export type Target =
  | { readonly kind: 'url'; readonly url: string }
  /** A gateway of our own, with this configuration file or none. */
  | { readonly kind: 'spawn'; readonly config: string | undefined }
  | {
      readonly kind: 'answer';
      readonly answerUrl: string;
      readonly hangupUrl: string | undefined;
    };

export interface LoadOptions {
  readonly target: Target;
  readonly profile: Profile;
  /** Left out, calls last as long as the run. */
  readonly length: CallLength | undefined;
  /** New calls per second while the calls come up. */
  readonly rampPerSecond: number;
  /** Weights; they need not sum up to anything. */
  readonly scenarios: ReadonlyMap<ScenarioName, number>;
  readonly format: StreamFormatName;
  readonly wavPath: string | undefined;
  readonly accountId: string;
  /** The account's: signs upgrades and webhooks. A gateway of our own gets one of its own. */
  readonly authToken: string | undefined;
  readonly extraHeaders: string;
  readonly insecure: boolean;
  readonly isEcho: boolean;
  readonly threads: number;
  readonly seed: number;
  readonly thresholds: readonly Threshold[];
  /** Of the stand-in for Plivo's REST API; undefined opens none. */
  readonly apiPort: number | undefined;
  /** The process whose CPU time is shown; our own gateway's is known. */
  readonly serverPid: number | undefined;
}
