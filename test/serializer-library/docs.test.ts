import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { serializerDropReasons } from '../../src/serializer/drops.js';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const docs = read('../../docs/serializer.md');

/** First cells of the table whose header begins with this cell. */
function firstCells(header: string): string[] {
  const rows = docs.split('\n');
  const at = rows.findIndex((row) => row.startsWith(`| ${header} |`));
  expect(at, `a table headed ${header}`).toBeGreaterThan(0);
  const cells: string[] = [];
  for (let i = at + 2; rows[i]?.startsWith('|'); i += 1) {
    cells.push(rows[i]!.split('|')[1]!.trim());
  }
  return cells;
}

/** The members that an interface of a source file declares. */
function members(path: string, name: string): string[] {
  const body = read(path).split(`interface ${name} {`)[1]!.split('\n}')[0]!;
  return [...body.matchAll(/readonly (\w+)\??:/g)].map((match) => match[1]!);
}

describe('docs/serializer.md', () => {
  it('compares with Pipecat in rows that are tests, all of them', () => {
    const parts = ['construction', 'from-plivo', 'to-plivo', 'hang-up'];
    const titles = parts.flatMap((part) =>
      [...read(`./parity-${part}.test.ts`).matchAll(/^ {2}it\('(.*)', /gm)].map((row) => row[1]!),
    );
    expect(titles.length).toBeGreaterThan(40);
    expect(firstCells('behaviour')).toEqual(titles);
  });

  it('lists every parameter', () => {
    const names = members('../../src/serializer/options.ts', 'PlivoSerializerParams');
    expect(firstCells('`params`').toSorted()).toEqual(
      names.map((name) => `\`${name}\``).toSorted(),
    );
  });

  it('lists every reason for which something is put aside', () => {
    expect(firstCells('reason')).toEqual(serializerDropReasons.map((reason) => `\`${reason}\``));
  });

  it('names every frame', () => {
    const union = read('../../src/serializer/frames.ts')
      .split('export type Frame =')[1]!
      .split(';')[0]!;
    const frames = [...union.matchAll(/\w+Frame\b/g)].map(([name]) => name);
    expect(frames).toHaveLength(14);
    for (const name of frames) expect(docs).toContain(`\`${name}\``);
  });
});
