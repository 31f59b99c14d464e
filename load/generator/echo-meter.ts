import { ptimeMs } from '../../src/limits.js';

/**
 * Turnaround of an echo, counted in audio: from the deadline of packet n to having received as much audio as had been
 * sent up to and including n. Deadlines are counted, not kept: packet n is due at `firstMs` + n × 20 ms, however late it
 * was sent; so a generator that stalls shows up in the figures as the caller would have heard it.
 */
export class EchoMeter {
  readonly #packetBytes: number;
  #firstMs = 0;
  #sent = 0;
  #returned = 0;
  #receivedBytes = 0;
  /** Packets held back on purpose are due when the network lets them go. */
  #heldFrom = 0;
  #heldUntil = 0;
  #heldDueMs = 0;

  /** `packetBytes`: bytes of raw audio in 20 ms. */
  constructor(packetBytes: number) {
    this.#packetBytes = packetBytes;
  }

  get sent(): number {
    return this.#sent;
  }

  get returned(): number {
    return this.#returned;
  }

  /** Packets on their way. */
  get open(): number {
    return this.#sent - this.#returned;
  }

  /** Packet 0 is due now. */
  start(firstMs: number): void {
    this.#firstMs = firstMs;
  }

  dueMs(packet: number): number {
    const isHeld = packet >= this.#heldFrom && packet < this.#heldUntil;
    return isHeld ? this.#heldDueMs : this.#firstMs + packet * ptimeMs;
  }

  /** The next `count` packets are due at `dueMs`. */
  hold(count: number, dueMs: number): void {
    this.#heldFrom = this.#sent;
    this.#heldUntil = this.#sent + count;
    this.#heldDueMs = dueMs;
  }

  packetSent(): void {
    this.#sent += 1;
  }

  /** Audio came; answers how many packets are thereby complete. They are the oldest open ones. */
  received(byteCount: number): number {
    this.#receivedBytes += byteCount;
    const complete = Math.floor(this.#receivedBytes / this.#packetBytes);
    const now = Math.min(complete, this.#sent);
    const before = this.#returned;
    this.#returned = Math.max(before, now);
    return this.#returned - before;
  }
}
