import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Headers, signatureHeaders, verifyV3 } from '../../src/plivo/signature.js';

export const token = 'token-of-the-test';

/** One webhook that arrived. */
export interface Told {
  readonly method: string;
  readonly path: string;
  readonly fields: URLSearchParams;
  /** Which of the two signatures holds by itself. */
  readonly signedBy: readonly string[];
}

export interface Reply {
  readonly status?: number;
  readonly type?: string;
  readonly body?: string;
}

/** A voice application's web server, of a few lines: replies by path, 200 and nothing elsewhere. */
export interface AnswerServer {
  readonly url: string;
  readonly told: Told[];
  /** `Event` of each webhook to this path. */
  events(path: string): (string | null)[];
  close(): Promise<void>;
}

export type Replies = Readonly<Record<string, (told: Told, count: number) => Reply | 'never'>>;

export async function startAnswerServer(replies: Replies): Promise<AnswerServer> {
  const told: Told[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', base);
      const isGet = request.method === 'GET';
      const fields = isGet ? searchParams : new URLSearchParams(body);
      const one: Told = {
        ...{ method: request.method ?? '', path: pathname, fields },
        signedBy: signatureHeaders.filter((name) => isSigned(request, body, name)),
      };
      told.push(one);
      const count = told.filter(({ path }) => path === pathname).length;
      const reply = replies[pathname]?.(one, count) ?? {};
      if (reply === 'never') return;
      response.statusCode = reply.status ?? 200;
      response.setHeader('content-type', reply.type ?? 'application/xml');
      response.end(reply.body ?? '');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  function isSigned(request: IncomingMessage, body: string, name: string): boolean {
    const all = request.headers as Headers;
    const other = signatureHeaders.find((one) => one !== name)!;
    return verifyV3({
      method: request.method === 'GET' ? 'GET' : 'POST',
      url: `${base}${request.url}`,
      params: request.method === 'GET' ? [] : [...new URLSearchParams(body)],
      headers: { ...all, [other]: undefined },
      tokens: [token],
    });
  }

  return {
    url: base,
    told,
    events: (path) =>
      told.filter((one) => one.path === path).map(({ fields }) => fields.get('Event')),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const piece of request) body += String(piece);
  return body;
}
