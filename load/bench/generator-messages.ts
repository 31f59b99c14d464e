/** All that crosses between the bench and its generator process. */

/** Bench to generator, once. */
export interface GeneratorOrder {
  readonly port: number;
  /** The process whose CPU time is measured. */
  readonly serverPid: number;
  readonly calls: number;
  /** Base64 of 20 ms of µ-law each; every call begins at another one. */
  readonly payloads: readonly string[];
  /** Media flows, but is not measured. */
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** Bench to generator: end the calls now. */
export interface GeneratorStop {
  readonly type: 'stop';
}

/** Generator to bench, in this order; `failed` may come instead of any. */
export type GeneratorNotice =
  | { readonly type: 'ready' }
  | { readonly type: 'connected' }
  | { readonly type: 'done'; readonly result: GeneratorResult }
  | { readonly type: 'failed'; readonly detail: string };

export interface GeneratorResult {
  /** Media messages of the window, and how long it was. */
  readonly windowSent: number;
  readonly windowMs: number;
  /** Answers received within the window. */
  readonly windowReplies: number;
  /** Over the whole run, warm-up included: sent but not come back after settling. */
  readonly lost: number;
  /** Streams that the server closed. */
  readonly closed: number;
  /** From sending a media message to having its audio back; messages sent in the window. */
  readonly turnaroundMs: Distribution;
  /** The same in seconds in which the machine did nothing else; null if there were none. */
  readonly quietTurnaroundMs: Distribution | null;
  readonly quietSeconds: number;
  /** How late the generator sent: where this is large, it was the limit. */
  readonly lagMs: Distribution;
  /** CPU time of the generator in the window. */
  readonly cpuMs: number;
  /** CPU time of the whole server process in the window. */
  readonly serverCpuMs: number;
  /** Cores that other processes and the machine's own host took; null if it is not known. */
  readonly othersCores: number | null;
}

export interface Distribution {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}
