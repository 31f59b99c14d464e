/**
 * The XML that Plivo's answer webhook is answered with (protocol reference, section 4). Nothing here does I/O, and
 * whatever the texts, what comes out is well-formed.
 */

/** What Plivo does with a call that gets no stream, or when its stream has ended. */
export type CallAction =
  | { readonly kind: 'hangup' }
  /** Says a text, then hangs up. */
  | { readonly kind: 'speak'; readonly text: string }
  /** Connects the caller with a number, or a SIP address. */
  | { readonly kind: 'dial'; readonly to: string }
  /** Goes on with the answer document at this URL. */
  | { readonly kind: 'redirect'; readonly url: string };

/** Content types that a stream can have (section 4.2). */
export const streamContentTypes = [
  'audio/x-mulaw;rate=8000',
  'audio/x-l16;rate=8000',
  'audio/x-l16;rate=16000',
  'audio/x-l16;rate=24000',
] as const;
export type StreamContentType = (typeof streamContentTypes)[number];

/** Section 4.1. */
export const streamUrlCharsMax = 2_048;
export const extraHeadersBytesMax = 512;

export interface StreamAnswer {
  readonly url: string;
  readonly contentType: StreamContentType;
  readonly statusCallbackUrl: string;
  /** Seconds; absent: Plivo's own, a day. */
  readonly streamTimeoutSeconds?: number;
  /** As `name=value,name=value`. */
  readonly extraHeaders?: string;
  /** 60 to 100; absent: none. */
  readonly noiseCancellationLevel?: number;
  /** What runs when the stream has ended. */
  readonly after: CallAction;
}

/** An answer that connects the call with a stream in both directions. */
export function streamXml(answer: StreamAnswer): string {
  const { contentType, statusCallbackUrl, streamTimeoutSeconds, extraHeaders, after } = answer;
  const level = answer.noiseCancellationLevel;
  const attributes = {
    bidirectional: 'true',
    keepCallAlive: 'true',
    contentType,
    ...(streamTimeoutSeconds !== undefined && { streamTimeout: String(streamTimeoutSeconds) }),
    statusCallbackUrl,
    statusCallbackMethod: 'POST',
    ...(extraHeaders && { extraHeaders }),
    ...(level !== undefined && {
      noiseCancellation: 'true',
      noiseCancellationLevel: String(level),
    }),
  };
  const written = Object.entries(attributes).map(
    ([name, value]) => ` ${name}="${escapeXml(value)}"`,
  );
  return document(`<Stream${written.join('')}>${escapeXml(answer.url)}</Stream>${elements(after)}`);
}

/** An answer without a stream. */
export function actionXml(action: CallAction): string {
  return document(elements(action));
}

/** An answer after which nothing happens: for a call that is over. */
export const emptyXml = document('');

function document(content: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Response>${content}</Response>\n`;
}

function elements(action: CallAction): string {
  switch (action.kind) {
    case 'hangup':
      return '<Hangup/>';
    case 'speak':
      return `<Speak>${escapeXml(action.text)}</Speak><Hangup/>`;
    case 'dial': {
      const kind = /^sips?:/i.test(action.to) ? 'User' : 'Number';
      return `<Dial><${kind}>${escapeXml(action.to)}</${kind}></Dial>`;
    }
    case 'redirect':
      return `<Redirect method="POST">${escapeXml(action.url)}</Redirect>`;
  }
}

/** For text and for attributes in double quotes. What XML cannot hold at all becomes U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"'\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}
