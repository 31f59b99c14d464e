import { defineHandler } from '../../src/handler.js';
import { digitTone, silence, tone } from './tones.js';

const rate = 8_000;
/** Three rising notes. */
const greeting = [523, 659, 784].map((hertz) => tone([hertz], 220, rate));
const farewell = [784, 523].map((hertz) => tone([hertz], 260, rate));
const pause = silence(80, rate);

/** Greets, reads each digit back as its tones, and ends the call gracefully on `#`. */
export const ivr = defineHandler({
  start(call) {
    for (const note of greeting) call.play(note, rate);
    call.checkpoint('greeting');
  },
  dtmf(call, digit) {
    if (digit === '#') {
      for (const note of farewell) call.play(note, rate);
      call.end();
      return;
    }
    call.clear();
    const answer = digitTone(digit, 400, rate);
    if (answer === undefined) return;
    call.play(answer, rate);
    call.play(pause, rate);
    call.checkpoint(`digit ${digit}`);
  },
});
