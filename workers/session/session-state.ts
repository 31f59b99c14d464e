/** A session only moves forward. */
export const SessionState = {
  /** The socket is open, no `start` yet. */
  Opening: 0,
  Live: 1,
  /** `end()` was called: playing out, waiting for the last word to be heard. */
  Ending: 2,
  /** A hang-up or a close was asked for; nothing is delivered any more. */
  Leaving: 3,
  Closed: 4,
} as const;
