import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { type BlockList, isIP } from 'node:net';

/**
 * Whose request it is: that of the socket, or where a proxy that is trusted stands in between, who it says is behind
 * it, by PROXY protocol or by the last entry of `X-Forwarded-For`.
 */
export class ClientAddress {
  readonly #trusted: BlockList;
  readonly #trustsAny: boolean;

  constructor(trusted: BlockList) {
    this.#trusted = trusted;
    this.#trustsAny = trusted.rules.length > 0;
  }

  of(response: HttpResponse, request: HttpRequest): string {
    const socket = plain(Buffer.from(response.getRemoteAddressAsText()).toString());
    if (!this.#trustsAny || !this.#isTrusted(socket)) return socket;
    const proxied = plain(Buffer.from(response.getProxiedRemoteAddressAsText()).toString());
    if (proxied !== '') return proxied;
    // Each proxy adds one at the end: the last that is not itself trusted is who came in.
    const chain = request.getHeader('x-forwarded-for').slice(-forwardedCharsMax).split(',');
    const behind = chain.map((part) => plain(part.trim())).filter((part) => part !== '');
    return behind.findLast((address) => !this.#isTrusted(address)) ?? socket;
  }

  #isTrusted(address: string): boolean {
    return this.#trusted.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
  }
}

const forwardedCharsMax = 1_000;

/** An IPv4 address on a socket for both families is written as IPv6; in a header it may be anything. */
function plain(address: string): string {
  const octets = /^(?:0{4}:){5}ffff:(..)(..):(..)(..)$/i.exec(address)?.slice(1);
  const text = octets?.map((octet) => Number.parseInt(octet, 16)).join('.') ?? address;
  const short = text.replace(/^::ffff:(?=\d+\.)/i, '');
  return isIP(short) === 0 ? '' : short;
}
