/**
 * Where well ends and ill begins: for the colours of the dashboards and for the alerts. Those of a histogram stand on one
 * of its bounds (docs/metrics.md), so that they are exact.
 */
export const thresholds = {
  /** Share of upgrades turned away for want of room or route, and how many there have to be. */
  refused: { share: 0.05, attempts: 20 },
  /** Share of answered calls without a stream, and how many. */
  noStream: { share: 0.05, calls: 3 },
  /** Upgrades of strangers in 5 minutes. */
  strangers: 30,
  /** Seconds until an application takes a call, and the share that may take longer. */
  connect: { seconds: 1, share: 0.1 },
  /** Seconds from the cause of audio to its socket. */
  latency: { seconds: 0.05, share: 0.01 },
  /** Fill of a ring, and the share of looks at which it may be fuller. */
  ring: { ratio: 0.75, share: 0.01 },
  /** Seconds that a thread may come late to its clock. */
  delay: { seconds: 0.05, share: 0.01 },
  /** Pauses inside speech, per minute of live calls. */
  underrunsPerMinute: 1,
  /** Share of audio that was put aside. */
  dropped: 0.001,
  /** Share of calls in which one side was silent for 10 s. */
  oneWay: 0.05,
  /** Seconds from the end of speech to the answer: what callers take for a pause, and for a fault. */
  response: { good: 1, bad: 2 },
  setup: { good: 1, bad: 3 },
  bargeIn: { good: 0.3, bad: 1 },
  hangups: { pending: 300, oldestSeconds: 60 },
  /** Share of the calls that a gateway may have. */
  room: { tight: 0.8, full: 0.95 },
  /** Share of one core that a thread may use. */
  busy: { high: 0.7, full: 0.9 },
  certificateDays: 14,
} as const;
