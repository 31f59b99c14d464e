import type { AudioRate } from '../limits.js';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** `auto`: readable lines on a terminal, JSON otherwise. */
export const logFormats = ['auto', 'pretty', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

/** Whether phone numbers appear in logs. */
export const privacyLevels = ['masked', 'full'] as const;
export type Privacy = (typeof privacyLevels)[number];

/** Public paths that take streams. */
export const streamPaths = ['/stream', '/ws'] as const;
export type StreamPath = (typeof streamPaths)[number];

export const builtinHandlers = ['echo', 'ivr'] as const;
export type BuiltinHandler = (typeof builtinHandlers)[number];

/** Where a route's handler comes from. `file` is absolute and existed when the configuration was read. */
export type HandlerSource =
  | { readonly kind: 'builtin'; readonly name: BuiltinHandler }
  | { readonly kind: 'module'; readonly file: string };

/** One route; the first that matches takes the call. Empty `to` or `from`: any number. */
export interface RouteConfig {
  /** Unique among the routes, and a metric label: `[a-z0-9_-]{1,40}`. */
  readonly name: string;
  /** Absent: both paths. */
  readonly path?: StreamPath;
  /**
   * Digits with an optional leading `+`, or such a prefix with a trailing `*`, as written.
   * Plivo sends numbers without `+`: whoever matches leaves it out on both sides.
   */
  readonly to: readonly string[];
  readonly from: readonly string[];
  readonly handler: HandlerSource;
  /** Of the audio that the handler hears and plays, Hz. */
  readonly sampleRate: AudioRate;
  /** Name of the account whose calls these are; absent: that of `start.accountId`. */
  readonly account?: string;
  readonly onStreamLost: LostStreamPolicy;
}

/** Absolute paths of PEM files that could be read when the configuration was. */
export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface PlivoCredentials {
  readonly authId: string;
  readonly authToken: string;
}

export interface PlivoConfig {
  /** Without a trailing slash. */
  readonly apiUrl: string;
  /** Absent: the gateway cannot hang up, it can only close sockets. */
  readonly credentials: PlivoCredentials | undefined;
}

/** Name of the account of the `plivo` section. */
export const defaultAccount = 'default';

/** An account or subaccount whose calls may be hung up. */
export interface AccountConfig {
  /** A metric label: `[a-z0-9_-]{1,40}`; `defaultAccount` for that of the `plivo` section. */
  readonly name: string;
  readonly credentials: PlivoCredentials;
  /** Without a trailing slash. */
  readonly apiUrl: string;
}

/** When a hang-up counts as kept: once it is written, or once the disk has it. */
export const fsyncs = ['never', 'tick'] as const;
export type Fsync = (typeof fsyncs)[number];

/** What becomes of a call whose stream broke and did not come back. */
export const lostStreamPolicies = ['hangup', 'leave'] as const;
export type LostStreamPolicy = (typeof lostStreamPolicies)[number];

export interface HangupConfig {
  readonly lostStreamGraceMs: number;
  /** From when a hang-up is due; then it is kept as failed. */
  readonly giveUpMs: number;
  readonly fsync: Fsync;
  /** To the API of one account. */
  readonly connections: number;
  /** Requests under way on one connection. */
  readonly pipelining: number;
  readonly tickMs: number;
  /** Requests in 5 s and account; 0: no limit. */
  readonly requestsMax: number;
}

/** Time between a session and the caller's ear. */
export interface PlayoutConfig {
  /** Audio that may lie at Plivo ahead of the caller. */
  readonly leadMs: number;
  /** Audio in one `playAudio`; a multiple of ptime. */
  readonly chunkMs: number;
  /** Audio that a handler may queue in one call. */
  readonly queueMs: number;
}

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: LogFormat;
}

/** The effective configuration: complete, checked and deeply frozen. Plain data, fit for a thread. */
export interface GatewayConfig {
  /** Absolute path of the file that was read. */
  readonly file: string | undefined;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly admin: { readonly host: string; readonly port: number };
  readonly tls: TlsConfig | undefined;
  readonly plivo: PlivoConfig;
  /** All accounts, that of the `plivo` section first. Empty: calls can only be closed, not hung up. */
  readonly accounts: readonly AccountConfig[];
  readonly hangup: HangupConfig;
  /** Absolute; hang-ups and the lock are kept in it. It need not exist. */
  readonly dataDir: string;
  /** How Plivo reaches this gateway, without a trailing slash; needed to check its signatures. */
  readonly publicUrl: string | undefined;
  readonly shardCount: number;
  readonly limits: {
    /** Live calls; above it upgrades are refused. */
    readonly calls: number;
  };
  readonly playout: PlayoutConfig;
  readonly drain: { readonly timeoutMs: number };
  readonly log: LogConfig;
  readonly privacy: Privacy;
  /** At least one. */
  readonly routes: readonly RouteConfig[];
}
