import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { RecordFile } from '../../src/calls/record-file.js';
import type { RecordOutcome } from '../../src/calls/record-sinks.js';
import { recordFileLinesMax } from '../../src/limits.js';
import { openLog } from '../../src/log.js';
import { until } from '../calls/wait.js';
import { aRecord } from './a-record.js';

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

let folder: string;
let path: string;
let counts: Record<RecordOutcome, number>;
let logged: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'records-'));
  folders.push(folder);
  path = join(folder, 'deep', 'calls.jsonl');
  counts = { written: 0, failed: 0, dropped: 0 };
  logged = [];
});

function open(): RecordFile {
  const lines = { write: (line: string) => logged.push(line) };
  const log = openLog({ level: 'info', format: 'json', privacy: 'masked' }, lines);
  return new RecordFile(path, log, (outcome) => {
    counts[outcome] += 1;
  });
}

const idsIn = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { callId: string }).callId);

describe('the file of call records', () => {
  it('gets a line for each call, in order, and nobody else can read it', async () => {
    const file = open();
    for (let count = 0; count < 100; count += 1) file.write(aRecord(`call-${count}`));
    await file.close(1_000);
    const ids = await idsIn(path);
    expect(ids).toEqual(Array.from({ length: 100 }, (_, count) => `call-${count}`));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(counts).toEqual({ written: 100, failed: 0, dropped: 0 });
  });

  it('is continued by the next process', async () => {
    for (const callId of ['a', 'b']) {
      const file = open();
      file.write(aRecord(callId));
      await file.close(1_000);
    }
    expect(await idsIn(path)).toEqual(['a', 'b']);
  });

  it('may be moved away: after a reload there is a new one', async () => {
    const file = open();
    file.write(aRecord('a'));
    await until('a line', () => counts.written === 1);
    await rename(path, `${path}.1`);
    file.write(aRecord('b'));
    await until('a second line', () => counts.written === 2);
    file.reopen();
    file.write(aRecord('c'));
    await file.close(1_000);
    expect(await idsIn(`${path}.1`)).toEqual(['a', 'b']);
    expect(await idsIn(path)).toEqual(['c']);
  });

  it('that cannot be written loses what came then, says so once, and takes the next', async () => {
    const inTheWay = join(folder, 'deep');
    await writeFile(inTheWay, '');
    const file = open();
    for (const callId of ['a', 'b']) {
      file.write(aRecord(callId));
      await until('a failure', () => counts.failed === (callId === 'a' ? 1 : 2));
    }
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain('call records are lost: cannot write');
    await rm(inTheWay);
    file.write(aRecord('c'));
    await file.close(1_000);
    expect(await idsIn(path)).toEqual(['c']);
    expect(logged[1]).toContain('again');
    expect(counts).toEqual({ written: 1, failed: 2, dropped: 0 });
  });

  it('takes no more than its bound while the disk is busy', async () => {
    const file = open();
    // The first is on its way to the disk at once; nothing else happens until this loop is over.
    for (let count = 0; count < recordFileLinesMax + 11; count += 1) file.write(aRecord('a'));
    expect(counts.dropped).toBe(10);
    await file.close(5_000);
    expect(counts.written).toBe(recordFileLinesMax + 1);
  });
});
