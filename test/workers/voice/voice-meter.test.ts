import { describe, expect, it } from 'vitest';
import { counterBlock, voiceBlock } from '../../../src/shard/counters.js';
import { readHistogram } from '../../../src/shard/histogram.js';
import {
  clippedFrames,
  oneWay,
  voiceCounter,
  voiceLevel,
  voiceTime,
} from '../../../src/shard/voice-counters.js';
import { VoiceMeter } from '../../../workers/voice/voice-meter.js';

const rate = 8_000;
const frameSamples = 160;
const frameMs = 20;
/** Mean squares: about -20 dBFS, and the hiss of a quiet line. */
const speech = 3_000 ** 2;
const hiss = 20 ** 2;

/** A call of which every frame is made here, with its clock in hand. */
class Scene {
  readonly block = voiceBlock(counterBlock(), 0);
  readonly told: (readonly [string, number | undefined])[] = [];
  nowMs = 5_000;
  readonly meter: VoiceMeter;
  #chunk = 1;

  constructor(isOneWay = false) {
    const tell = (what: string, ms?: number) => void this.told.push([what, ms]);
    this.meter = new VoiceMeter(this.block, this.nowMs, this.nowMs, rate, isOneWay, tell);
  }

  /** The caller is heard for so long; the application says nothing, or as loud as this in each frame. */
  pass(ms: number, power: number, plays?: number): void {
    for (let left = ms; left > 0; left -= frameMs) {
      this.packet();
      this.frame(power);
      if (plays !== undefined) this.play(plays);
      this.nowMs += frameMs;
      this.meter.look(this.nowMs);
    }
  }

  packet(chunk = this.#chunk): void {
    this.#chunk = chunk + 1;
    this.meter.packets.arrived(this.nowMs * 1_000, frameMs * 1_000, chunk);
  }

  frame(power: number, peak = Math.round(1.5 * Math.sqrt(power))): void {
    this.meter.heard(power * frameSamples, peak, frameSamples, frameMs, this.nowMs);
  }

  play(power: number, ms = frameMs): void {
    const samples = (ms * rate) / 1_000;
    this.meter.encoded(power * samples, Math.round(1.5 * Math.sqrt(power)), samples);
    this.meter.sent(this.nowMs, ms);
  }

  seen(name: keyof typeof voiceTime): { count: number; sum: number } {
    const { buckets, sum } = readHistogram(this.block, voiceTime[name]);
    return { count: buckets.reduce((total, inBucket) => total + inBucket, 0), sum };
  }
}

describe('the time until a caller has an answer', () => {
  it('is from the end of speech to the first sound, whatever silence is played between', () => {
    const scene = new Scene();
    scene.pass(600, hiss);
    scene.pass(1_000, speech);
    scene.pass(400, hiss, 0);
    scene.pass(300, hiss);
    scene.play(speech);
    // The last frame that was loud began 20 ms before the pause.
    expect(scene.seen('response')).toEqual({ count: 1, sum: 0.72 });
    expect(scene.told).toContainEqual(['answered', 720]);
    expect(scene.meter.summary()).toMatchObject({ responses: 1, responseMsMax: 720 });
  });

  it('is counted once for each thing that was said, pauses between words included', () => {
    const scene = new Scene();
    for (let turn = 0; turn < 3; turn += 1) {
      scene.pass(400, speech);
      scene.pass(200, hiss);
      scene.pass(400, speech);
      scene.pass(500, hiss);
      scene.pass(1_000, hiss, speech);
      scene.pass(400, hiss);
    }
    expect(scene.seen('response').count).toBe(3);
    expect(scene.meter.summary()).toMatchObject({ responses: 3, responseMsMean: 520 });
  });

  it('is none of a greeting, of a click, of noise, or of who speaks into the caller', () => {
    const greeting = new Scene();
    greeting.pass(500, hiss);
    greeting.play(speech);
    const click = new Scene();
    click.pass(40, speech);
    click.pass(500, hiss);
    click.play(speech);
    const noise = new Scene();
    noise.pass(3_000, 150 ** 2);
    noise.play(speech);
    const into = new Scene();
    into.pass(1_000, speech);
    into.play(speech);
    for (const scene of [greeting, click, noise, into]) {
      expect(scene.seen('response').count).toBe(0);
    }
  });

  it('is none where the application spoke on, or where a minute has passed', () => {
    const on = new Scene();
    on.pass(1_000, speech, speech);
    on.pass(1_000, hiss, speech);
    const late = new Scene();
    late.pass(1_000, speech);
    late.pass(60_000, hiss);
    late.play(speech);
    for (const scene of [on, late]) expect(scene.seen('response').count).toBe(0);
  });

  it('is measured on a loud line as well', () => {
    const scene = new Scene();
    scene.pass(2_000, 250 ** 2);
    scene.pass(1_000, speech);
    scene.pass(600, 250 ** 2);
    scene.play(speech);
    expect(scene.seen('response')).toEqual({ count: 1, sum: 0.62 });
  });
});

describe('what the caller’s ear gets', () => {
  it('begins with the first audio after the upgrade', () => {
    const scene = new Scene();
    scene.pass(340, hiss);
    scene.play(speech);
    scene.pass(100, hiss, speech);
    expect(scene.seen('setup')).toEqual({ count: 1, sum: 0.34 });
  });

  it('has an underrun for each pause inside of what is said, and none between two things said', () => {
    const scene = new Scene();
    scene.play(speech, 200);
    scene.nowMs += 260;
    scene.play(speech, 200);
    scene.nowMs += 200;
    scene.play(speech, 200);
    scene.nowMs += 2_000;
    scene.play(speech, 200);
    expect(scene.seen('underrun')).toEqual({ count: 1, sum: 0.06 });
    expect(scene.meter.summary()).toMatchObject({ underruns: 1, underrunMs: 60 });
  });

  it('has no underrun for the jitter of an echo, nor after a clear', () => {
    const echo = new Scene();
    for (const lateMs of [0, 15, 3, 19, 0, 8]) {
      echo.nowMs += lateMs;
      echo.play(speech);
      echo.nowMs += frameMs - lateMs;
    }
    const cleared = new Scene();
    cleared.play(speech, 1_000);
    cleared.nowMs += 100;
    cleared.meter.clear(cleared.nowMs);
    cleared.nowMs += 100;
    cleared.play(speech, 100);
    expect(echo.seen('underrun').count).toBe(0);
    expect(cleared.seen('underrun').count).toBe(0);
  });

  it('shows how much lies ahead of it', () => {
    const scene = new Scene();
    scene.play(speech, 400);
    scene.nowMs += 100;
    scene.meter.look(scene.nowMs);
    scene.nowMs += 1_000;
    scene.meter.look(scene.nowMs);
    expect(scene.seen('lead')).toEqual({ count: 1, sum: 0.3 });
  });

  it('is cleared as soon as Plivo says so, counted from the first of several clears', () => {
    const scene = new Scene();
    scene.meter.cleared(scene.nowMs);
    scene.meter.clear(scene.nowMs);
    scene.nowMs += 30;
    scene.meter.clear(scene.nowMs);
    scene.nowMs += 50;
    scene.meter.cleared(scene.nowMs);
    scene.meter.cleared(scene.nowMs + 500);
    expect(scene.seen('bargeIn')).toEqual({ count: 1, sum: 0.08 });
    expect(scene.meter.summary()).toMatchObject({ bargeIns: 1, bargeInMsMax: 80 });
  });
});

describe('the packets of a caller', () => {
  it('have no jitter and no gaps when they come every 20 ms', () => {
    const scene = new Scene();
    scene.pass(10_000, hiss);
    expect(scene.seen('gap').count).toBe(0);
    expect(scene.seen('jitter')).toEqual({ count: 7, sum: 0 });
  });

  it('have the jitter that RFC 3550 gives them', () => {
    const scene = new Scene();
    let expected = 0;
    for (let i = 0; i < 128; i += 1) {
      const off = i % 2 === 0 ? 5 : -5;
      scene.packet();
      scene.nowMs += frameMs + off;
      if (i < 127) expected += (5 - expected) / 16;
    }
    expect(scene.meter.packets.jitterMs).toBeCloseTo(expected, 6);
    expect(scene.seen('jitter').count).toBe(1);
  });

  it('leave a gap when none comes for more than 60 ms', () => {
    const scene = new Scene();
    for (const pauseMs of [20, 60, 80, 1_500, 20]) {
      scene.packet();
      scene.nowMs += pauseMs;
    }
    scene.packet();
    expect(scene.seen('gap')).toEqual({ count: 2, sum: 1.58 });
    expect(scene.meter.packets.longestGapMs).toBe(1_500);
  });

  it('are lost where numbers are missing, and late where smaller ones come', () => {
    const scene = new Scene();
    for (const chunk of [10, 11, 14, 15, 13, 16, -1, 17]) scene.packet(chunk);
    expect([scene.meter.packets.lost, scene.meter.packets.reordered]).toEqual([2, 1]);
    expect(scene.block[voiceCounter.lost]).toBe(2);
    expect(scene.block[voiceCounter.reordered]).toBe(1);
  });

  it('are not lost when Plivo begins to count anew', () => {
    const scene = new Scene();
    for (const chunk of [1, 2, 90_000, 90_001, 1, 2, 3]) scene.packet(chunk);
    expect([scene.meter.packets.lost, scene.meter.packets.reordered]).toEqual([0, 0]);
  });
});

describe('loudness', () => {
  it('is measured a second at a time, for each direction', () => {
    const scene = new Scene();
    scene.pass(2_000, 3_276.8 ** 2, 327.68 ** 2);
    const levels = (['in', 'out'] as const).map((way) =>
      readHistogram(scene.block, voiceLevel[way]),
    );
    expect(levels.map(({ sum }) => sum)).toEqual([expect.closeTo(0.2), expect.closeTo(0.02)]);
    expect(scene.meter.summary()).toMatchObject({ levelInDb: -20, levelOutDb: -40 });
  });

  it('counts frames that touch full scale', () => {
    const scene = new Scene();
    scene.frame(speech, 32_124);
    scene.frame(speech, 32_123);
    expect(scene.block[clippedFrames.in]).toBe(1);
    expect(scene.block[clippedFrames.out]).toBe(0);
  });
});

describe('a one-way call', () => {
  it('is one whose caller is digitally silent for 10 s, counted once', () => {
    const scene = new Scene();
    scene.pass(3_000, speech, speech);
    scene.pass(9_000, 0, speech);
    expect(scene.block[oneWay['caller-silent']]).toBe(0);
    scene.pass(30_000, 0, speech);
    scene.pass(1_000, speech, speech);
    scene.pass(30_000, 0, speech);
    expect(scene.block[oneWay['caller-silent']]).toBe(1);
    expect(scene.block[oneWay['nothing-played']]).toBe(0);
    expect(scene.meter.summary().oneWay).toEqual(['caller-silent']);
  });

  it('is one that nothing was played to in 10 s, unless nothing may be', () => {
    const mute = new Scene();
    mute.pass(11_000, hiss);
    const listening = new Scene(true);
    listening.pass(11_000, hiss);
    expect(mute.block[oneWay['nothing-played']]).toBe(1);
    expect(mute.told).toContainEqual(['nothing-played', undefined]);
    expect(listening.block[oneWay['nothing-played']]).toBe(0);
  });

  it('is none of a line that hisses, however long nobody speaks', () => {
    const scene = new Scene();
    scene.play(speech);
    scene.pass(60_000, hiss);
    expect(scene.meter.summary().oneWay).toEqual([]);
  });
});
