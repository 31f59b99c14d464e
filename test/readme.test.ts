import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configFile, settings } from '../src/config/schema.js';
import { endReasonNames } from '../src/errors.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** Rows of the table whose header begins with this cell, as trimmed cells. */
function tableRows(firstHeader: string): string[][] {
  const lines = readme.split('\n');
  const header = lines.findIndex((line) => line.startsWith(`| ${firstHeader} |`));
  expect(header, `a table headed ${firstHeader}`).toBeGreaterThan(0);
  const rows: string[][] = [];
  for (let at = header + 2; lines[at]?.startsWith('|'); at += 1) {
    const cells = lines[at]!.split('|').slice(1, -1);
    rows.push(cells.map((cell) => cell.trim().replaceAll('`', '')));
  }
  return rows;
}

describe('the README', () => {
  it('lists every setting of the schema with its default, variable and flag, and no other', () => {
    const expected = [
      ['file', configFile.default, configFile.env, configFile.flag, configFile.description],
      ...settings.map((setting) => [
        setting.path,
        setting.default ?? '',
        setting.env ?? '',
        setting.flag ?? '',
        setting.description.replaceAll('`', ''),
      ]),
    ];
    expect(tableRows('setting')).toEqual(expected);
  });

  it('names every end reason', () => {
    for (const reason of endReasonNames) expect(readme).toContain(`\`${reason}\``);
  });
});
