/** Values as Grafana writes them, closely enough to be judged by. */

const seconds: readonly (readonly [limit: number, factor: number, unit: string])[] = [
  [1e-3, 1e6, ' µs'],
  [1, 1e3, ' ms'],
  [60, 1, ' s'],
  [3_600, 1 / 60, ' min'],
  [Number.POSITIVE_INFINITY, 1 / 3_600, ' h'],
];

/** Three digits that mean something, or as many decimals as were asked for. */
function digits(value: number, decimals: number | undefined): string {
  if (decimals !== undefined) return value.toFixed(decimals);
  return String(Number(value.toPrecision(3)));
}

function scaled(value: number, base: number, names: readonly string[], decimals?: number): string {
  let rest = value;
  let at = 0;
  while (Math.abs(rest) >= base && at < names.length - 1) {
    rest /= base;
    at += 1;
  }
  return `${digits(rest, decimals)}${names[at]}`;
}

export function formatted(value: number, unit: string, decimals?: number): string {
  if (!Number.isFinite(value)) return '–';
  switch (unit) {
    case 's': {
      if (value === 0) return '0 s';
      const [, factor, name] = seconds.find(([limit]) => Math.abs(value) < limit)!;
      return `${digits(value * factor, decimals)}${name}`;
    }
    case 'percentunit':
      return `${digits(value * 100, decimals)}%`;
    case 'bytes':
      return scaled(value, 1_024, [' B', ' KiB', ' MiB', ' GiB'], decimals);
    case 'Bps':
      return scaled(value, 1_000, [' B/s', ' kB/s', ' MB/s'], decimals);
    case 'cps':
      return scaled(value, 1_000, [' c/s', 'K c/s', 'M c/s'], decimals);
    default:
      return scaled(value, 1_000, ['', ' K', ' Mil'], decimals);
  }
}

/** A legend with a series' labels in place of their names. */
export function legendOf(legend: string, labels: Readonly<Record<string, string>>): string {
  return legend.replace(/\{\{\s*([a-z_]+)\s*\}\}/g, (_, name: string) => labels[name] ?? '');
}
