import { type StreamFormatName, streamFormatNames, streamFormats } from '../stream-format.js';

/** What an answer's `<Stream>` asks for (protocol section 4.1). */
export interface AnsweredStream {
  readonly url: string;
  /** Undefined if Plivo offers none such. */
  readonly format: StreamFormatName | undefined;
  readonly extraHeaders: string;
  readonly statusUrl: string | undefined;
  /** Without it Plivo plays nothing of what is sent. */
  readonly isBidirectional: boolean;
}

const streamElement = /<Stream\b([^>]*)>([\s\S]*?)<\/Stream\s*>/;
const attribute = /([A-Za-z]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};
/** Without `contentType` the XML page's default holds (section 4.1). */
const contentTypeDefault = 'audio/x-l16;rate=8000';

/** Throws an `Error` of few words if there is no stream to connect to. */
export function readAnswerXml(xml: string): AnsweredStream {
  const element = streamElement.exec(xml.replace(/<!--[\s\S]*?-->/g, ''));
  if (element === null) throw new Error('answer webhook: its XML has no <Stream>');
  const [, inTag = '', text = ''] = element;
  const attributes = new Map<string, string>();
  for (const [, name = '', double, single] of inTag.matchAll(attribute)) {
    attributes.set(name, unescaped(double ?? single ?? ''));
  }
  const url = unescaped(text).trim();
  if (!/^wss?:\/\//.test(url) || !URL.canParse(url)) {
    throw new Error('answer webhook: its <Stream> holds no ws or wss URL');
  }
  return {
    url,
    format: formatOf(attributes.get('contentType') ?? contentTypeDefault),
    extraHeaders: attributes.get('extraHeaders') ?? '',
    statusUrl: attributes.get('statusCallbackUrl'),
    isBidirectional: attributes.get('bidirectional') === 'true',
  };
}

function formatOf(contentType: string): StreamFormatName | undefined {
  const bare = contentType.replace(/\s+/g, '').toLowerCase();
  return streamFormatNames.find((name) => {
    const { encoding, rateHz } = streamFormats[name];
    return bare === `${encoding};rate=${rateHz}`;
  });
}

function unescaped(text: string): string {
  return text.replace(/&(#x?[0-9a-fA-F]+|[a-z]+);/g, (whole, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    return entities[name] ?? whole;
  });
}
