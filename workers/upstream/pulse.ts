import type { WebSocket } from 'ws';
import { upstreamPingMs, upstreamPongLateMs } from '../../src/limits.js';

/**
 * Whether an application reads: known by a pong that is late, as kernel buffers swallow minutes of audio before a send
 * says anything.
 */
export class Pulse {
  #pingedMs: number;
  #pongDue = false;
  #lateSinceMs = 0;

  constructor(nowMs: number) {
    this.#pingedMs = nowMs;
  }

  beat(): void {
    this.#pongDue = false;
  }

  /** Pings when it is time. */
  isLate(socket: WebSocket, nowMs: number): boolean {
    if (!this.#pongDue && nowMs - this.#pingedMs >= upstreamPingMs) {
      this.#pingedMs = nowMs;
      this.#pongDue = true;
      socket.ping();
    }
    const isLate = this.#pongDue && nowMs - this.#pingedMs > upstreamPongLateMs;
    if (!isLate) this.#lateSinceMs = 0;
    else if (this.#lateSinceMs === 0) this.#lateSinceMs = nowMs;
    return isLate;
  }

  /** For how long it has been late. */
  lateMs(nowMs: number): number {
    return this.#lateSinceMs === 0 ? 0 : nowMs - this.#lateSinceMs;
  }
}
