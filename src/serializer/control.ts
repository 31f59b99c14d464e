import { checkpointNameBytesMax, dtmfDigitsMax } from '../limits.js';
import { checkpointText, digitPattern, sendDtmfText } from '../plivo/messages.js';
import { isTooLarge } from './wire-message.js';

/** Messages without audio. Undefined: what JavaScript handed over makes none. */

export function checkpointMessage(streamId: string, name: unknown): string | undefined {
  if (typeof name !== 'string' || name === '') return undefined;
  return Buffer.byteLength(name) > checkpointNameBytesMax
    ? undefined
    : checkpointText(streamId, name);
}

export function dtmfMessage(button: unknown): string | undefined {
  if (typeof button !== 'string' || button === '' || button.length > dtmfDigitsMax)
    return undefined;
  return [...button].every((key) => digitPattern.test(key)) ? sendDtmfText(button) : undefined;
}

/**
 * The application's own message, at most 64 KB; null if it is one of RTVI's that are to be ignored.
 */
export function transportMessage(message: unknown, ignoreRtvi: boolean): string | null | undefined {
  try {
    const label = (message as { label?: unknown } | null | undefined)?.label;
    if (ignoreRtvi && label === 'rtvi-ai') return null;
    // A function and undefined make no text.
    const text = JSON.stringify(message) as string | undefined;
    return text === undefined || isTooLarge(text) ? undefined : text;
  } catch {
    return undefined; // a cycle, a bigint, a getter that throws
  }
}
