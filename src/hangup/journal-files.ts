import { createReadStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../log.js';
import { entryOf, type JournalState, lineCharsMax } from './journal-line.js';

/** The journal is a row of files, read in the order of their numbers; the last one is written to. */

const namePattern = /^hangups-(\d{6,12})\.journal$/;
const badLinesNamed = 5;

export function segmentFile(directory: string, number: number): string {
  return join(directory, `hangups-${String(number).padStart(6, '0')}.journal`);
}

/** Numbers of the files that are there, rising. */
export async function segmentNumbers(directory: string): Promise<number[]> {
  const numbers = (await readdir(directory)).flatMap((name) => {
    const number = namePattern.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
  return numbers.toSorted((a, b) => a - b);
}

export async function removeSegments(directory: string, numbers: readonly number[]): Promise<void> {
  for (const number of numbers) {
    await rm(segmentFile(directory, number), { force: true });
  }
}

/** Applies a file's lines; answers how many of them were bad. These are skipped, and the first ones named. */
export async function readSegment(file: string, state: JournalState, log: Log): Promise<number> {
  let badLines = 0;
  let line = 0;
  const take = (text: string): void => {
    line += 1;
    // A line break before what follows a failed write leaves an empty line.
    if (text === '') return;
    const entry = entryOf(text);
    if (entry !== undefined) return state.apply(entry);
    badLines += 1;
    if (badLines <= badLinesNamed)
      log.warn({ file, line }, 'unreadable line in the journal, skipped');
  };
  let rest = '';
  let isOverlong = false;
  for await (const chunk of createReadStream(file, 'utf8')) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) {
      take(isOverlong ? 'overlong' : text);
      isOverlong = false;
    }
    // Its end is still to come; nothing of it need be kept.
    if (rest.length > lineCharsMax) {
      isOverlong = true;
      rest = '';
    }
  }
  if (rest !== '' || isOverlong) take(isOverlong ? 'overlong' : rest);
  if (badLines > 0)
    log.error({ file, badLines }, 'the journal was damaged; what could be read is kept');
  return badLines;
}
