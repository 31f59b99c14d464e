import type { Call } from '../../src/handler.js';
import { runCommand } from './commands.js';
import { type Dialect, factsOf, type Outgoing, samplesOf, type Voice } from './dialect.js';

/**
 * The simplest thing to write in any language: binary messages are PCM16, little-endian, mono, at the upstream's rate;
 * text messages are JSON objects with an `event`. The list of them is in docs/upstreams.md.
 */
export class PcmDialect implements Dialect {
  readonly #sampleRate: number;
  readonly #voice: Voice;
  #message = Buffer.alloc(0);

  constructor(sampleRate: number, voice: Voice) {
    this.#sampleRate = sampleRate;
    this.#voice = voice;
  }

  greeting(call: Call, isResumed: boolean): readonly Outgoing[] {
    const facts = factsOf(call, isResumed);
    return [JSON.stringify({ event: 'start', sampleRate: this.#sampleRate, ...facts })];
  }

  audio(samples: Int16Array): Buffer {
    if (this.#message.length !== samples.byteLength) {
      this.#message = Buffer.alloc(samples.byteLength);
    }
    this.#message.set(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
    return this.#message;
  }

  dtmf(digit: string): Outgoing {
    return JSON.stringify({ event: 'dtmf', digit });
  }

  played(name: string, interrupted: boolean): Outgoing {
    return JSON.stringify({ event: 'played', name, interrupted });
  }

  goodbye(reason: string): Outgoing {
    return JSON.stringify({ event: 'end', reason });
  }

  take(call: Call, data: Buffer, isBinary: boolean): string | undefined {
    if (!isBinary) return runCommand(call, data.toString('utf8'), this.#voice);
    if (data.length === 0 || data.length % 2 === 1) {
      return `a binary message of ${data.length} bytes, which is no PCM16`;
    }
    this.#voice.play(samplesOf(data), this.#sampleRate);
    return undefined;
  }
}
