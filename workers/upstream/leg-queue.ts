import type { WebSocket } from 'ws';
import { upstreamQueueControls, upstreamQueueFrames } from '../../src/limits.js';
import type { Outgoing } from './dialect.js';

interface Waiting {
  readonly message: Outgoing;
  readonly isBinary: boolean;
  readonly isAudio: boolean;
}

/**
 * What waits for an application that is not there yet, or does not read, in order. Of audio the oldest goes when there
 * is too much; control messages are kept up to a bound that no person at a telephone reaches.
 */
export class LegQueue {
  #waiting: Waiting[] = [];
  #frames = 0;

  /** False if the oldest frame had to go for it. Copies the bytes. */
  audio(bytes: Buffer, isBinary: boolean): boolean {
    this.#waiting.push({ message: Buffer.from(bytes), isBinary, isAudio: true });
    this.#frames += 1;
    if (this.#frames <= upstreamQueueFrames) return true;
    const oldest = this.#waiting.findIndex(({ isAudio }) => isAudio);
    this.#waiting.splice(oldest, 1);
    this.#frames -= 1;
    return false;
  }

  /** False if there is no room for it. Copies bytes. */
  control(message: Outgoing, isBinary: boolean): boolean {
    if (this.#waiting.length - this.#frames >= upstreamQueueControls) return false;
    const kept = typeof message === 'string' ? message : Buffer.from(message);
    this.#waiting.push({ message: kept, isBinary, isAudio: false });
    return true;
  }

  /** Sends all of it. */
  empty(socket: WebSocket): void {
    if (this.#waiting.length === 0) return;
    for (const { message, isBinary } of this.#waiting) socket.send(message, { binary: isBinary });
    this.#waiting = [];
    this.#frames = 0;
  }
}
