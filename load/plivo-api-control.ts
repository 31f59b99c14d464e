import type { IncomingMessage } from 'node:http';
import { errorText } from '../src/errors.js';
import type { ApiFault } from './plivo-api.js';

/** What whoever runs the stand-in asks of it, over HTTP while it runs. */
export type Order =
  /** The next `count` requests go wrong, or all of them. */
  | { readonly kind: 'fail'; readonly fault: ApiFault; readonly count: number | undefined }
  | { readonly kind: 'recover' }
  | { readonly kind: 'tell' }
  | { readonly kind: 'refuse'; readonly status: number; readonly why: string };

const prefix = '/stand-in/';
const countMax = 1_000_000;
const words = ['reset', 'silent', 'garbage'] as const;

export function isControl({ url = '' }: IncomingMessage): boolean {
  return url.startsWith(prefix);
}

/** `POST /stand-in/faults` with a fault as JSON, `DELETE /stand-in/faults`, `GET /stand-in/requests`. */
export function readOrder(method: string, url: string, body: string): Order {
  if (url === `${prefix}requests` && method === 'GET') return { kind: 'tell' };
  if (url !== `${prefix}faults`) return { kind: 'refuse', status: 404, why: `no ${url} here` };
  if (method === 'DELETE') return { kind: 'recover' };
  if (method !== 'POST')
    return { kind: 'refuse', status: 405, why: 'POST sets a fault, DELETE ends all' };
  try {
    const { count, ...rest } = JSON.parse(body) as Record<string, unknown>;
    const fault = faultFrom(Object.entries(rest));
    return { kind: 'fail', fault, count: count === undefined ? undefined : wholeCount(count) };
  } catch (error) {
    return { kind: 'refuse', status: 400, why: errorText(error) };
  }
}

/** `status=503,count=20` or `silent`: the same on the command line. Throws an `Error` for people. */
export function parseFault(text: string): { fault: ApiFault; count: number | undefined } {
  const entries = text.split(',').map((part): [string, unknown] => {
    const [name = '', value] = part.trim().split('=');
    return [name, value === undefined ? true : Number(value)];
  });
  const count = entries.find(([name]) => name === 'count')?.[1];
  const fault = faultFrom(entries.filter(([name]) => name !== 'count'));
  return { fault, count: count === undefined ? undefined : wholeCount(count) };
}

function wholeCount(value: unknown): number {
  if (Number.isInteger(value) && Number(value) > 0 && Number(value) <= countMax)
    return Number(value);
  throw new Error(`count must be a whole number from 1 to ${countMax}`);
}

function faultFrom(entries: readonly (readonly [string, unknown])[]): ApiFault {
  const fault: { -readonly [K in keyof ApiFault]: ApiFault[K] } = {};
  for (const [name, value] of entries) {
    if (name === 'status') fault.status = number(name, value, 400, 599);
    else if (name === 'retryAfterSeconds') fault.retryAfterSeconds = number(name, value, 0, 3_600);
    else if (name === 'delayMs') fault.delayMs = number(name, value, 0, 600_000);
    else if ((words as readonly string[]).includes(name))
      fault[name as (typeof words)[number]] = true;
    else
      throw new Error(
        `no fault is called "${name}"; there are status, retryAfterSeconds, delayMs, ${words.join(', ')}`,
      );
  }
  if (entries.length === 0) throw new Error('a fault says what goes wrong, e.g. status=503');
  return fault;
}

function number(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw new Error(`${name} must be a number from ${min} to ${max}`);
}
