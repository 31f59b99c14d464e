import { randomUUID } from 'node:crypto';
import { DOMParser, type Element } from '@xmldom/xmldom';
import { type Fields, type SignedMethod, signatureV3 } from '../../src/plivo/signature.js';
import { authToken, type TestGateway } from './test-gateway.js';

/** As Plivo gives it. */
export const publicUrl = 'https://voice.example.com';
const nonce = '05429567804466091622';

export function signed(
  method: SignedMethod,
  url: string,
  fields: Fields = [],
  token = authToken,
): Record<string, string> {
  return {
    'X-Plivo-Signature-V3': signatureV3(method, url, fields, nonce, token),
    'X-Plivo-Signature-V3-Nonce': nonce,
  };
}

export interface Asked {
  readonly status: number;
  readonly type: string | null;
  readonly xml: string;
  /** Names of the elements in the response, in order. */
  readonly elements: readonly string[];
  readonly stream: Element | undefined;
  /** Path and query of the stream URL. */
  readonly streamPath: string;
}

export interface Webhook {
  readonly method?: SignedMethod;
  readonly query?: string;
  readonly token?: string;
  readonly signature?: boolean;
  readonly more?: Readonly<Record<string, string>>;
  readonly callId?: string;
}

/** Asks for an answer as Plivo does, and reads it with an XML parser of its own. */
export async function ask(gateway: TestGateway, webhook: Webhook = {}): Promise<Asked> {
  const { method = 'POST', query = '', token, signature = true, more, callId } = webhook;
  const form: Record<string, string> = {
    CallUUID: callId ?? randomUUID(),
    From: '15550001111',
    To: '15550002222',
    Direction: 'inbound',
    CallStatus: 'in-progress',
    Event: 'StartApp',
    ...more,
  };
  const inUrl = method === 'GET' ? [query, String(new URLSearchParams(form))] : [query];
  const path = `/answer${inUrl.some((part) => part) ? '?' : ''}${inUrl.filter((part) => part).join('&')}`;
  const fields = method === 'POST' ? Object.entries(form) : [];
  const response = await fetch(`http://127.0.0.1:${gateway.gateway.port}${path}`, {
    method,
    headers: signature ? signed(method, `${publicUrl}${path}`, fields, token) : {},
    ...(method === 'POST' && { body: new URLSearchParams(form) }),
  });
  return read(response.status, response.headers.get('content-type'), await response.text());
}

function read(status: number, type: string | null, xml: string): Asked {
  const onError = (level: string, message: string) => {
    if (level !== 'warning') throw new Error(message);
  };
  const root = new DOMParser({ onError }).parseFromString(xml, 'application/xml').documentElement!;
  const children = [...root.childNodes].filter(({ nodeType }) => nodeType === 1) as Element[];
  const stream = children.find(({ nodeName }) => nodeName === 'Stream');
  const url = stream?.textContent ?? '';
  return {
    ...{ status, type, xml, stream },
    elements: children.map(({ nodeName }) => nodeName),
    streamPath: url.replace(/^wss:\/\/voice\.example\.com/, ''),
  };
}
