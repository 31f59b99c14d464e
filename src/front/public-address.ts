import { streamUrlCharsMax } from '../plivo/xml.js';

/**
 * Where Plivo reaches this gateway: `PUBLIC_URL`, or without it what a request says in its Host header. Behind a proxy
 * that ends TLS the scheme cannot be known from the socket.
 */
export class PublicAddress {
  readonly #publicUrl: string | undefined;
  readonly #scheme: 'http' | 'https';

  /**
   * @param publicUrl without a trailing slash
   * @param tls whether the gateway itself speaks TLS
   */
  constructor(publicUrl: string | undefined, tls: boolean) {
    this.#publicUrl = publicUrl;
    this.#scheme = tls ? 'https' : 'http';
  }

  /** Host and path before those of this gateway, without a scheme. */
  place(host: string | undefined): string | undefined {
    if (this.#publicUrl !== undefined) return this.#publicUrl.replace(/^https?:\/\//, '');
    return hostOf(host);
  }

  /** URLs that a webhook may have been sent to. */
  urls(host: string | undefined, pathAndQuery: string): string[] {
    if (this.#publicUrl !== undefined) return [`${this.#publicUrl}${pathAndQuery}`];
    const known = hostOf(host);
    if (known === undefined) return [];
    return [`https://${known}${pathAndQuery}`, `http://${known}${pathAndQuery}`];
  }

  /**
   * Start of the URLs that Plivo is given.
   * @param reachedAt the URL of this request, if it is known
   */
  base(host: string | undefined, reachedAt?: string): string | undefined {
    if (this.#publicUrl !== undefined) return this.#publicUrl;
    const known = hostOf(host);
    if (known === undefined) return undefined;
    return `${reachedAt === undefined ? this.#scheme : reachedAt.split(':')[0]}://${known}`;
  }
}

/** Anybody may send anything as a Host header, and it ends in URLs and in the log. */
function hostOf(host = ''): string | undefined {
  return /^[A-Za-z0-9.:[\]_-]+$/.test(host) && host.length < streamUrlCharsMax / 8
    ? host
    : undefined;
}
