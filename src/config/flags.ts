import type { Command } from 'commander';
import { configFile, settings } from './schema.js';

/** The flags of every setting that has one. Their defaults stay with `loadConfig`. */
export function addConfigFlags(command: Command): Command {
  command.option(`${configFile.flag} <file>`, help(configFile));
  for (const setting of settings) {
    if (setting.flag === undefined) continue;
    const value = setting.path.split('.').at(-1);
    command.option(`${setting.flag} <${value}>`, help(setting));
  }
  return command;
}

function help(setting: {
  description: string;
  default?: string | undefined;
  env?: string;
}): string {
  const environment = setting.env ? `; environment: ${setting.env}` : '';
  return `${setting.description} (default: ${setting.default ?? 'none'}${environment})`;
}
