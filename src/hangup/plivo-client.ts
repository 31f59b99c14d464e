import { Pool } from 'undici';
import type { PlivoConfig } from '../config/types.js';
import { GatewayError } from '../errors.js';
import { restConnections, restTimeoutMs } from '../limits.js';
import { basicAuthorization, callUrl, transferBody } from '../plivo/rest.js';

export interface PlivoAnswer {
  readonly status: number;
  /** Value of `Retry-After`, if Plivo sent one. */
  readonly retryAfterMs: number | undefined;
  /** Start of the body, for a log line. */
  readonly text: string;
}

/** Plivo's REST API over a few kept-alive connections: a cold one costs about a second (section 5.3). */
export class PlivoClient {
  readonly #config: PlivoConfig;
  readonly #pool: Pool;

  constructor(config: PlivoConfig) {
    this.#config = config;
    this.#pool = new Pool(new URL(config.apiUrl).origin, {
      connections: restConnections,
      pipelining: 1,
      headersTimeout: restTimeoutMs,
      bodyTimeout: restTimeoutMs,
      connect: { timeout: restTimeoutMs },
    });
  }

  get hasCredentials(): boolean {
    return this.#config.credentials !== undefined;
  }

  /** @throws GatewayError BAD_CALL_ID, MISSING_CREDENTIALS; network errors of undici */
  hangup(callId: string): Promise<PlivoAnswer> {
    return this.#request('DELETE', callId, undefined);
  }

  /** @throws as `hangup` */
  transfer(callId: string, url: string): Promise<PlivoAnswer> {
    return this.#request('POST', callId, transferBody(url));
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  async #request(
    method: 'DELETE' | 'POST',
    callId: string,
    body: string | undefined,
  ): Promise<PlivoAnswer> {
    const { credentials, apiUrl } = this.#config;
    if (credentials === undefined) {
      throw new GatewayError('MISSING_CREDENTIALS', 'set PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN');
    }
    const url = new URL(callUrl(apiUrl, credentials.authId, callId));
    const answer = await this.#pool.request({
      method,
      path: url.pathname,
      headers: {
        authorization: basicAuthorization(credentials),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body ?? null,
      // Hanging up twice is as good as once; without this undici would not queue DELETEs on one connection.
      idempotent: method === 'DELETE',
      signal: AbortSignal.timeout(restTimeoutMs),
    });
    const text = (await answer.body.text()).slice(0, 200);
    const retryAfter = Number(answer.headers['retry-after']);
    return {
      status: answer.statusCode,
      retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1_000 : undefined,
      text,
    };
  }
}
