const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
type Unit = keyof typeof unitMs;

const pattern = /^(\d{1,9})(ms|s|m|h)$/;

/** Milliseconds of a text such as `200ms`, `30s`, `5m` or `2h`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * unitMs[match[2] as Unit];
}

/** The shortest text that `parseDuration` reads back as the same time. */
export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    if (ms > 0 && ms % unitMs[unit] === 0) return `${ms / unitMs[unit]}${unit}`;
  }
  return ms === 0 ? '0s' : `${ms}ms`;
}

/** The unit of a duration's text, for a hint to somebody who left it out. */
export function unitOf(text: string): string {
  return pattern.exec(text)?.[2] ?? 's';
}
