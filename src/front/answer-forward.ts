import { DOMParser, type Document, type Element, XMLSerializer } from '@xmldom/xmldom';
import { Agent, request } from 'undici';
import { errorText } from '../errors.js';
import { answerBytesMax, forwardTimeoutMs } from '../limits.js';
import { nonceHeader, signatureHeaders } from '../plivo/signature.js';
import type { VerifiedWebhook } from './webhooks.js';

/** What a user's own answer service said. */
export type ForwardedAnswer =
  | {
      readonly kind: 'stream';
      /** Values in the query of the URL that it gave its stream. */
      readonly query: Readonly<Record<string, string>>;
      /** Its XML with this URL in its `<Stream>`, and this status callback if it has none. */
      withStream(url: string, statusCallbackUrl: string): string;
      /** For people, if something about it is odd. */
      readonly note: string | undefined;
    }
  /** No `<Stream>` in it: Plivo does something else. */
  | { readonly kind: 'other'; readonly xml: string; readonly note: string }
  | { readonly kind: 'failed'; readonly why: string; readonly remedy: string };

/** Asks the answer service that a user already has. */
export class AnswerForward {
  readonly #url: string;
  /** Connections stay open: calls come all day. */
  readonly #agent = new Agent({
    connect: { timeout: forwardTimeoutMs },
    headersTimeout: forwardTimeoutMs,
    bodyTimeout: forwardTimeoutMs,
  });

  constructor(url: string) {
    this.#url = url;
  }

  /** The webhook as Plivo sent it: its method, fields, query and signature. Never rejects. */
  async ask({ method, query, body, headers, url }: VerifiedWebhook): Promise<ForwardedAnswer> {
    const target = new URL(this.#url);
    for (const [name, value] of new URLSearchParams(query)) target.searchParams.append(name, value);
    const sent: Record<string, string> = { 'x-forwarded-url': url ?? '' };
    for (const name of [nonceHeader, ...signatureHeaders]) {
      if (headers[name]) sent[name] = headers[name];
    }
    if (method === 'POST') sent['content-type'] = 'application/x-www-form-urlencoded';
    let text: string;
    try {
      const answer = await request(target, {
        method,
        headers: sent,
        body: method === 'POST' ? body : null,
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(forwardTimeoutMs),
      });
      text = await readText(answer.body);
      if (answer.statusCode !== 200) {
        return failed(`it answered with status ${answer.statusCode}`, 'look into its own log');
      }
    } catch (thrown) {
      const why = isTimeout(thrown)
        ? `no answer within ${forwardTimeoutMs / 1_000} s`
        : errorText(thrown);
      return failed(why, 'see whether answer.forward names it, and whether it runs');
    }
    return readAnswer(text);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

function isTimeout(thrown: unknown): boolean {
  return thrown instanceof Error && /Timeout|Abort/.test(thrown.name);
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > answerBytesMax)
      throw new Error(`more than ${answerBytesMax / 1024} KB, which Plivo does not take`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Reads the XML of an answer service. Never throws. */
export function readAnswer(text: string): ForwardedAnswer {
  let document: Document;
  try {
    document = parse(text);
  } catch (thrown) {
    const [why = ''] = errorText(thrown).split('\n');
    return failed(
      `its answer is not XML: ${why.slice(0, 200)}`,
      'it has to answer with <Response>…</Response>',
    );
  }
  const root = document.documentElement;
  if (root?.nodeName !== 'Response') {
    const name = root?.nodeName.slice(0, 40) ?? 'nothing';
    return failed(`its answer begins with <${name}>`, 'Plivo wants <Response>');
  }
  const [stream, ...others] = [...document.getElementsByTagName('Stream')];
  if (stream === undefined) {
    const note = 'an answer service gave a call no <Stream>: the call does not come here';
    return { kind: 'other', xml: text, note };
  }
  return {
    kind: 'stream',
    query: queryOf(stream),
    withStream: (url, statusCallbackUrl) => withStream(document, stream, url, statusCallbackUrl),
    note: noteOn(stream, others.length),
  };
}

function parse(text: string): Document {
  const onError = (level: string, message: string) => {
    if (level !== 'warning') throw new Error(message);
  };
  return new DOMParser({ onError }).parseFromString(text, 'application/xml');
}

function withStream(
  document: Document,
  stream: Element,
  url: string,
  statusCallbackUrl: string,
): string {
  while (stream.firstChild !== null) stream.removeChild(stream.firstChild);
  stream.appendChild(document.createTextNode(url));
  if (!stream.hasAttribute('statusCallbackUrl')) {
    stream.setAttribute('statusCallbackUrl', statusCallbackUrl);
  }
  return new XMLSerializer().serializeToString(document);
}

function queryOf(stream: Element): Record<string, string> {
  const url = (stream.textContent ?? '').trim();
  const known: Record<string, string> = {};
  if (!URL.canParse(url)) return known;
  for (const [name, value] of new URL(url).searchParams) {
    if (name !== '__proto__') known[name] ??= value;
  }
  return known;
}

function noteOn(stream: Element, others: number): string | undefined {
  if (others > 0) {
    return `an answer service gave a call ${others + 1} <Stream>s: the first comes here, the others stay as they are`;
  }
  if (stream.getAttribute('bidirectional') !== 'true') {
    return 'an answer service gave a call a <Stream> without bidirectional="true": its caller will hear nothing';
  }
  return undefined;
}

function failed(why: string, remedy: string): ForwardedAnswer {
  return { kind: 'failed', why, remedy };
}
