import type { SignedMethod } from '../../src/plivo/signature.js';
import { shownUrl } from '../shown-url.js';
import { formatOfContentType, type StreamFormatName } from '../stream-format.js';
import type { ReportViolation } from '../violations.js';

/** What a `<Stream>` asks for (protocol section 4.1). */
export interface StreamElement {
  /** Its text, as it stands there. */
  readonly url: string;
  /** Whether the URL can be connected to. */
  readonly isDialable: boolean;
  /** Undefined if Plivo offers none such. */
  readonly format: StreamFormatName | undefined;
  readonly extraHeaders: string;
  /** Without it Plivo plays nothing of what is sent. */
  readonly isBidirectional: boolean;
  readonly timeoutMs: number | undefined;
  readonly statusUrl: string | undefined;
  readonly statusMethod: SignedMethod;
}

/** Where a reader of answers says what it found. A note is no fault. */
export interface AnswerReport {
  readonly violation: ReportViolation;
  readonly note: (text: string) => void;
}

/** The XML page's default; another page of Plivo's names another (section 4.1). */
const contentTypeDefault = 'audio/x-l16;rate=8000';
const urlCharsMax = 2_048;
const extraHeadersBytesMax = 512;
const noiseLevelMin = 60;
const noiseLevelMax = 100;

const attributeNames = [
  'bidirectional',
  'audioTrack',
  'streamTimeout',
  'contentType',
  'keepCallAlive',
  'statusCallbackUrl',
  'statusCallbackMethod',
  'extraHeaders',
  'noiseCancellation',
  'noiseCancellationLevel',
] as const;
type Attributes = ReadonlyMap<string, string>;

/** Attributes that take one of a few words. */
const words: Readonly<Record<string, readonly string[]>> = {
  bidirectional: ['true', 'false'],
  audioTrack: ['inbound', 'outbound', 'both'],
  keepCallAlive: ['true', 'false'],
  statusCallbackMethod: ['GET', 'POST'],
  noiseCancellation: ['true', 'false'],
};

export function isWebUrl(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text);
}

/** Reads a `<Stream>`, and reports what Plivo would not take. */
export function readStreamElement(
  text: string,
  attributes: Attributes,
  report: AnswerReport,
): StreamElement {
  const url = text.trim();
  const isDialable = /^wss?:\/\//.test(url) && URL.canParse(url);
  const statusUrl = attributes.get('statusCallbackUrl');
  const timeout = attributes.get('streamTimeout');
  judgeUrl(url, isDialable, report.violation);
  judgeAttributes(attributes, report.violation);
  judgeTogether(attributes, report);
  const contentType = attributes.get('contentType');
  return {
    url,
    isDialable,
    format: formatOfContentType(contentType ?? contentTypeDefault),
    extraHeaders: attributes.get('extraHeaders') ?? '',
    isBidirectional: attributes.get('bidirectional') === 'true',
    timeoutMs: timeout !== undefined && isPositive(timeout) ? Number(timeout) * 1_000 : undefined,
    statusUrl: statusUrl !== undefined && isWebUrl(statusUrl) ? statusUrl : undefined,
    statusMethod: attributes.get('statusCallbackMethod') === 'GET' ? 'GET' : 'POST',
  };
}

function judgeUrl(url: string, isDialable: boolean, violation: ReportViolation): void {
  if (!isDialable)
    violation('stream-url-wrong', `<Stream> holds no ws or wss URL: "${shown(url)}"`);
  if (url.length > urlCharsMax) {
    violation(
      'stream-url-too-long',
      `the stream URL has ${url.length} of ${urlCharsMax} characters`,
    );
  }
}

/** Each attribute by itself. */
function judgeAttributes(attributes: Attributes, violation: ReportViolation): void {
  for (const [name, value] of attributes) {
    if (!(attributeNames as readonly string[]).includes(name)) {
      violation('stream-attribute-unknown', `<Stream> has no attribute ${name}`);
    } else if (words[name]?.includes(value) === false) {
      violation('stream-attribute-wrong', `${name}="${shown(value)}" is none of ${words[name]}`);
    }
  }
  const { contentType, streamTimeout, statusCallbackUrl, extraHeaders, noiseCancellationLevel } =
    Object.fromEntries(attributes);
  if (contentType !== undefined && formatOfContentType(contentType) === undefined) {
    violation('stream-content-type-unknown', `Plivo streams no "${shown(contentType)}"`);
  }
  if (streamTimeout !== undefined && !isPositive(streamTimeout)) {
    violation('stream-timeout-wrong', `"${shown(streamTimeout)}" is no positive whole number`);
  }
  if (statusCallbackUrl !== undefined && !isWebUrl(statusCallbackUrl)) {
    violation('stream-attribute-wrong', 'statusCallbackUrl is no http or https URL');
  }
  const headerBytes = Buffer.byteLength(extraHeaders ?? '');
  if (headerBytes > extraHeadersBytesMax) {
    const detail = `extraHeaders has ${headerBytes} of ${extraHeadersBytesMax} bytes`;
    violation('stream-extra-headers-too-long', detail);
  }
  const level = Number(noiseCancellationLevel ?? noiseLevelMin);
  if (!Number.isInteger(level) || level < noiseLevelMin || level > noiseLevelMax) {
    const detail = `noiseCancellationLevel is no whole number from ${noiseLevelMin} to ${noiseLevelMax}`;
    violation('stream-noise-level-wrong', detail);
  }
}

/** What goes with what, and what is better said. */
function judgeTogether(attributes: Attributes, { violation, note }: AnswerReport): void {
  const track = attributes.get('audioTrack') ?? 'inbound';
  if (attributes.get('bidirectional') !== 'true') {
    note('<Stream> is not bidirectional: the caller hears nothing of what the gateway sends');
    if (track !== 'inbound') note(`of audioTrack="${track}" only the inbound track is simulated`);
  } else if (track !== 'inbound') {
    violation('stream-track-forbidden', `a bidirectional stream has no audioTrack="${track}"`);
  }
  if (attributes.get('keepCallAlive') !== 'true') {
    note(
      'keepCallAlive is not true: Plivo would go on with the XML at once, and end the call if nothing follows; here it waits',
    );
  }
  if (!attributes.has('contentType')) {
    note(
      `contentType is missing, and Plivo's pages name two defaults; taken: ${contentTypeDefault}`,
    );
  }
  if (attributes.has('noiseCancellationLevel') && attributes.get('noiseCancellation') !== 'true') {
    note('noiseCancellationLevel says nothing without noiseCancellation="true"');
  }
}

function isPositive(text: string): boolean {
  return /^\d{1,9}$/.test(text) && Number(text) > 0;
}

const charsShown = 80;

/** Of whatever length it is. */
function shown(text: string): string {
  return shownUrl(text).slice(0, charsShown);
}
