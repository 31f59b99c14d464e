/** Whose doing an error or an ending was: a metric label, and the first question after an incident. */
export type Fault = 'peer' | 'application' | 'operator' | 'gateway';

/**
 * Stable codes. Messages are for people and may change; codes may not.
 * Every code's usual fault stands here, so that nobody has to remember it at the throw.
 */
export const errorFaults = {
  CONFIG: 'operator',
  LISTEN: 'operator',
  DATA_LOCKED: 'operator',
  DATA_UNUSABLE: 'operator',
  PLATFORM: 'operator',
  HANDLER_LOAD: 'application',
  HANDLER_THREW: 'application',
  BAD_ARGUMENT: 'application',
  BAD_CALL_ID: 'application',
  MISSING_CREDENTIALS: 'operator',
  UNSUPPORTED_RATE: 'application',
  BAD_WAV: 'operator',
  KERNEL_FULL: 'gateway',
  SHARD_START: 'gateway',
  SHARD_LOST: 'gateway',
  CLOSED: 'application',
} as const satisfies Record<string, Fault>;

export type ErrorCode = keyof typeof errorFaults;

/** The only error class of the gateway: a stable `code`, whose `fault` it is, and a text for people. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: ErrorCode;
  readonly fault: Fault;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.fault = errorFaults[code];
  }
}

/** Every way in which a stream's session can end. A call has exactly one; the first one stands. */
export const endReasons = {
  /** Plivo closed the socket as it does when the call ends (1000, 1001, 1005). */
  'stream-closed': 'peer',
  /** Plivo sent a `stop` message. */
  'stream-stopped': 'peer',
  /** The socket broke or closed with any other code. */
  'stream-dropped': 'peer',
  /** No `start` within the limit after the socket opened. */
  'no-start': 'peer',
  /** `start` named another call than the token that admitted the stream. */
  'wrong-call': 'peer',
  /** A message above 64 KB. */
  'message-too-large': 'peer',
  /** The peer stopped reading. */
  'slow-reader': 'peer',
  /** `call.end()`: graceful, hung up after the last word. */
  'app-end': 'application',
  /** `call.cancel()`: hung up at once. */
  'app-cancel': 'application',
  /** `call.transfer()`: the call goes on elsewhere. */
  'app-transfer': 'application',
  /** `call.leave()`: the socket closed, the call goes on in Plivo's XML. */
  'app-leave': 'application',
  /** Its route hangs such calls up. */
  'route-reject': 'operator',
  /** The handler threw or its promise rejected. */
  'handler-error': 'application',
  /** No address of the route's upstream took the call in time. */
  'upstream-failed': 'application',
  /** The connection to the upstream broke in mid-call. */
  'upstream-lost': 'application',
  /** `DELETE /api/calls/<callId>`. */
  operator: 'operator',
  /** Another socket came for the same call. */
  replaced: 'peer',
  /** Still live at the deadline of a drain. */
  'drain-deadline': 'operator',
  /** The call's worker died, and no other could go on with it. */
  'shard-lost': 'gateway',
  /** A defect of ours while handling this call. */
  'gateway-error': 'gateway',
  /** The ring to the shard had no room even for a control message. */
  'shard-overrun': 'gateway',
} as const satisfies Record<string, Fault>;

/** WebSocket close codes that we send, by reason; 1000 for all others. */
const closeCodes: { readonly [reason in EndReason]?: number } = {
  'drain-deadline': 1001,
  'no-start': 1008,
  'wrong-call': 1008,
  'slow-reader': 1008,
  'message-too-large': 1009,
  'handler-error': 1011,
  'gateway-error': 1011,
  'shard-lost': 1011,
  'shard-overrun': 1011,
};

export function closeCode(reason: EndReason): number {
  return closeCodes[reason] ?? 1000;
}

/**
 * What a close code of the far side means (protocol reference, section 10, row 5): Plivo closes normally with these
 * when the call ends.
 */
export function closedReason(code: number): EndReason {
  return code === 1000 || code === 1001 || code === 1005 ? 'stream-closed' : 'stream-dropped';
}

export type EndReason = keyof typeof endReasons;
export const endReasonNames = Object.keys(endReasons) as readonly EndReason[];

/** The text of anything that was thrown, for a log line. */
export function errorText(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  try {
    return String(thrown);
  } catch {
    return 'an unprintable value';
  }
}
