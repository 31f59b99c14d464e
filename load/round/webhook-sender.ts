import { Agent, request } from 'undici';
import type { Fields, SignedMethod } from '../../src/plivo/signature.js';
import { signedHeaders } from '../signing.js';

/** Plivo waits 15 s for an answer (protocol section 7.5). */
const answerMsMax = 15_000;
/** Plivo takes no larger document (section 4.1). */
export const documentBytesMax = 100 * 1024;
const connectionsMax = 64;

export interface WebhookSenderOptions {
  /** The account's auth token, with which all is signed (section 6). */
  readonly authToken?: string | undefined;
  /** Takes any certificate. */
  readonly insecure?: boolean;
  /** How often it is tried again after a 5xx or no answer; Plivo does once, if it was not told otherwise (section 7.5). */
  readonly retries?: number;
  readonly timeoutMs?: number;
}

/** What came of one webhook, tries included. */
export interface WebhookAnswer {
  /** Null if there was no answer. */
  readonly status: number | null;
  /** Why there was none, in few words. */
  readonly problem: string | null;
  readonly contentType: string;
  /** No more than a byte above `documentBytesMax`. */
  readonly body: Uint8Array;
  /** From the first try until the answer had been read. */
  readonly ms: number;
  readonly tries: number;
}

export function isSuccess({ status }: WebhookAnswer): boolean {
  return status !== null && status >= 200 && status < 300;
}

/** Sends webhooks as Plivo does: fields as a form, or in the query of a GET; signed if there is a token. */
export class WebhookSender {
  readonly #options: WebhookSenderOptions;
  readonly #agent: Agent;
  readonly #timeoutMs: number;

  constructor(options: WebhookSenderOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? answerMsMax;
    this.#agent = new Agent({
      connections: connectionsMax,
      connect: { rejectUnauthorized: options.insecure !== true, timeout: this.#timeoutMs },
    });
  }

  /** Never throws. Redirects of HTTP are not followed: an answer is what the URL itself says. */
  async send(method: SignedMethod, url: string, fields: Fields): Promise<WebhookAnswer> {
    const startMs = performance.now();
    const { retries = 1 } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#try(method, url, fields);
      const isFailure = answer.status === null || answer.status >= 500;
      if (isFailure && tries <= retries) continue;
      return { ...answer, ms: performance.now() - startMs, tries };
    }
  }

  /** Cuts what is open. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #try(method: SignedMethod, url: string, fields: Fields) {
    // Plivo's own parameters stand behind a `#` (section 7.5), and are not sent.
    const [bare = ''] = url.split('#', 1);
    const form = formOf(fields);
    const isPost = method === 'POST';
    const target = isPost ? bare : `${bare}${bare.includes('?') ? '&' : '?'}${form}`;
    const signature = signedHeaders(method, target, isPost ? fields : [], this.#options.authToken);
    try {
      const response = await request(target, {
        method,
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(this.#timeoutMs),
        headers: isPost
          ? { 'content-type': 'application/x-www-form-urlencoded', ...signature }
          : signature,
        ...(isPost ? { body: form } : {}),
      });
      const contentType = String(response.headers['content-type'] ?? '');
      const body = await firstBytes(response.body);
      return { status: response.statusCode, problem: null, contentType, body };
    } catch (error) {
      const problem = this.#problemOf(error as NodeJS.ErrnoException);
      return { status: null, problem, contentType: '', body: new Uint8Array() };
    }
  }

  #problemOf({ name, code, message }: NodeJS.ErrnoException): string {
    if (name === 'TimeoutError') return `no answer within ${this.#timeoutMs / 1_000} s`;
    return code ?? (message || name);
  }
}

function formOf(fields: Fields): string {
  return new URLSearchParams(
    fields.map(([name, value]): [string, string] => [name, value]),
  ).toString();
}

async function firstBytes(body: AsyncIterable<unknown>): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let count = 0;
  for await (const piece of body) {
    pieces.push(piece as Buffer);
    count += (piece as Buffer).byteLength;
    if (count > documentBytesMax) break;
  }
  return Buffer.concat(pieces).subarray(0, documentBytesMax + 1);
}
