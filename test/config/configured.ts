import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import type { Environment } from '../../src/config/environment.js';
import { loadConfig } from '../../src/config/load.js';
import type { GatewayConfig } from '../../src/config/types.js';
import { GatewayError } from '../../src/errors.js';

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A folder with these files, removed after the tests. */
export function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-config-'));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

export interface Surroundings {
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly environment?: Environment;
  readonly files?: Readonly<Record<string, string>>;
}

/** The configuration that a gateway.yaml with this text leads to. */
export function configured(yaml: string, surroundings: Surroundings = {}): GatewayConfig {
  const { flags = {}, environment = {}, files = {} } = surroundings;
  const cwd = folderWith({ ...files, 'gateway.yaml': yaml });
  return loadConfig({ flags, environment, cwd });
}

/** The problems of a gateway.yaml with this text, one per line, without the heading. */
export function problemsIn(yaml: string, surroundings: Surroundings = {}): readonly string[] {
  return problemsOf(() => configured(yaml, surroundings));
}

export function problemsOf(load: () => unknown): readonly string[] {
  try {
    load();
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'CONFIG') throw error;
    const [heading, ...lines] = error.message.split('\n');
    const count = lines.length === 1 ? 'a problem' : `${lines.length} problems`;
    if (heading !== `the configuration has ${count}:`) throw error;
    return lines.map((line) => line.trim());
  }
  return [];
}
