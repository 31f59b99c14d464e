/** Every way in which a gateway can break the protocol towards Plivo. Names are stable. */
export const violationNames = [
  // Any message (protocol sections 1 and 3)
  'before-start',
  'binary-frame',
  'websocket-error',
  'message-too-large',
  'not-json',
  'not-an-object',
  'event-missing',
  'unknown-event',
  'stream-id-missing',
  'stream-id-wrong',
  // playAudio (3.1)
  'media-missing',
  'content-type-wrong',
  'sample-rate-not-number',
  'sample-rate-wrong',
  'payload-missing',
  'payload-not-base64',
  'payload-too-large',
  'l16-odd-bytes',
  'playout-overflow',
  // checkpoint (3.2), sendDTMF (3.4)
  'checkpoint-name-empty',
  'checkpoint-name-duplicate',
  'dtmf-digits-bad',
  // The socket
  'close-code-unexpected',
  'close-unanswered',
  'gateway-not-reading',
  // The REST API (5.1)
  'rest-hang-up-all-calls',
  'rest-trailing-slash-missing',
  'rest-path-unknown',
] as const;

export type ViolationName = (typeof violationNames)[number];

export interface Violation {
  readonly name: ViolationName;
  /** A sentence about the first one seen. */
  readonly detail: string;
  readonly count: number;
}

export type ReportViolation = (name: ViolationName, detail: string) => void;

/** Keeps the first detail of each name and counts the rest, so that its size is bounded. */
export class ViolationLog {
  readonly #byName = new Map<ViolationName, { detail: string; count: number }>();

  record(name: ViolationName, detail: string): void {
    const seen = this.#byName.get(name);
    if (seen === undefined) this.#byName.set(name, { detail, count: 1 });
    else seen.count += 1;
  }

  list(): Violation[] {
    return [...this.#byName].map(([name, { detail, count }]) => ({ name, detail, count }));
  }
}
