import type { AudioRate } from '../limits.js';
import type { CallAction, StreamContentType } from '../plivo/xml.js';

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

/** Who answers the calls of a route. `file` is absolute and existed when the configuration was read. */
export type HandlerSource =
  | { readonly kind: 'builtin'; readonly name: BuiltinHandler }
  | { readonly kind: 'module'; readonly file: string }
  /** Nobody: they are hung up. */
  | { readonly kind: 'reject'; readonly why: string }
  /** They go on with the answer document at this URL. */
  | { readonly kind: 'redirect'; readonly url: string }
  /** Nobody: they hear a recording, and are hung up. `file` is an absolute path. */
  | { readonly kind: 'play'; readonly file: string }
  /** An application behind the gateway: one of the configuration's upstreams. */
  | ({ readonly kind: 'upstream'; readonly name: string } & UpstreamPolicy)
  /** An application that a service at this URL names. */
  | ({ readonly kind: 'lookup'; readonly url: string } & UpstreamPolicy);

/** What a route says of calls that an application answers. */
export interface UpstreamPolicy {
  readonly onUpstreamLost: UpstreamLostPolicy;
  /** Name of the route that goes on when it fails. */
  readonly fallback?: string;
  /** False: a call is left, and not hung up, when the application closes. */
  readonly autoHangUp: boolean;
  /** Absolute path of a recording for those who wait. */
  readonly meanwhile?: string;
}

/** How an upstream is spoken to. */
export const upstreamProtocols = ['plivo', 'pipecat', 'pcm'] as const;
export type UpstreamProtocol = (typeof upstreamProtocols)[number];

/** Where addresses come from: they are those of the list, or what its names resolve to. */
export const discoveries = ['list', 'dns'] as const;
export type Discovery = (typeof discoveries)[number];

export const balances = ['least-calls', 'weighted', 'caller'] as const;
export type Balance = (typeof balances)[number];

/** What becomes of a call whose connection to the upstream breaks. */
export const upstreamLostPolicies = ['fallback', 'reconnect', 'hangup'] as const;
export type UpstreamLostPolicy = (typeof upstreamLostPolicies)[number];

/** Addresses of one voice application, alike. */
export interface UpstreamConfig {
  readonly name: string;
  readonly protocol: UpstreamProtocol;
  /** URLs with the names of call facts in braces. */
  readonly addresses: readonly { readonly url: string; readonly weight: number }[];
  readonly discover: Discovery;
  readonly balance: Balance;
  /** At one address; 0: no bound. */
  readonly callsMax: number;
  /** Of the audio that it hears; of `pcm` also of what it plays. */
  readonly sampleRate: AudioRate;
  readonly headers: Readonly<Record<string, string>>;
  /** Absolute path of a PEM file. */
  readonly caFile?: string;
  /** For all addresses that are tried for one call. */
  readonly connectMs: number;
  /** For the first audio of one that took the call; 0: no bound. */
  readonly readyMs: number;
  /** How it is looked after: by a TCP connection, or by GET of a path. Absent: not at all. */
  readonly health?: string;
}

/** Who began a call, as the stream URL's query says. */
export const callDirections = ['inbound', 'outbound'] as const;
export type CallDirection = (typeof callDirections)[number];

/** How streams are admitted that have no token: only with a signature, or with a look at it, or without. */
/** What becomes of the calls that are still live at the deadline of a drain. */
export const drainEndings = ['end', 'handover', 'leave'] as const;
export type DrainEnding = (typeof drainEndings)[number];

export const signaturePolicies = ['enforce', 'observe', 'off'] as const;
export type SignaturePolicy = (typeof signaturePolicies)[number];

/** How Plivo is told to stream the calls of a route. */
export interface StreamSettings {
  readonly contentType: StreamContentType;
  /** Absent: Plivo's own, a day. */
  readonly timeoutMs?: number;
  /** As Plivo has them: `name=value,name=value`. */
  readonly extraHeaders?: string;
  /** 60 to 100; absent: none. */
  readonly noiseCancellation?: number;
  readonly after: CallAction;
}

/** What the answer webhook does. */
export interface AnswerConfig {
  /** The answer service that is asked in place of the routes' own answers. */
  readonly forward?: string;
  /** What becomes of a call that has no place here. */
  readonly whenBusy: CallAction;
  /** What tokens are made with, the newest first. Empty: the accounts' Auth Tokens. */
  readonly tokenSecrets: readonly string[];
}

/** One route; the first that matches takes the call. Empty `to`, `from` or `query`: any. */
export interface RouteConfig {
  /** Unique among the routes, and a metric label: `[a-z0-9_-]{1,40}`. */
  readonly name: string;
  /** Absent: both paths. */
  readonly path?: StreamPath;
  /**
   * Digits with an optional leading `+`, a `sip:` user, or the beginning of either with a trailing `*`, as written; or
   * `anonymous`. Plivo sends numbers without `+`: whoever matches leaves it out on both sides.
   */
  readonly to: readonly string[];
  readonly from: readonly string[];
  readonly direction?: CallDirection;
  /** Values that the query of the stream URL has to have. */
  readonly query: Readonly<Record<string, string>>;
  /** Of the calls that match, as many in a hundred; the others go on to the next route. Absent: all. */
  readonly share?: number;
  readonly handler: HandlerSource;
  /** Of the audio that the handler hears and plays, Hz. */
  readonly sampleRate: AudioRate;
  /** Name of the account whose calls these are; absent: that of `start.accountId`. */
  readonly account?: string;
  readonly onStreamLost: LostStreamPolicy;
  readonly stream: StreamSettings;
}

/** Absolute paths of PEM files that could be read when the configuration was. */
export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface PlivoCredentials {
  readonly authId: string;
  readonly authToken: string;
  /** The one before the last rotation: what is signed with it is still believed. */
  readonly previousAuthToken?: string;
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

/** Where the record of an ended call goes. */
export interface CallRecordsConfig {
  /** As the log line at its end. */
  readonly log: boolean;
  /** Absolute path of a file of JSON lines; it need not exist. */
  readonly file: string | undefined;
  /** Takes each as a POST with these headers. */
  readonly webhook: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** The second listener: metrics, health and API. */
export interface AdminConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Absent: open on loopback, closed on any other address. */
  readonly token: string | undefined;
}

/** The effective configuration: complete, checked and deeply frozen. Plain data, fit for a thread. */
export interface GatewayConfig {
  /** Absolute path of the file that was read. */
  readonly file: string | undefined;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly admin: AdminConfig;
  readonly metrics: {
    /** `/metrics` needs no token. */
    readonly public: boolean;
  };
  readonly tls: TlsConfig | undefined;
  readonly plivo: PlivoConfig;
  /** All accounts, that of the `plivo` section first. Empty: calls can only be closed, not hung up. */
  readonly accounts: readonly AccountConfig[];
  readonly hangup: HangupConfig;
  /** Absolute; hang-ups and the lock are kept in it. It need not exist. */
  readonly dataDir: string;
  /** How Plivo reaches this gateway, without a trailing slash; needed to check its signatures. */
  readonly publicUrl: string | undefined;
  readonly signatures: { readonly upgrade: SignaturePolicy };
  readonly answer: AnswerConfig;
  /** Addresses and networks of proxies whose word on who is behind them counts. */
  readonly trustProxy: readonly string[];
  readonly shardCount: number;
  readonly limits: {
    /** Live calls; above it upgrades are refused. */
    readonly calls: number;
    /** A worker whose clock stands still for so long is replaced. */
    readonly watchdogMs: number;
  };
  readonly playout: PlayoutConfig;
  readonly drain: { readonly timeoutMs: number; readonly atDeadline: DrainEnding };
  readonly log: LogConfig;
  readonly privacy: Privacy;
  readonly callRecords: CallRecordsConfig;
  readonly capture: { readonly folder: string | undefined };
  readonly upstreams: readonly UpstreamConfig[];
  /** At least one. */
  readonly routes: readonly RouteConfig[];
}
