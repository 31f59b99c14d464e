/**
 * Every way in which a gateway, or whoever answers Plivo's webhooks, can break the protocol towards Plivo. Names are
 * stable.
 */
export const violationNames = [
  // Any message (protocol sections 1 and 3)
  'before-start',
  'one-way-stream',
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
  // Webhooks (4.4, 7.5) and the documents that answer them (4.1)
  'webhook-unanswered',
  'webhook-refused',
  'answer-content-type-wrong',
  'answer-too-large',
  'answer-not-well-formed',
  'answer-root-wrong',
  'answer-empty',
  'xml-element-unknown',
  'xml-redirect-url-wrong',
  'xml-redirects-too-many',
  // `<Stream>` (4.1, 4.2)
  'stream-url-wrong',
  'stream-url-too-long',
  'stream-attribute-unknown',
  'stream-attribute-wrong',
  'stream-track-forbidden',
  'stream-content-type-unknown',
  'stream-timeout-wrong',
  'stream-extra-headers-too-long',
  'stream-noise-level-wrong',
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

  record(name: ViolationName, detail: string, count = 1): void {
    const seen = this.#byName.get(name);
    if (seen === undefined) this.#byName.set(name, { detail, count });
    else seen.count += count;
  }

  list(): Violation[] {
    return [...this.#byName].map(([name, { detail, count }]) => ({ name, detail, count }));
  }
}
