import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CallStory } from '../../src/calls/call-story.js';
import { counterBlock, voiceBlock } from '../../src/shard/counters.js';
import { VoiceMeter } from '../../workers/voice/voice-meter.js';
import { aStart } from '../records/a-record.js';

const page = readFileSync(new URL('../../docs/operate.md', import.meta.url), 'utf8');

/** Names in the first column of the table that follows this text. */
function named(after: string): string[] {
  const from = page.indexOf('\n|', page.indexOf(after));
  const [table = ''] = page.slice(from).split('\n\n');
  const rows = table.trim().split('\n').slice(2);
  return rows.flatMap((row) =>
    [...row.split('|')[1]!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
  );
}

const hangup = { reason: 'app-end', outcome: 'confirmed', attempts: 1, lastAnswer: 'status 204' };

it('docs/operate.md names every field of a call record, in its order, and no other', () => {
  const story = new CallStory(aStart('a-call'));
  story.hangup = hangup;
  const voice = new VoiceMeter(voiceBlock(counterBlock(), 0), 0, 0, 8_000, false, () => {});
  expect(named('by sink. None of this')).toEqual(Object.keys(story.record));
  expect(named('\n`hangup`:')).toEqual(Object.keys(hangup));
  expect(named('\n`voice`, over')).toEqual(Object.keys(voice.summary()));
});
