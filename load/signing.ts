import { randomInt } from 'node:crypto';
import {
  type Fields,
  nonceHeader,
  type SignedMethod,
  signatureHeaders,
  signatureV3,
} from '../src/plivo/signature.js';

/**
 * The headers with which Plivo signs a request, V3 (protocol section 6). Account and main account are the same here, so
 * both headers hold the same signature. Without a token there are none.
 */
export function signedHeaders(
  method: SignedMethod,
  url: string,
  params: Fields,
  token: string | undefined,
): Record<string, string> {
  if (token === undefined) return {};
  const nonce = newNonce();
  const signature = signatureV3(method, url, params, nonce, token);
  const [ofAccount, ofMainAccount] = signatureHeaders;
  return { [nonceHeader]: nonce, [ofAccount]: signature, [ofMainAccount]: signature };
}

/**
 * The same for the upgrade of a stream. What is signed is what was seen on live calls (section 6.4): the stream URL with
 * its scheme replaced by `http://`.
 */
export function upgradeHeaders(
  streamUrl: string,
  token: string | undefined,
): Record<string, string> {
  return signedHeaders('GET', streamUrl.replace(/^wss?:\/\//i, 'http://'), [], token);
}

/** Twenty digits, as Plivo's are. */
function newNonce(): string {
  const half = (): string => String(randomInt(10 ** 10)).padStart(10, '0');
  return half() + half();
}
