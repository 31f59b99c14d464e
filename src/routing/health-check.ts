import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, isIP } from 'node:net';
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
  const ca = readIfThere(caFile);
  return new Promise((resolve) => {
    const request = (isTls ? httpsRequest : httpRequest)({
      ...{ host: ip ?? name, port, path, agent: false },
      // An address is no name that TLS could ask for.
      servername: isIP(name) > 0 ? '' : name,
      headers: { ...headers, host: `${host}:${port}` },
      ...(ca !== undefined && { ca }),
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

/** It was there when the configuration was read. */
function readIfThere(file: string | undefined): Buffer | undefined {
  try {
    return file === undefined ? undefined : readFileSync(file);
  } catch {
    return undefined;
  }
}
