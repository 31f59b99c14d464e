import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { GatewayError } from '../errors.js';
import { effective } from './effective.js';
import type { Environment } from './environment.js';
import { type ConfigFile, noFile, readConfigFile, type Tree } from './file.js';
import { fileProblems } from './file-problems.js';
import { foundText, type Origin, type Path, type Problem, problemsText } from './problems.js';
import { accountProblems, relationProblems, upstreamProblems } from './relations.js';
import { configFile, gatewaySchema, type Setting, settingsIn } from './schema.js';
import type { GatewayConfig } from './types.js';

export interface ConfigSources {
  /** As commander's `opts()` returns them: `adminPort` for `--admin-port`. Others are ignored. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  /** Absolute. */
  readonly cwd: string;
}

/** A value from outside the file, and where it came from. */
interface Override {
  readonly setting: Setting;
  readonly text: string;
  readonly origin: Origin;
}

/**
 * Flags over environment over file over defaults. Every value of every source is checked, also one
 * that another source overrides; if any is wrong, all that is wrong is in one error.
 */
export function loadConfig(sources: ConfigSources): GatewayConfig {
  const file = openFile(sources);
  const surroundings = { directory: file.directory, environment: sources.environment };
  const overrides = overridesOf(sources);
  const tree = merged(file.tree, overrides);
  const origin = originIn(file, overrides);
  const problems = [
    ...file.problems,
    ...fileProblems(file, surroundings),
    ...overrides.flatMap(overrideProblems),
    // A file that could not be read may hold the other half of a pair.
    ...(file.problems.length > 0 ? [] : relationProblems(tree, origin)),
  ];
  refuse(problems);
  const parsed = gatewaySchema(surroundings).parse(tree);
  refuse([...accountProblems(parsed, origin), ...upstreamProblems(parsed, origin)]);
  return effective(parsed, file.file);
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new GatewayError('CONFIG', problemsText(problems));
}

function openFile({ flags, environment, cwd }: ConfigSources): ConfigFile {
  const flag = flagText(flags, configFile.flag);
  if (flag !== undefined) {
    return readConfigFile(resolve(cwd, flag), cwd, { kind: 'flag', name: configFile.flag });
  }
  const variable = environment[configFile.env];
  if (variable) {
    const origin: Origin = { kind: 'environment', name: configFile.env };
    return readConfigFile(resolve(cwd, variable), cwd, origin);
  }
  const usual = resolve(cwd, configFile.default);
  return existsSync(usual) ? readConfigFile(usual, cwd) : noFile(cwd);
}

function flagText(flags: ConfigSources['flags'], flag: string): string | undefined {
  const name = flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const value = Object.hasOwn(flags, name) ? flags[name] : undefined;
  return value === undefined ? undefined : String(value);
}

/** In rising order: what comes later wins. An empty environment variable counts as unset. */
function overridesOf({ flags, environment, cwd }: ConfigSources): readonly Override[] {
  const overrides: Override[] = [];
  const settings = settingsIn({ directory: cwd, environment });
  for (const setting of settings) {
    const text = setting.env && environment[setting.env];
    if (!setting.env || !text) continue;
    overrides.push({ setting, text, origin: { kind: 'environment', name: setting.env } });
  }
  for (const setting of settings) {
    const text = setting.flag && flagText(flags, setting.flag);
    if (!setting.flag || text === undefined) continue;
    overrides.push({ setting, text, origin: { kind: 'flag', name: setting.flag } });
  }
  return overrides;
}

/** A text from outside as it would stand in the file: `8080` is a number where a text is not allowed. */
function overrideValue({ setting, text }: Override): unknown {
  if (setting.leads) return setting.kind.safeParse(text).data ?? text;
  const numeric = /^-?\d{1,15}(\.\d+)?$/.test(text);
  return numeric && !setting.kind.safeParse(text).success ? Number(text) : text;
}

function overrideProblems(override: Override): readonly Problem[] {
  const value = overrideValue(override);
  const path = override.setting.path.split('.');
  const result = override.setting.kind.safeParse(value);
  return (result.error?.issues ?? []).slice(0, 1).map(({ message }) => ({
    path,
    text: `found ${foundText(value, path)}, expected ${message}`,
    origin: override.origin,
  }));
}

/** Where the value that holds came from. */
function originIn(file: ConfigFile, overrides: readonly Override[]): (path: Path) => Origin {
  return (path) =>
    overrides.findLast(({ setting }) => setting.path === path.join('.'))?.origin ??
    file.originOf(path);
}

function merged(tree: Tree, overrides: readonly Override[]): Tree {
  const result: Record<string, unknown> = { ...tree };
  for (const override of overrides) {
    const [first, second] = override.setting.path.split('.') as [string, string?];
    if (second === undefined) result[first] = overrideValue(override);
    else result[first] = { ...(result[first] as Tree), [second]: overrideValue(override) };
  }
  return result;
}
