import { performance } from 'node:perf_hooks';
import { ptimeMs } from '../../src/limits.js';
import type { PlivoSender } from '../plivo-sender.js';
import type { EchoMeter } from './echo-meter.js';
import type { MediaFrames } from './frames.js';
import { msOfSlot, packetSlots, slotAt, unixMsOfSlot } from './grid.js';
import type { Link } from './link.js';
import type { Meter } from './meter.js';
import type { StreamEar } from './stream-ear.js';

/** What the callers of a thread have to say: base64 of 20 ms each, as bytes. */
export interface Lines {
  readonly speech: readonly Buffer[];
  readonly silence: Buffer;
}

export interface StreamVoiceOptions {
  readonly streamId: string;
  readonly meter: Meter;
  readonly frames: MediaFrames;
  readonly lines: Lines;
  readonly sender: PlivoSender;
  readonly ear: StreamEar;
  readonly link: Link;
  /** Where in the speech this caller begins. */
  readonly offset: number;
  /** Speaks only when told to. */
  readonly isSilent: boolean;
  /** Says nothing more until it was answered, as people do; an echo would have to be waited for for ever. */
  readonly waitsForAnswer: boolean;
}

/** The caller speaks and is silent in turns so long. */
const turnPackets = 700 / ptimeMs;
const earlyPackets = 5;
/** A caller who waits for an answer waits so long. */
const patiencePackets = 10_000 / ptimeMs;

/** Plivo's sending half of one stream: a packet every 20 ms, each at its own place in time. */
export class StreamVoice {
  // Fields of its own: every packet needs them, and V8 finds a field faster than a property of somebody's options.
  readonly #echo: EchoMeter;
  readonly #ear: StreamEar;
  readonly #link: Link;
  readonly #frames: MediaFrames;
  readonly #meter: Meter;
  readonly #sender: PlivoSender;
  readonly #id: Buffer;
  readonly #speech: readonly Buffer[];
  readonly #silence: Buffer;
  readonly #offset: number;
  readonly #isSilent: boolean;
  readonly #waitsForAnswer: boolean;
  /** Packet with which the present turn began, or the next one will. */
  #turnAt = 0;
  #heldUntil = 0;
  #speakUntil = 0;

  constructor(options: StreamVoiceOptions) {
    this.#ear = options.ear;
    this.#echo = options.ear.echo;
    this.#link = options.link;
    this.#frames = options.frames;
    this.#meter = options.meter;
    this.#sender = options.sender;
    this.#id = Buffer.from(options.streamId, 'latin1');
    this.#speech = options.lines.speech;
    this.#silence = options.lines.silence;
    this.#offset = options.offset;
    this.#isSilent = options.isSilent;
    this.#waitsForAnswer = options.waitsForAnswer;
  }

  /** Sends what is due, of packets held back all; answers what time it is afterwards. */
  speak(slot: number, fromMs: number): number {
    const echo = this.#echo;
    if (echo.sent === 0) echo.start(slot);
    if (slot < this.#heldUntil) return fromMs;
    let nowMs = fromMs;
    for (;;) {
      const due = echo.dueSlot(echo.sent);
      const dueMs = msOfSlot(due);
      if (dueMs > nowMs) return nowMs;
      this.#send(due, echo.sent + 1, this.#payload(due));
      echo.packetSent();
      this.#meter.counters.sent += 1;
      nowMs = performance.now();
      this.#meter.lag.record(nowMs - dueMs);
    }
  }

  /** Media before `start`: nobody will answer it. */
  speakEarly(): void {
    const slot = slotAt(performance.now());
    for (let i = 1; i <= earlyPackets; i += 1) this.#send(slot, i, this.#silence);
  }

  /** Packets wait so long, and then leave all at once. */
  stall(ms: number): void {
    const count = Math.ceil(ms / ptimeMs);
    this.#heldUntil = this.#echo.dueSlot(this.#echo.sent) + count * packetSlots;
    this.#echo.hold(count + 1, this.#heldUntil);
  }

  /** Starts a turn while the application speaks. */
  interrupt(): void {
    this.#speakUntil = this.#echo.sent + turnPackets;
    this.#ear.barged(this.#echo.dueSlot(this.#echo.sent));
  }

  #send(slot: number, chunk: number, payload: Buffer): void {
    const number = this.#sender.nextNumber();
    this.#link.send(this.#frames.fill(this.#id, number, chunk, unixMsOfSlot(slot), payload));
  }

  #payload(slot: number): Buffer {
    const packet = this.#echo.sent;
    const inTurn = this.#isSilent ? -1 : this.#inTurn(packet, slot);
    if (this.#isSilent ? packet < this.#speakUntil : inTurn >= 0 && inTurn < turnPackets) {
      if (inTurn === 0) this.#ear.turnBegan();
      return this.#speech[(this.#offset + packet) % this.#speech.length] ?? this.#silence;
    }
    if (inTurn === turnPackets) this.#ear.turnEnded(slot - packetSlots);
    return this.#silence;
  }

  /** Packets since the turn began; negative before it does. */
  #inTurn(packet: number, slot: number): number {
    const inTurn = packet - this.#turnAt;
    if (inTurn <= turnPackets) return inTurn;
    if (this.#waitsForAnswer && this.#ear.isAwaited) {
      if (inTurn > turnPackets + patiencePackets) this.#ear.gaveUp(msOfSlot(slot));
      return inTurn;
    }
    // A pause as long as a turn, from its end or from when the answer began.
    this.#turnAt = this.#waitsForAnswer ? packet + turnPackets : this.#turnAt + 2 * turnPackets;
    return packet - this.#turnAt;
  }
}
