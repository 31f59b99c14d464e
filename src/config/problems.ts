import { type Setting, settings } from './schema.js';

/** Where a value came from, as a reader would look for it. */
export type Origin =
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'flag'; readonly name: string }
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly line?: number;
      readonly column?: number;
    };

export type Path = readonly (string | number)[];

/** One thing that is wrong. Without a path it concerns the file as a whole. */
export interface Problem {
  readonly path: Path;
  readonly text: string;
  readonly origin: Origin;
}

/** `routes[0].to[1]` */
export function pathText(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? printable(part) : `.${printable(part)}`;
  }
  return text;
}

/** The path as settings have it: `routes[].to[]`. */
function anyItem(path: Path): string {
  return pathText(path).replace(/\[\d+\]/g, '[]');
}

/** Whether a secret may be at a path or below it. */
function isHidden(path: Path): boolean {
  const text = anyItem(path);
  const concerns = (setting: Setting) =>
    setting.path === text || ['.', '['].some((mark) => setting.path.startsWith(text + mark));
  return settings.some((setting) => setting.hidden && concerns(setting));
}

/** Names that may stand directly below a path: those of settings and of groups. */
export function namesBelow(path: Path): readonly string[] {
  const above = path.length === 0 ? '' : `${anyItem(path)}.`;
  const names = settings
    .filter((setting) => setting.path.startsWith(above))
    .map((setting) => setting.path.slice(above.length).split(/[.[]/, 1)[0]!);
  return [...new Set(names)];
}

/** What was found, for a message; `source` is its spelling in the file. Secrets are never shown. */
export function foundText(value: unknown, path: Path, source?: string): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a group of settings';
  const text = typeof value === 'string' ? value : (source ?? String(value));
  const password = /\/\/[^/]*@/.test(text);
  if (password || isHidden(path))
    return typeof value === 'string' ? 'a text not shown here' : `a ${typeof value}`;
  const short = text.length > 60 ? `${text.slice(0, 59)}…` : text;
  return typeof value === 'string' ? JSON.stringify(short) : short;
}

function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'environment':
      return `environment variable ${origin.name}`;
    case 'flag':
      return `flag ${origin.name}`;
    case 'file': {
      const line = origin.line === undefined ? '' : `, line ${origin.line}`;
      const column = origin.column === undefined ? '' : `, column ${origin.column}`;
      return `${origin.name}${line}${column}`;
    }
  }
}

/** File, environment, flags; the file in the order of its lines. */
function byPlace(a: Problem, b: Problem): number {
  const kinds = ['file', 'environment', 'flag'];
  return kinds.indexOf(a.origin.kind) - kinds.indexOf(b.origin.kind) || lineOf(a) - lineOf(b);
}

function lineOf({ origin }: Problem): number {
  return origin.kind === 'file' ? (origin.line ?? 0) : 0;
}

/** All problems, one per line, for a terminal. */
export function problemsText(problems: readonly Problem[]): string {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  const lines = problems.toSorted(byPlace).map(({ path, text, origin }) => {
    const subject = path.length === 0 ? '' : `${pathText(path)}: `;
    return `  ${subject}${text} (${originText(origin)})`;
  });
  return `the configuration has ${count}:\n${lines.join('\n')}`;
}

/** Keys come from the file: nothing in them may move a terminal's cursor or break a line. */
export function printable(text: string): string {
  const quoted = JSON.stringify(text.length > 60 ? `${text.slice(0, 59)}…` : text);
  return /^[\w-]+$/.test(text) ? quoted.slice(1, -1) : quoted;
}
