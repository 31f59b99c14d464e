import { InvalidArgumentError } from 'commander';

/** Values of command-line flags, with errors for people. */

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const durationMsMax = 24 * 3_600_000;

/** `90`, `90s`, `1.5m`, `500ms` to ms. */
export function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  const value = match === null ? Number.NaN : Number(match[1]) * unitsMs[match[2] ?? 's']!;
  if (value > 0 && value <= durationMsMax) return value;
  throw new InvalidArgumentError('It must be a time such as 30s, 5m or 1h, at most 24h.');
}

/** `50/s`, `50`, `0.5/s` to a number per second. */
export function perSecond(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(?:\/s)?$/.exec(text.trim());
  const value = Number(match?.[1] ?? Number.NaN);
  if (value > 0 && value <= 10_000) return value;
  throw new InvalidArgumentError('It must be a rate per second such as 50/s, at most 10000/s.');
}

export function notEmpty(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It must not be empty.');
}

export function webSocketUrl(text: string): string {
  if (/^wss?:\/\//.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError('It must begin with ws:// or wss://.');
}

export function webUrl(text: string): string {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError('It must begin with http:// or https://.');
}
