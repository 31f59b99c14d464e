/** The only file that touches `process.env`. */

export type Environment = Readonly<Record<string, string | undefined>>;

export function readEnvironment(): Environment {
  return Object.freeze({ ...process.env });
}

/**
 * What native code reads from the environment. Call it before uWebSockets.js is imported: that is
 * when it reads how many bytes of request headers it takes. Its own 4 KB is less than a token in a
 * path and a proxy's headers may need.
 */
export function prepareNative(): void {
  process.env.UWS_HTTP_MAX_HEADERS_SIZE ||= '16384';
}

/**
 * The environment of worker threads, where handlers run: without the credentials of the gateway's accounts, in
 * whatever variables they stand.
 */
export function workerEnvironment(secrets: ReadonlySet<string>): Record<string, string> {
  const copy: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || secrets.has(value)) continue;
    if (!name.toUpperCase().startsWith('PLIVO_')) copy[name] = value;
  }
  return copy;
}

/** Whether the terminal's owner wants colours (https://no-color.org). */
export function wantsColor(): boolean {
  return !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}
