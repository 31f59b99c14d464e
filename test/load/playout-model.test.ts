import { describe, expect, it } from 'vitest';
import { HeardAudio } from '../../load/heard-audio.js';
import { PlayoutModel } from '../../load/playout-model.js';

const frame = 160;

function model(startDelayMs = 0): PlayoutModel {
  return new PlayoutModel({ rateHz: 8_000, startDelayMs });
}

function names(playout: PlayoutModel, nowMs: number): string[] {
  return playout.advance(nowMs).map(({ name }) => name);
}

describe('the playback queue', () => {
  it('plays back to back what arrives before it has run dry', () => {
    const playout = model();
    playout.push(frame, 1_000);
    playout.push(frame, 1_005);
    playout.push(frame, 1_039);
    expect(playout.endMs).toBe(1_060);
    expect(playout.leadMs(1_040)).toBe(20);
    expect(playout.runs()).toEqual([{ startMs: 1_000, firstSample: 0, sampleCount: 3 * frame }]);
    expect(playout.underruns).toBe(0);
  });

  it('answers a checkpoint exactly when the audio before it has played out', () => {
    const playout = model();
    playout.push(frame, 1_000);
    playout.checkpoint('one', 1_000);
    playout.push(frame, 1_000);
    playout.checkpoint('two', 1_000);
    expect(playout.nextDueMs()).toBe(1_020);
    expect(names(playout, 1_019.9)).toEqual([]);
    expect(names(playout, 1_020)).toEqual(['one']);
    expect(names(playout, 1_100)).toEqual(['two']);
    expect(names(playout, 2_000)).toEqual([]);
    expect(playout.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('answers a checkpoint on an empty queue at once', () => {
    const playout = model(40);
    playout.checkpoint('at once', 500);
    expect(playout.advance(500)).toEqual([{ name: 'at once', atMs: 500 }]);
    playout.push(frame, 600);
    expect(playout.leadMs(600)).toBe(20);
    playout.checkpoint('later', 1_000);
    expect(names(playout, 1_000)).toEqual(['later']);
  });

  it('refuses a second checkpoint of a name that is pending, and takes it afterwards', () => {
    const playout = model();
    playout.push(frame, 0);
    expect(playout.checkpoint('same', 0)).toBe(true);
    expect(playout.checkpoint('same', 1)).toBe(false);
    expect(names(playout, 20)).toEqual(['same']);
    expect(playout.checkpoint('same', 21)).toBe(true);
  });

  it('is emptied by a clear, with the checkpoints that nobody heard up to', () => {
    const playout = model();
    playout.push(frame, 1_000);
    playout.checkpoint('heard', 1_000);
    playout.push(5 * frame, 1_000);
    playout.checkpoint('unheard', 1_000);
    expect(names(playout, 1_050)).toEqual(['heard']);
    expect(playout.clear(1_050)).toEqual({ droppedSamples: 3.5 * frame, droppedCheckpoints: 1 });
    expect(playout.leadMs(1_050)).toBe(0);
    expect(names(playout, 9_999)).toEqual([]);
    playout.push(frame, 1_060);
    expect(playout.underruns).toBe(0);
    expect(playout.runs()).toEqual([
      { startMs: 1_000, firstSample: 0, sampleCount: 2.5 * frame },
      { startMs: 1_060, firstSample: 2.5 * frame, sampleCount: frame },
    ]);
  });

  it('counts a short gap as an underrun and a long one as a pause', () => {
    const playout = model();
    playout.push(frame, 0);
    playout.push(frame, 25);
    expect(playout.underruns).toBe(1);
    playout.push(frame, 2_000);
    expect(playout.underruns).toBe(1);
    expect(playout.runs().map(({ startMs }) => startMs)).toEqual([0, 25, 2_000]);
  });

  it('absorbs jitter up to its start delay', () => {
    const playout = model(40);
    for (const [i, jitterMs] of [0, 15, 3, 39, 0, 20].entries()) {
      playout.push(frame, 1_000 + i * 20 + jitterMs);
    }
    expect(playout.underruns).toBe(0);
    expect(playout.runs()).toEqual([{ startMs: 1_040, firstSample: 0, sampleCount: 6 * frame }]);
  });

  it('counts what goes beyond 40 s and refuses what goes beyond 60 s', () => {
    const playout = model();
    expect(playout.push(40 * 8_000, 0)).toBe(true);
    expect(playout.overflows).toBe(0);
    expect(playout.push(20 * 8_000, 0)).toBe(true);
    expect(playout.overflows).toBe(1);
    expect(playout.push(1, 0)).toBe(false);
    expect(playout.leadMsMax).toBe(60_000);
    expect(playout.push(1, 1)).toBe(true);
  });
});

describe('what was heard', () => {
  it('is drawn on its timeline with silence between and nothing of what was cleared', () => {
    const playout = new PlayoutModel({ rateHz: 1_000 });
    const heard = new HeardAudio();
    const play = (value: number, count: number, nowMs: number): void => {
      playout.push(count, nowMs);
      heard.push(new Int16Array(count).fill(value));
    };
    play(1, 2, 101);
    play(2, 2, 102);
    play(3, 5, 107);
    heard.drop(playout.clear(109).droppedSamples);
    play(4, 9, 110);
    const span = { fromMs: 100, untilMs: 112, rateHz: 1_000 };
    expect([...heard.timeline(playout.runs(), span)]).toEqual([0, 1, 1, 2, 2, 0, 0, 3, 3, 0, 4, 4]);
    expect([...heard.joined()].slice(0, 8)).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
  });

  it('grows with the call', () => {
    const heard = new HeardAudio();
    for (let i = 0; i < 50; i += 1) heard.push(new Int16Array(999).fill(i));
    expect(heard.count).toBe(50 * 999);
    expect(heard.joined().at(-1)).toBe(49);
    expect(heard.joined()[998]).toBe(0);
  });
});
