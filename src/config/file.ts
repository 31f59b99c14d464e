import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, relative } from 'node:path';
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml';
import { unreadable } from './kinds.js';
import type { Origin, Path, Problem } from './problems.js';
import { namesBelow, printable } from './problems.js';

export type Tree = Readonly<Record<string, unknown>>;

/** A configuration file as it was read; an absent one is empty. */
export interface ConfigFile {
  readonly file: string | undefined;
  /** Paths in the file are relative to it. */
  readonly directory: string;
  readonly tree: Tree;
  readonly problems: readonly Problem[];
  /** Where a path stands, or the nearest place above it. */
  readonly originOf: (path: Path) => Origin;
  /** How a plain value is spelled in the file. */
  readonly sourceOf: (path: Path) => string | undefined;
}

export function noFile(cwd: string): ConfigFile {
  return emptyFile(undefined, cwd, { kind: 'file', name: 'no configuration file' }, []);
}

/** `namedBy` is who asked for this file, to be blamed when it cannot be read. */
export function readConfigFile(file: string, cwd: string, namedBy?: Origin): ConfigFile {
  const fromHere = relative(cwd, file);
  const name = fromHere.startsWith('..') || isAbsolute(fromHere) ? file : fromHere;
  const origin: Origin = { kind: 'file', name };
  const failed = (problems: readonly Problem[]) => emptyFile(file, dirname(file), origin, problems);

  const trouble = unreadable(file);
  if (trouble) return failed([{ path: [], text: trouble, origin: namedBy ?? origin }]);
  const text = decode(readFileSync(file));
  if (text === undefined) return failed([{ path: [], text: 'the file is not UTF-8', origin }]);

  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    logLevel: 'error',
    merge: true,
    // With it, messages would quote lines of the file, and there are secrets in it.
    prettyErrors: false,
  });
  const syntax = syntaxProblems(document, text, lines, name);
  if (syntax.length > 0) return failed(syntax);
  const lost = offsetOfLostAlias(document);
  if (lost !== undefined) {
    const text = 'an alias without its anchor; quote a text that begins with *';
    return failed([{ path: [], text, origin: { ...origin, line: lines.linePos(lost).line } }]);
  }
  const read = treeOf(document);
  if (typeof read === 'string') return failed([{ path: [], text: read, origin }]);

  return {
    file,
    directory: dirname(file),
    tree: read,
    problems: [],
    originOf: (path) => {
      const offset = lookUp(document, path).offset;
      return offset === undefined ? origin : { ...origin, line: lines.linePos(offset).line };
    },
    sourceOf: (path) => lookUp(document, path).source,
  };
}

function emptyFile(
  file: string | undefined,
  directory: string,
  origin: Origin,
  problems: readonly Problem[],
): ConfigFile {
  const sourceOf = () => undefined;
  return { file, directory, tree: {}, problems, originOf: () => origin, sourceOf };
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Every repeated key; otherwise only the first mistake, because the others mostly follow from it. */
function syntaxProblems(
  document: Document.Parsed,
  text: string,
  lines: LineCounter,
  name: string,
): readonly Problem[] {
  const found: readonly YAMLError[] = [...document.errors, ...document.warnings];
  const repeated = found.filter((error) => error.code === 'DUPLICATE_KEY');
  const shown = repeated.length > 0 ? repeated : found.slice(0, 1);
  return shown.map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    const origin: Origin = { kind: 'file', name, line, column: col };
    return { path: [], text: syntaxText(error, text), origin };
  });
}

function syntaxText(error: YAMLError, text: string): string {
  if (error.code === 'DUPLICATE_KEY') {
    const key = /^["']?([^\s:"']+)/.exec(text.slice(error.pos[0]))?.[1] ?? '';
    return `${printable(key)} stands here a second time in the same group`;
  }
  if (error.code === 'MULTIPLE_DOCS') return 'a second YAML document begins here; only one may';
  if (error.code === 'TAB_AS_INDENT') return 'not YAML: indent with spaces, not with tabs';
  if (error.code === 'TAG_RESOLVE_FAILED') return 'an unknown tag; quote a text that begins with !';
  // Some of these messages end in the piece of the file that was not understood.
  const reason = error.message.split('\n', 1)[0]!.replace(/: .*$/, '');
  return `not YAML: ${reason}`;
}

function offsetOfLostAlias(document: Document.Parsed): number | undefined {
  let offset: number | undefined;
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      offset = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

/** What the document says, or why that is no configuration. */
function treeOf(document: Document.Parsed): Tree | string {
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    return error instanceof ReferenceError ? 'too many aliases' : 'not usable YAML';
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    return 'expected settings, each with a name and a colon, as in "port: 8080"';
  }
  const tree: Record<string, unknown> = { ...value };
  // A group whose settings are all commented out is one without settings.
  for (const name of namesBelow([])) {
    const group = namesBelow([name]).length > 0;
    if (group && Object.hasOwn(tree, name) && tree[name] === null) delete tree[name];
  }
  return tree;
}

function lookUp(document: Document.Parsed, path: Path): { offset?: number; source?: string } {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === part);
      if (!isPair(pair) || !isScalar(pair.key)) return at(offset);
      offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part];
      offset = hasRange(node) ? node.range[0] : offset;
    } else return at(offset);
  }
  if (isAlias(node)) node = node.resolve(document);
  return isScalar(node) && node.source !== undefined
    ? { ...at(offset), source: node.source }
    : at(offset);
}

function at(offset: number | undefined): { offset?: number } {
  return offset === undefined ? {} : { offset };
}

function hasRange(node: unknown): node is { range: readonly [number, number, number] } {
  return typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range);
}
