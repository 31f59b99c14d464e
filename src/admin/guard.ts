import { createHash, timingSafeEqual } from 'node:crypto';
import { isIPv4 } from 'node:net';

/** Who may ask the admin listener. */
export interface GuardRules {
  /** Where it listens, as configured. */
  readonly host: string;
  readonly token: string | undefined;
  /** `/metrics` needs no token. */
  readonly metricsPublic: boolean;
}

/** What counts of a request: its path without the query, and headers. */
export interface RequestFacts {
  readonly path: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
}

/** Why a request is not answered. */
export interface Refusal {
  /** 401 also needs the header `WWW-Authenticate: Bearer`. */
  readonly status: 401 | 403 | 421;
  readonly error: string;
}

const health = ['/livez', '/readyz'];
const loopbackHost = String.raw`(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?`;
const loopbackAuthority = new RegExp(`^${loopbackHost}$`, 'i');
const loopbackOrigin = new RegExp(`^https?://${loopbackHost}$`, 'i');

/** Whether only this machine reaches a listening address. Another name for loopback is not known as such. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost' || host === '::1') return true;
  return isIPv4(host) && host.startsWith('127.');
}

/**
 * Health needs no token, all else does. Without one, loopback is open to the machine but not to the web pages in its
 * browsers: these name their `Origin`, or, where a DNS answer has led their own name here, a `Host` that is not ours.
 * @returns undefined for a request that may be answered
 */
export function refusalOf(rules: GuardRules, request: RequestFacts): Refusal | undefined {
  const { path, host = '', origin, authorization } = request;
  const onLoopback = isLoopback(rules.host);
  if (onLoopback && origin !== undefined && !loopbackOrigin.test(origin)) {
    return { status: 403, error: 'a web page of elsewhere may not ask this (header Origin)' };
  }
  // Whoever checks health may name the host as it likes: a pod, a load balancer's address.
  if (health.includes(path)) return undefined;
  if (onLoopback && !loopbackAuthority.test(host)) {
    const error =
      'ask for localhost, 127.0.0.1 or [::1] by name (header Host): this listens on loopback';
    return { status: 421, error };
  }
  if (path === '/metrics' && rules.metricsPublic) return undefined;
  if (rules.token === undefined) {
    if (onLoopback) return undefined;
    const error = `there is no token, and ${rules.host} is no loopback address: set ADMIN_TOKEN for the gateway`;
    return { status: 401, error };
  }
  const [, sent] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (sent === undefined) {
    const error = "send the gateway's ADMIN_TOKEN: Authorization: Bearer <token>";
    return { status: 401, error };
  }
  if (isSame(sent, rules.token)) return undefined;
  return { status: 401, error: "this is not the gateway's ADMIN_TOKEN" };
}

/** Takes as long wherever they differ, and of whatever length they are. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digestOf(one), digestOf(other));
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
