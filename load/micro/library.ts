import { PlivoFrameSerializer } from '../../src/serializer.js';
import { mediaMessages, soundFrames, turns } from './sound.js';
import type { Case } from './timing.js';

/**
 * The library's face: strings and arrays of the application's own, made anew for each frame. What that
 * costs beyond the shard's way is the price of safe hands.
 */
export function libraryCases(sampleRate: number): readonly [Case, Case, Case] {
  const serializer = new PlivoFrameSerializer({
    streamId: 'b4d0a9de-1c2b-4a57-9a0e-6f5d1e7c3b21',
    params: { plivoSampleRate: 8_000, sampleRate, autoHangUp: false },
  });
  const messages = mediaMessages('mulaw', 8_000);
  const text = turns(messages);
  const bytes = turns(messages.map((message) => new Uint8Array(Buffer.from(message))));
  const frames = soundFrames(sampleRate).map(
    (audio) => ({ type: 'OutputAudioRawFrame', audio, sampleRate, numChannels: 1 }) as const,
  );
  const frame = turns(frames);
  const kHz = `${sampleRate / 1_000} kHz`;
  return [
    { name: `deserialize a string, ${kHz}`, frame: () => serializer.deserialize(text()) },
    { name: `deserialize bytes, ${kHz}`, frame: () => serializer.deserialize(bytes()) },
    { name: `serialize, ${kHz}`, frame: () => serializer.serialize(frame()) },
  ];
}
