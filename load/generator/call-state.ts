/** Only ever moves forward, but for a call that breaks and returns: then it goes back to `Connecting`. */
export const State = {
  Connecting: 0,
  /** Open; `start` has been sent, or is not going to be. */
  Live: 1,
  /** The connection broke on purpose; the call comes back. */
  Away: 2,
  /** The caller says nothing more and waits for what is on its way. */
  Settling: 3,
  Closing: 4,
  Over: 5,
} as const;
export type State = (typeof State)[keyof typeof State];
