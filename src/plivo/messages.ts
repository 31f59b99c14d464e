/**
 * Plivo's stream messages exactly as on the wire (protocol reference, sections 2 and 3), read tolerantly (section 10).
 * Nothing here throws on a peer's input: what cannot be read comes back as an `unreadable` with its reason.
 */

export type Track = 'inbound' | 'outbound';
export type Encoding = 'mulaw' | 'l16';

/** What `start.mediaFormat` says: the encoding of both directions and its rate in Hz. */
export interface MediaFormat {
  readonly encoding: Encoding;
  readonly sampleRate: number;
}

export interface StartMessage {
  readonly event: 'start';
  readonly callId: string;
  readonly streamId: string;
  readonly accountId: string;
  readonly tracks: readonly Track[];
  readonly format: MediaFormat;
  readonly extraHeaders: Readonly<Record<string, string>>;
}

export interface MediaMessage {
  readonly event: 'media';
  readonly track: Track;
  /** Base64 as it came. */
  readonly payload: string;
  /** Number of the packet in its track (section 2.2); -1 where it is not told. */
  readonly chunk: number;
}

export interface DtmfMessage {
  readonly event: 'dtmf';
  readonly digit: string;
  readonly track: Track;
}

export type PlivoMessage =
  | StartMessage
  | MediaMessage
  | DtmfMessage
  | { readonly event: 'playedStream'; readonly name: string }
  | { readonly event: 'clearedAudio' }
  | { readonly event: 'stop'; readonly reason: string };

/** Why a message was put aside. Each is a metric label. */
export type UnreadableReason =
  | 'bad-json'
  | 'not-an-object'
  | 'bad-message'
  | 'bad-format'
  | 'bad-digit'
  | 'unknown-event';

export interface Unreadable {
  readonly event: 'unreadable';
  readonly reason: UnreadableReason;
  /** For a log line: what was wrong, without the peer's data beyond an event's name. */
  readonly detail: string;
}

export const wireEncodings = { mulaw: 'audio/x-mulaw', l16: 'audio/x-l16' } as const;

/** Formats Plivo offers (section 4.2); 24 kHz is documented on one page only and accepted. */
export const formatRates: Readonly<Record<Encoding, readonly number[]>> = {
  mulaw: [8_000],
  l16: [8_000, 16_000, 24_000],
};

export const digitPattern = /^[0-9*#A-D]$/;

/** Ids are UUIDs; they go into messages of ours, so they have a bound. */
const idCharsMax = 256;

type Members = Readonly<Record<string, unknown>>;

/** Reads one message of Plivo. Unknown members are ignored, numbers may be strings (section 10, row 8). */
export function readMessage(text: string): PlivoMessage | Unreadable {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return unreadable('bad-json', 'not JSON');
  }
  const message = members(value);
  if (message === undefined) return unreadable('not-an-object', 'JSON, but not an object');
  switch (message.event) {
    case 'start':
      return readStart(message);
    case 'media':
      return readMedia(message);
    case 'dtmf':
      return readDtmf(message);
    case 'playedStream':
    case 'played': // the support FAQ's name for the same event (section 2.4)
      return typeof message.name === 'string'
        ? { event: 'playedStream', name: message.name }
        : unreadable('bad-message', 'playedStream without a name');
    case 'clearedAudio':
      return { event: 'clearedAudio' };
    case 'stop': {
      const reason = message.reason ?? members(message.stop)?.reason;
      return { event: 'stop', reason: typeof reason === 'string' ? reason.slice(0, 100) : '' };
    }
    default:
      return typeof message.event === 'string'
        ? unreadable('unknown-event', `event ${JSON.stringify(message.event.slice(0, 40))}`)
        : unreadable('bad-message', 'no event member');
  }
}

function readStart(message: Members): StartMessage | Unreadable {
  const start = members(message.start);
  if (start === undefined) return unreadable('bad-message', 'start without its start object');
  const streamId = text(start.streamId) || text(message.streamId);
  const callId = text(start.callId);
  if (streamId === '' || callId === '') {
    return unreadable('bad-message', `start without ${streamId === '' ? 'streamId' : 'callId'}`);
  }
  if (streamId.length > idCharsMax || callId.length > idCharsMax) {
    return unreadable('bad-message', `start with an id of more than ${idCharsMax} characters`);
  }
  const format = readFormat(start.mediaFormat);
  if (format === undefined) return unreadable('bad-format', unknownFormat(start.mediaFormat));
  return {
    event: 'start',
    callId,
    streamId,
    accountId: text(start.accountId),
    tracks: readTracks(start.tracks),
    format,
    extraHeaders: readExtraHeaders(message.extra_headers),
  };
}

/**
 * Two public clients disagree on the names inside: `encoding`/`sampleRate` and `type`/`rate`; both are read.
 * A missing format is µ-law at 8 kHz, telephony's own.
 */
function readFormat(value: unknown): MediaFormat | undefined {
  if (value === undefined || value === null) return { encoding: 'mulaw', sampleRate: 8_000 };
  const format = members(value);
  if (format === undefined) return undefined;
  const [name = '', ...parameters] = text(format.encoding ?? format.type ?? wireEncodings.mulaw)
    .toLowerCase()
    .split(';');
  const encoding = name.includes('l16') ? 'l16' : name.includes('mulaw') ? 'mulaw' : undefined;
  if (encoding === undefined) return undefined;
  const inName = parameters.find((part) => part.trim().startsWith('rate='))?.split('=')[1];
  const sampleRate = Number(text(format.sampleRate ?? format.rate ?? inName ?? 8_000));
  return formatRates[encoding].includes(sampleRate) ? { encoding, sampleRate } : undefined;
}

function readTracks(value: unknown): readonly Track[] {
  const tracks = Array.isArray(value) ? value.filter(isTrack) : [];
  return tracks.length > 0 ? tracks : ['inbound'];
}

function readMedia(message: Members): MediaMessage | Unreadable {
  const media = members(message.media);
  if (typeof media?.payload !== 'string') {
    return unreadable('bad-message', 'media without a payload string');
  }
  return {
    event: 'media',
    track: media.track === 'outbound' ? 'outbound' : 'inbound',
    payload: media.payload,
    chunk: readChunk(media.chunk),
  };
}

function readChunk(value: unknown): number {
  const digits = text(value);
  const chunk = /^\d{1,10}$/.test(digits) ? Number(digits) : -1;
  return chunk < 2 ** 31 ? chunk : -1;
}

function readDtmf(message: Members): DtmfMessage | Unreadable {
  const dtmf = members(message.dtmf);
  const digit = text(dtmf?.digit).toUpperCase();
  if (!digitPattern.test(digit)) return unreadable('bad-digit', 'dtmf without a digit 0-9 * # A-D');
  return { event: 'dtmf', digit, track: dtmf?.track === 'outbound' ? 'outbound' : 'inbound' };
}

/**
 * All forms seen of `extra_headers` (section 10, row 7): `k=v;k=v`, `k=v,k=v`, JSON, `{X-PH-k: v}`, absent.
 * An `X-PH-` prefix is dropped. Never fails: what makes no sense is left out.
 */
export function readExtraHeaders(value: unknown): Readonly<Record<string, string>> {
  const headers: Record<string, string> = Object.create(null);
  const add = (name: string, content: string): void => {
    const key = name.trim().replace(/^X-PH-/i, '');
    if (key !== '' && key !== '__proto__') headers[key] = decoded(content.trim());
  };
  if (typeof value === 'string') {
    const parsed = value.trim().startsWith('{') ? jsonMembers(value) : undefined;
    if (parsed !== undefined) return readExtraHeaders(parsed);
    for (const pair of value.replace(/^\{|\}$/g, '').split(/[;,]/)) {
      const at = pair.search(/[=:]/);
      if (at > 0) add(pair.slice(0, at), pair.slice(at + 1));
    }
  } else {
    for (const [name, content] of Object.entries(members(value) ?? {})) {
      if (['string', 'number', 'boolean'].includes(typeof content)) add(name, String(content));
    }
  }
  return headers;
}

function jsonMembers(value: string): Members | undefined {
  try {
    return members(JSON.parse(value));
  } catch {
    return undefined;
  }
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function members(value: unknown): Members | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Members)
    : undefined;
}

/** Ids and numbers may come as strings or as numbers. */
function text(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : '';
}

function isTrack(value: unknown): value is Track {
  return value === 'inbound' || value === 'outbound';
}

function unknownFormat(value: unknown): string {
  const format = members(value);
  const encoding = text(format?.encoding ?? format?.type).slice(0, 40);
  const rate = text(format?.sampleRate ?? format?.rate).slice(0, 10);
  return `start with a media format that is not known: ${JSON.stringify(encoding)} at ${rate || '?'} Hz`;
}

function unreadable(reason: UnreadableReason, detail: string): Unreadable {
  return { event: 'unreadable', reason, detail };
}

/** `clearAudio` (section 3.3). */
export function clearAudioText(streamId: string): string {
  return JSON.stringify({ event: 'clearAudio', streamId });
}

/** `checkpoint` (section 3.2). */
export function checkpointText(streamId: string, name: string): string {
  return JSON.stringify({ event: 'checkpoint', streamId, name });
}

/** `sendDTMF` (section 3.4): one message per request, no streamId. */
export function sendDtmfText(digits: string): string {
  return JSON.stringify({ event: 'sendDTMF', dtmf: digits });
}

/** The constant parts of a `playAudio` around its payload (section 3.1). */
export function playAudioEnds(format: MediaFormat, streamId?: string): readonly [string, string] {
  const media = `"contentType":"${wireEncodings[format.encoding]}","sampleRate":${format.sampleRate}`;
  const tail = streamId === undefined ? '' : `,"streamId":${JSON.stringify(streamId)}`;
  return [`{"event":"playAudio","media":{${media},"payload":"`, `"}${tail}}`];
}
