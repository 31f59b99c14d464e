/** What one look came to. `warn`: it works, and may not be what is wanted. `skipped`: what it needs has failed. */
export interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'warn' | 'fail' | 'skipped';
  readonly detail: string;
  /** What to do about it; with `warn` and `fail`. */
  readonly remedy?: string;
}

export const ok = (what: string, detail: string): Finding => ({ what, state: 'ok', detail });
export const warn = (what: string, detail: string, remedy: string): Finding => {
  return { what, state: 'warn', detail, remedy };
};
export const fail = (what: string, detail: string, remedy: string): Finding => {
  return { what, state: 'fail', detail, remedy };
};
export const skipped = (what: string, detail: string): Finding => {
  return { what, state: 'skipped', detail };
};

/** For everything that is asked over the network. */
export const lookMsMax = 5_000;

/** The innermost reason: `fetch` wraps it. */
export function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === 'TimeoutError') return `no answer within ${lookMsMax / 1_000} s`;
  return cause.message || ((cause as NodeJS.ErrnoException).code ?? cause.name);
}
