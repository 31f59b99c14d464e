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
