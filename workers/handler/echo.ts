import { defineHandler } from '../../src/handler.js';

/** Plays the caller's audio back. */
export const echo = defineHandler({
  audio(call, samples, track) {
    if (track === 'inbound') call.play(samples);
  },
});
