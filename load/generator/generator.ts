import { performance } from 'node:perf_hooks';
import { silencePayload, streamFormats } from '../stream-format.js';
import { MediaFrames } from './frames.js';
import { msOfSlot, packetSlots, slotAt } from './grid.js';
import { type CallSurroundings, LoadCall } from './load-call.js';
import type { Dial, GeneratorNotice, GeneratorOptions, GeneratorOrder } from './messages.js';
import { Meter } from './meter.js';
import { type Random, seeded } from './random.js';

/** Sending pauses after this long, so that answers are read even when the machine is too slow. */
const sendingMsMax = 4;
const intervalMs = 1_000;

/**
 * Many calls on one absolute clock: packet n of a call is due at t0 + n × 20 ms, and is sent late rather than never. Calls
 * are spread over the 20 ms as they come.
 */
export class Generator {
  readonly #notify: (notice: GeneratorNotice) => void;
  readonly #calls = new Map<string, LoadCall>();
  /** By the place of their packets within the 20 ms. */
  readonly #slots: LoadCall[][] = Array.from({ length: packetSlots }, () => []);
  readonly #surroundings: CallSurroundings;
  readonly #meter = new Meter();
  readonly #random: Random;
  /** The slot that is next, and the place in it. */
  #slot = slotAt(performance.now());
  #place = 0;
  #frames: { readonly extraHeaders: string; readonly frames: MediaFrames } | undefined = undefined;
  #intervalStartMs = performance.now();
  #isStopped = false;

  constructor(options: GeneratorOptions, notify: (notice: GeneratorNotice) => void) {
    const format = streamFormats[options.format];
    this.#notify = notify;
    this.#random = seeded(options.seed);
    this.#surroundings = {
      meter: this.#meter,
      format,
      lines: {
        speech: options.payloads.map((payload) => Buffer.from(payload, 'latin1')),
        silence: Buffer.from(silencePayload(format), 'latin1'),
      },
      framesFor: (extraHeaders) => this.#framesFor(extraHeaders),
      insecure: options.insecure,
      authToken: options.authToken,
      isEcho: options.isEcho,
      started: ({ callId, streamId }) => notify({ type: 'started', callId, streamId }),
      over: (result) => {
        this.#calls.delete(result.callId);
        notify({ type: 'over', result });
      },
    };
    this.#look();
  }

  take(order: GeneratorOrder): void {
    switch (order.type) {
      case 'dial':
        for (const dial of order.dials) this.#add(dial);
        return;
      case 'hangUp':
        this.#calls.get(order.callId)?.hangUpByRest(performance.now());
        return;
      case 'end':
        for (const call of [...this.#calls.values()]) call.hangUp(performance.now());
        return;
      case 'stop':
        this.#stop();
        return;
    }
  }

  #add(dial: Dial): void {
    this.#meter.counters.dialled += 1;
    const random = seeded(this.#random() * 0xffff_ffff);
    const call = new LoadCall(dial, this.#surroundings, random, performance.now());
    this.#calls.set(dial.callId, call);
    this.#emptiestSlot().push(call);
  }

  /** Mostly all calls have the same. */
  #framesFor(extraHeaders: string): MediaFrames {
    if (this.#frames?.extraHeaders !== extraHeaders) {
      const { format } = this.#surroundings;
      this.#frames = { extraHeaders, frames: new MediaFrames(format, extraHeaders) };
    }
    return this.#frames.frames;
  }

  #emptiestSlot(): LoadCall[] {
    return this.#slots.reduce((least, slot) => (slot.length < least.length ? slot : least));
  }

  #stop(): void {
    this.#isStopped = true;
    this.#report(performance.now());
    this.#notify({ type: 'stopped', violations: this.#meter.violations.list() });
  }

  #look(): void {
    if (this.#isStopped) return;
    const nowMs = performance.now();
    if (nowMs - this.#intervalStartMs >= intervalMs) this.#report(nowMs);
    const isBehind = this.#tickDue(nowMs + sendingMsMax);
    if (isBehind) setImmediate(() => this.#look());
    else setTimeout(() => this.#look(), 1);
  }

  /** Ticks the calls that are due; true if there was no time for all of them. */
  #tickDue(untilMs: number): boolean {
    for (let nowMs = performance.now(); ; ) {
      if (msOfSlot(this.#slot) > nowMs) return false;
      const calls = this.#slots[this.#slot % packetSlots]!;
      while (this.#place < calls.length) {
        if (nowMs > untilMs) return true;
        const call = calls[this.#place]!;
        if (call.isOver) {
          calls[this.#place] = calls.at(-1)!;
          calls.pop();
        } else {
          nowMs = call.tick(this.#slot, nowMs);
          this.#place += 1;
        }
      }
      this.#place = 0;
      this.#slot += 1;
    }
  }

  #report(nowMs: number): void {
    this.#intervalStartMs = nowMs;
    let connecting = 0;
    for (const call of this.#calls.values()) if (call.isConnecting) connecting += 1;
    this.#notify(this.#meter.take(nowMs, this.#calls.size - connecting, connecting));
  }
}
