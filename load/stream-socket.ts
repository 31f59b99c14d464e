import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { errorText } from '../src/errors.js';
import { shownUrl } from './shown-url.js';

/** What happens on the socket of a stream. Either `failed` once, or `opened` and then `closed` once. */
export interface StreamSocketEvents {
  opened(): void;
  text(bytes: Buffer): void;
  binary(byteCount: number): void;
  /** The peer broke the WebSocket protocol itself; `closed` follows. */
  broke(detail: string): void;
  closed(code: number): void;
  /** The socket never opened; one sentence says why. */
  failed(detail: string): void;
}

const handshakeMsMax = 5_000;
/** Far above Plivo's 64 KB: a larger message is for us to judge, not for the library to cut off. */
const receiveBytesMax = 4 * 1024 * 1024;

/** The upgrade was answered by something other than 101. */
function refusal(response: IncomingMessage): string {
  const { statusCode = 0, statusMessage = '', headers } = response;
  const retryAfter = headers['retry-after'];
  const hint = retryAfter === undefined ? '' : ` (Retry-After: ${retryAfter})`;
  return `the gateway refused the upgrade with HTTP ${statusCode} ${statusMessage}${hint}`;
}

function connectFailure(url: string, error: Error & { code?: string }): string {
  return `cannot connect to ${shownUrl(url)}: ${error.code ?? errorText(error)}`;
}

export interface StreamSocketOptions {
  /** Takes any certificate. */
  readonly insecure?: boolean;
  /** Of the upgrade, beside those of the WebSocket protocol. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Opens a WebSocket as Plivo does: HTTP/1.1, no compression, no sub-protocol. Never throws. */
export function openStreamSocket(
  url: string,
  events: StreamSocketEvents,
  options: StreamSocketOptions = {},
): WebSocket | null {
  let socket: WebSocket;
  try {
    socket = new WebSocket(url, {
      perMessageDeflate: false,
      handshakeTimeout: handshakeMsMax,
      maxPayload: receiveBytesMax,
      rejectUnauthorized: options.insecure !== true,
      headers: { ...options.headers },
    });
  } catch (error) {
    events.failed(`cannot connect to ${shownUrl(url)}: ${errorText(error)}`);
    return null;
  }
  let isOpen = false;
  let hasFailed = false;
  const fail = (detail: string): void => {
    if (hasFailed) return;
    hasFailed = true;
    events.failed(detail);
  };
  socket.on('open', () => {
    isOpen = true;
    events.opened();
  });
  socket.on('message', (data, isBinary) => {
    // `binaryType` is never changed, so messages come as one Buffer.
    const bytes = data as Buffer;
    if (isBinary) events.binary(bytes.byteLength);
    else events.text(bytes);
  });
  socket.on('unexpected-response', (_request, response) => {
    fail(refusal(response));
    socket.terminate();
  });
  socket.on('error', (error: Error & { code?: string }) => {
    if (!isOpen) fail(connectFailure(url, error));
    else if (error.code?.startsWith('WS_ERR_') === true) events.broke(errorText(error));
  });
  socket.on('close', (code) => {
    if (isOpen) events.closed(code);
    else fail(`cannot connect to ${shownUrl(url)}: the connection closed during the upgrade`);
  });
  return socket;
}
