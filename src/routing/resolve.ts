import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** All addresses of a host; rejects if it has none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

/** As the system resolves names: its hosts file and its DNS servers. */
export const resolveHost: Resolve = async (host) => {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (isIP(bare) > 0) return [bare];
  const found = await lookup(bare, { all: true });
  return found.map(({ address }) => address);
};

/** Host, port and TLS of an upstream's URL, whatever facts of calls it holds. */
export function endpointOf(template: string) {
  const { protocol, hostname, port } = new URL(template.replace(/\{[a-z]+\}/g, 'x'));
  const isTls = protocol === 'wss:';
  return { host: hostname, port: port === '' ? (isTls ? 443 : 80) : Number(port), isTls };
}
