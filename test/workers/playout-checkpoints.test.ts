import { describe, expect, it } from 'vitest';
import { checkpointsPendingMax } from '../../src/limits.js';
import { counter, drop } from '../../src/shard/counters.js';
import { PlayoutStage, sessionTickMs, speech } from './playout-stage.js';

describe('a checkpoint', () => {
  it('leaves only behind all of its audio, part of a chunk and filter tail included', () => {
    for (const rate of [8_000, 24_000]) {
      const stage = new PlayoutStage({ rate });
      stage.play(speech(510, rate));
      expect(stage.checkpoint('turn')).toBe('1:turn');
      stage.play(speech(300, rate));
      stage.pass(2_000);
      const at = stage.sent.findIndex(({ event }) => event === 'checkpoint');
      const before = stage.sent.slice(0, at).reduce((sum, { ms }) => sum + ms, 0);
      expect(before).toBeGreaterThanOrEqual(510);
      expect(before).toBeLessThan(510 + 40);
      expect(stage.sent[at]).toMatchObject({ name: '1:turn' });
      stage.close();
    }
  });

  it('leaves at once when nothing is queued', () => {
    const stage = new PlayoutStage();
    stage.checkpoint('a');
    stage.play(speech(100));
    stage.checkpoint('b');
    expect(stage.sent.map(({ event, name }) => name ?? event)).toEqual([
      '1:a',
      ...new Array<string>(5).fill('playAudio'),
      '2:b',
    ]);
    stage.close();
  });

  it('is heard once, under the application’s name, even if names repeat', () => {
    const stage = new PlayoutStage();
    expect([stage.checkpoint('same'), stage.checkpoint('same')]).toEqual(['1:same', '2:same']);
    expect(stage.playout.played('2:same')).toBe('same');
    expect(stage.playout.played('2:same')).toBeUndefined();
    expect(stage.playout.played('same')).toBeUndefined();
    expect(stage.playout.played('1:same')).toBe('same');
    stage.close();
  });

  it('is not heard before it was sent', () => {
    const stage = new PlayoutStage();
    stage.play(speech(1_000));
    stage.checkpoint('late');
    expect(stage.playout.played('1:late')).toBeUndefined();
    stage.pass(1_000);
    expect(stage.playout.played('1:late')).toBe('late');
    stage.close();
  });

  it('is sent later when the ring had no room', () => {
    const stage = new PlayoutStage();
    stage.full = true;
    stage.checkpoint('a');
    expect(stage.sent).toEqual([]);
    stage.full = false;
    stage.pass(sessionTickMs);
    expect(stage.sent).toMatchObject([{ event: 'checkpoint', name: '1:a' }]);
    stage.close();
  });

  it('is refused and counted when too many are waiting', () => {
    const stage = new PlayoutStage();
    for (let i = 0; i < checkpointsPendingMax; i += 1) expect(stage.checkpoint('x')).toBeDefined();
    expect(stage.checkpoint('x')).toBeUndefined();
    expect(stage.values[drop['too-many-checkpoints']]).toBe(1);
    stage.playout.played('1:x');
    expect(stage.checkpoint('x')).toBeDefined();
    stage.close();
  });
});

describe('a clear', () => {
  it('forgets the queue, the part of a chunk and the filter, and says so to Plivo once', () => {
    for (const rate of [8_000, 16_000]) {
      const stage = new PlayoutStage({ rate });
      stage.play(speech(1_010, rate));
      expect(stage.playout.clear(stage.nowMs)).toEqual([]);
      const before = stage.sentMs;
      stage.playout.clear(stage.nowMs);
      stage.pass(2_000);
      expect(stage.sentMs).toBe(before);
      expect(stage.sent.filter(({ event }) => event === 'clearAudio')).toHaveLength(1);
      expect(stage.values[counter.clears]).toBe(1);
      expect(stage.playout.remainingMs(stage.nowMs)).toBe(0);
      stage.close();
    }
  });

  it('answers the checkpoints that will not be heard, sent or not, and takes no late answer for them', () => {
    const stage = new PlayoutStage();
    stage.checkpoint('sent');
    stage.play(speech(2_000));
    stage.checkpoint('waiting');
    expect(stage.playout.clear(stage.nowMs)).toEqual(['sent', 'waiting']);
    expect(stage.playout.played('1:sent')).toBeUndefined();
    stage.pass(3_000);
    expect(stage.sent.filter(({ event }) => event === 'checkpoint')).toHaveLength(1);
    expect(stage.values[counter.checkpointsInterrupted]).toBe(2);
    stage.close();
  });

  it('is not sent when there is nothing to clear', () => {
    const stage = new PlayoutStage();
    stage.playout.clear(stage.nowMs);
    expect(stage.sent).toEqual([]);
    stage.close();
  });

  it('lets new audio leave at once, with the whole lead, and after its checkpoint in order', () => {
    const stage = new PlayoutStage();
    stage.play(speech(1_000));
    stage.pass(100);
    stage.playout.clear(stage.nowMs);
    const before = stage.sentMs;
    stage.play(speech(1_000));
    stage.checkpoint('next');
    expect(stage.sentMs - before).toBe(200);
    stage.pass(1_000);
    expect(stage.sentMs - before).toBe(1_000);
    expect(stage.sent.at(-1)).toMatchObject({ event: 'checkpoint', name: '1:next' });
    stage.close();
  });

  it('says how much is still to be heard: what waits here and what lies at Plivo', () => {
    const stage = new PlayoutStage();
    expect(stage.playout.remainingMs(stage.nowMs)).toBe(0);
    stage.play(speech(1_000));
    expect(stage.playout.remainingMs(stage.nowMs)).toBe(1_000);
    stage.pass(400);
    expect(stage.playout.remainingMs(stage.nowMs)).toBe(600);
    stage.pass(1_000);
    expect(stage.playout.remainingMs(stage.nowMs)).toBe(0);
    stage.close();
  });
});
