import { PlivoApi } from '../plivo-api.js';

/** What the stand-in in a process of its own answers to any message. */
export interface ApiReport {
  readonly url: string;
  readonly requests: number;
  /** Calls that were hung up. */
  readonly confirmed: number;
  /** The most requests within any 5 s. */
  readonly mostInWindow: number;
}

const windowMs = 5_000;
const api = new PlivoApi(null, { everyCall: true });
await api.listen(0);

function report(): void {
  const confirmed = api.requests.filter(({ status }) => status === 204).length;
  const { requests, url } = api;
  process.send?.({
    url,
    requests: requests.length,
    confirmed,
    mostInWindow: api.mostInAny(windowMs),
  });
}

process.on('message', report);
process.on('disconnect', () => process.exit());
report();
