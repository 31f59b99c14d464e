import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMulaw } from '../../src/codec/g711.js';
import { playoutCatchUpMs } from '../../src/limits.js';
import { drop } from '../../src/shard/counters.js';
import { PlayoutStage, sessionTickMs, speech } from './playout-stage.js';

describe('outgoing audio', () => {
  it('leaves at once until Plivo is the lead ahead, and then at the pace of time', () => {
    const stage = new PlayoutStage();
    stage.play(speech(2_000));
    expect(stage.sentMs).toBe(200);
    expect(stage.audio.every(({ ms }) => ms === 20)).toBe(true);
    for (let ms = sessionTickMs; ms <= 1_800; ms += sessionTickMs) {
      stage.pass(sessionTickMs);
      expect([ms, stage.sentMs]).toEqual([ms, 200 + ms]);
    }
    stage.pass(1_000);
    expect(stage.sentMs).toBe(2_000);
    expect(stage.wire).toEqual(encodeMulaw(speech(2_000)));
    stage.close();
  });

  it('is never held for a tick when it comes at the pace of time', () => {
    const stage = new PlayoutStage();
    for (let frame = 1; frame <= 100; frame += 1) {
      stage.play(speech(20));
      expect(stage.sentMs).toBe(20 * frame);
      stage.pass(20);
    }
    expect(stage.leadMaxMs).toBeLessThanOrEqual(40);
    stage.close();
  });

  it('keeps its lead within the limit and a chunk, for any lead and chunk', () => {
    for (const [leadMs, chunkMs] of [
      [20, 20],
      [200, 20],
      [100, 60],
      [20, 200],
      [2_000, 40],
    ] as const) {
      const stage = new PlayoutStage({ leadMs, chunkMs });
      stage.play(speech(3_000));
      stage.pass(3_500);
      expect(stage.leadMaxMs).toBeLessThan(leadMs + chunkMs + 1);
      expect(stage.leadMaxMs).toBeGreaterThanOrEqual(leadMs);
      expect(stage.wire).toEqual(encodeMulaw(speech(3_000)));
      stage.close();
    }
  });

  it('arrives byte for byte, whatever the pieces and pauses in which it was played', () => {
    const piece = fc.record({
      samples: fc.oneof(fc.nat(400), fc.nat(9_000)),
      pauseMs: fc.constantFrom(0, 0, 5, 20, 60, 100, 1_000),
    });
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 30 }), (pieces) => {
        const stage = new PlayoutStage();
        const whole = speech(40_000);
        let at = 0;
        for (const { samples, pauseMs } of pieces) {
          expect(stage.play(whole.subarray(at, at + samples))).toBe(true);
          at = Math.min(whole.length, at + samples);
          stage.pass(pauseMs);
        }
        stage.pass(at / 8 + 1_000);
        expect(Buffer.compare(stage.wire, encodeMulaw(whole.subarray(0, at)))).toBe(0);
        expect(stage.playout.remainingMs(stage.nowMs)).toBe(0);
        stage.close();
      }),
      { seed: 9, numRuns: 60 },
    );
  });

  it('sounds the same after resampling, whatever the pieces it was played in', () => {
    for (const rate of [16_000, 22_050, 24_000, 48_000]) {
      const whole = speech(1_000, rate);
      const [once, inPieces] = [new PlayoutStage({ rate }), new PlayoutStage({ rate })];
      once.play(whole);
      for (let at = 0; at < whole.length; at += 333) inPieces.play(whole.subarray(at, at + 333));
      for (const stage of [once, inPieces]) stage.pass(2_000);
      expect(inPieces.wire).toEqual(once.wire);
      expect(once.sentMs).toBeGreaterThanOrEqual(1_000);
      expect(once.sentMs).toBeLessThan(1_010);
      once.close();
      inPieces.close();
    }
  });

  // A flushed filter begins again from silence: in the middle of speech that is heard as a click.
  it('sounds the same when its pieces come in time, but 100 ms apart', () => {
    const rate = 16_000;
    const whole = speech(2_000, rate);
    const [once, inPieces] = [new PlayoutStage({ rate }), new PlayoutStage({ rate })];
    once.play(whole);
    inPieces.play(whole.subarray(0, 1_600));
    for (let at = 1_600; at < whole.length; at += 1_600) {
      inPieces.play(whole.subarray(at, at + 1_600));
      inPieces.pass(100);
    }
    for (const stage of [once, inPieces]) stage.pass(3_000);
    expect(inPieces.sentMs).toBe(once.sentMs);
    expect(inPieces.wire).toEqual(once.wire);
    once.close();
    inPieces.close();
  });

  it('sends a part of a chunk, and what the filter holds, before the caller hears a gap', () => {
    for (const rate of [8_000, 16_000, 48_000]) {
      const stage = new PlayoutStage({ rate });
      stage.play(speech(210, rate));
      expect(stage.sentMs).toBe(200);
      stage.pass(180);
      expect(stage.sentMs).toBeGreaterThanOrEqual(210);
      expect(stage.sentMs).toBeLessThan(214);
      stage.close();
    }
  });

  it('is all sent at a change of rate, before the first audio at the new one', () => {
    const stage = new PlayoutStage({ rate: 8_000 });
    stage.play(speech(50));
    stage.play(speech(50, 24_000), 24_000);
    stage.play(speech(50));
    stage.pass(500);
    expect(stage.sentMs).toBeGreaterThanOrEqual(150);
    expect(stage.sentMs).toBeLessThan(155);
    expect(stage.wire.subarray(0, 400)).toEqual(encodeMulaw(speech(50)));
    stage.close();
  });

  it('has room for as much as the queue may hold, and is refused and counted above it', () => {
    const stage = new PlayoutStage({ queueMs: 1_000 });
    expect(stage.play(speech(1_100))).toBe(false);
    expect(stage.play(speech(900))).toBe(true);
    expect(stage.play(speech(400))).toBe(false);
    expect(stage.values[drop['queue-full']]).toBe(2);
    stage.pass(500);
    expect(stage.play(speech(400))).toBe(true);
    stage.pass(2_000);
    expect(stage.sentMs).toBe(1_300);
    stage.close();
  });

  it('is lost and counted once the ring is full, and goes on when there is room again', () => {
    const stage = new PlayoutStage();
    stage.full = true;
    stage.play(speech(100));
    stage.full = false;
    stage.play(speech(100));
    expect([stage.sentMs, stage.playout.frames]).toEqual([100, 5]);
    stage.close();
  });
});

describe('after a stall of the thread', () => {
  it('what was late is made up for at once, if the stall was short', () => {
    const stage = new PlayoutStage();
    stage.play(speech(5_000));
    stage.pass(400);
    stage.stall(200 + playoutCatchUpMs - 20);
    expect(stage.sentMs).toBe(200 + 400 + 200 + playoutCatchUpMs - 20);
    stage.pass(100);
    expect(stage.sentMs).toBe(200 + 400 + 200 + playoutCatchUpMs - 20 + 100);
    stage.close();
  });

  // What the caller did not hear in time cannot be played in the past: all of it would lie at Plivo.
  it('a new spurt begins if it was long, so that Plivo never holds more than lead and catch-up', () => {
    const stage = new PlayoutStage();
    stage.play(speech(20_000));
    stage.pass(400);
    stage.stall(5_000);
    stage.pass(1_000);
    expect(stage.leadMaxMs).toBeLessThanOrEqual(200 + playoutCatchUpMs + 20);
    stage.close();
  });

  it('and after a pause of the application, a new spurt has the same lead as the first', () => {
    const stage = new PlayoutStage();
    stage.play(speech(300));
    stage.pass(300 + playoutCatchUpMs + sessionTickMs);
    const before = stage.sentMs;
    stage.play(speech(2_000));
    expect(stage.sentMs - before).toBe(200);
    stage.close();
  });
});
