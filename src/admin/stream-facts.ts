import type { IncomingMessage } from 'node:http';

/** What `POST /api/stream-url` is told of a call. */
export interface StreamFacts {
  readonly callId: string;
  readonly from: string;
  readonly to: string;
  readonly query: Readonly<Record<string, string>>;
  /** Name of the account, and of the route; empty if they are to be found out. */
  readonly account: string;
  readonly route: string;
}

const bodyBytesMax = 16 * 1024;
const names = ['callId', 'from', 'to', 'query', 'account', 'route', 'direction'] as const;

/** Reads a body; empty if there is more of it than any call needs. */
export async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes <= bodyBytesMax) chunks.push(chunk);
  }
  return bytes > bodyBytesMax ? '' : Buffer.concat(chunks).toString('utf8');
}

/** The facts, or what is wrong with them. */
export function readStreamFacts(body: string): StreamFacts | string {
  let read: unknown;
  try {
    read = JSON.parse(body);
  } catch {
    return `the body is not JSON, or longer than ${bodyBytesMax / 1024} KB`;
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read)) {
    return 'the body is no JSON object';
  }
  const unknown = Object.keys(read).filter((name) => !(names as readonly string[]).includes(name));
  if (unknown.length > 0) return `unknown: ${unknown.join(', ')}; known are ${names.join(', ')}`;
  const {
    callId,
    from = '',
    to = '',
    account = '',
    route = '',
    direction,
    query = {},
  } = read as Record<string, unknown>;
  if (typeof callId !== 'string' || !/^[A-Za-z0-9_-]{1,128}$/.test(callId)) {
    return 'callId has to be the CallUUID of the answer webhook';
  }
  const texts = { from, to, account, route, direction: direction ?? '' };
  for (const [name, value] of Object.entries(texts)) {
    if (typeof value !== 'string') return `${name} has to be a text`;
  }
  const isMap = typeof query === 'object' && query !== null && !Array.isArray(query);
  if (!isMap || Object.values(query).some((value) => typeof value !== 'string')) {
    return 'query has to be an object of texts';
  }
  const { direction: said, ...plain } = texts as Record<keyof typeof texts, string>;
  const more = said === '' ? {} : { direction: said };
  return { callId, ...plain, query: { ...(query as Record<string, string>), ...more } };
}
