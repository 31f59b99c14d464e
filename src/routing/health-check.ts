import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { UpstreamConfig } from '../config/types.js';
import { healthTimeoutMs } from '../limits.js';
import type { AddressPlace } from '../shard/routing.js';
import { endpointOf } from './resolve.js';

/** Whether an application is there: it takes a connection, or answers a GET with 2xx. Never rejects. */
export function isHealthy(upstream: UpstreamConfig, place: AddressPlace): Promise<boolean> {
  const { health } = upstream;
  return health === undefined || health === 'connect'
    ? takesConnection(place)
    : answers(upstream, place, health);
}

function takesConnection({ url, ip }: AddressPlace): Promise<boolean> {
  const { host, port } = endpointOf(url);
  return new Promise((resolve) => {
    const socket = connect({ host: ip ?? bare(host), port, timeout: healthTimeoutMs });
    const done = (isUp: boolean) => () => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once('connect', done(true)).once('timeout', done(false)).once('error', done(false));
  });
}

function answers(
  { caFile, headers }: UpstreamConfig,
  { url, ip }: AddressPlace,
  path: string,
): Promise<boolean> {
  const { host, port, isTls } = endpointOf(url);
  const name = bare(host);
  return new Promise((resolve) => {
    const request = (isTls ? httpsRequest : httpRequest)({
      ...{ host: ip ?? name, servername: name, port, path, agent: false },
      headers: { ...headers, host: `${host}:${port}` },
      ...(caFile !== undefined && { ca: readFileSync(caFile) }),
      signal: AbortSignal.timeout(healthTimeoutMs),
    });
    request.once('response', (response) => {
      const { statusCode = 0 } = response;
      response.destroy();
      resolve(statusCode >= 200 && statusCode < 300);
    });
    request.on('error', () => resolve(false));
    request.end();
  });
}

/** IPv6 addresses stand in brackets in a URL. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
