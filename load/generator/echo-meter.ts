import { packetSlots } from './grid.js';

/**
 * Turnaround of an echo, counted in audio: from the deadline of packet n to having received as much audio as had been
 * sent up to and including n. Deadlines are counted, not kept: packet n is due 20 ms after the one before, however late it
 * was sent; so a generator that stalls shows up in the figures as the caller would have heard it. Times are slots of the
 * grid.
 */
export class EchoMeter {
  readonly #packetBytes: number;
  #firstSlot = 0;
  #sent = 0;
  #returned = 0;
  /** Of a packet that has come back in part. */
  #partBytes = 0;
  /** Packets held back on purpose are due when the network lets them go. */
  #heldFrom = 0;
  #heldUntil = 0;
  #heldSlot = 0;

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

  /** Packet 0 is due then. */
  start(slot: number): void {
    this.#firstSlot = slot;
  }

  dueSlot(packet: number): number {
    const isHeld = packet >= this.#heldFrom && packet < this.#heldUntil;
    return isHeld ? this.#heldSlot : this.#firstSlot + packet * packetSlots;
  }

  /** The next `count` packets are due then. */
  hold(count: number, slot: number): void {
    this.#heldFrom = this.#sent;
    this.#heldUntil = this.#sent + count;
    this.#heldSlot = slot;
  }

  packetSent(): void {
    this.#sent += 1;
  }

  /** Audio came; answers how many packets are thereby complete. They are the oldest open ones. */
  received(byteCount: number): number {
    let bytes = this.#partBytes + byteCount;
    let complete = 0;
    while (bytes >= this.#packetBytes && this.#returned < this.#sent) {
      bytes -= this.#packetBytes;
      this.#returned += 1;
      complete += 1;
    }
    // What comes before it was sent answers nothing.
    this.#partBytes = this.#returned === this.#sent ? 0 : bytes;
    return complete;
  }
}
