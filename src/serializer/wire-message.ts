import { isAnyArrayBuffer, isUint8Array } from 'node:util/types';
import { messageBytesMax } from '../limits.js';
import { type PlivoMessage, readMessage, type Unreadable } from '../plivo/messages.js';

/**
 * One WebSocket message as any server hands it over: text; bytes, as a Buffer too; an ArrayBuffer,
 * as uWebSockets.js does; or fragments, as `ws` may. It is not kept and not written to.
 */
export type WireMessage = string | Uint8Array | ArrayBuffer | readonly Uint8Array[];

/** As one piece, or undefined if it is nothing of the kind. */
export function contentOf(message: WireMessage): string | Uint8Array | undefined {
  if (typeof message === 'string' || isUint8Array(message)) return message;
  if (isAnyArrayBuffer(message)) return new Uint8Array(message);
  if (Array.isArray(message) && message.every(isUint8Array)) return Buffer.concat(message);
  return undefined;
}

export function isTooLarge(content: string | Uint8Array): boolean {
  if (content.length > messageBytesMax) return true;
  return typeof content === 'string' && Buffer.byteLength(content) > messageBytesMax;
}

/** Reads a message of at most 64 KB through `JSON.parse`. */
export function readContent(content: string | Uint8Array): PlivoMessage | Unreadable {
  try {
    return readMessage(typeof content === 'string' ? content : textOf(content));
  } catch {
    // Values nested ten thousand deep can be parsed, but not printed into a detail: the stack runs
    // out.
    return { event: 'unreadable', reason: 'bad-message', detail: 'too deeply nested' };
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
