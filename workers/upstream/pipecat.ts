import type { Call } from '../../src/handler.js';
import { audioRates, isAudioRate } from '../../src/limits.js';
import { runCommand } from './commands.js';
import { type Dialect, factsOf, type Outgoing, samplesOf, type Voice } from './dialect.js';
import { audioFrame, messageFrame, type PipecatFrame, readFrame } from './protobuf.js';

const wavHeaderBytes = 44;
const riff = 0x46464952;
const libraryName = 'plivo-stream-gateway';
/** Bots of all versions take a client of the first one. */
const rtviVersion = '1.0.0';

/**
 * A Pipecat bot with `ProtobufFrameSerializer`. It listens at the upstream's rate, which is not negotiated; what it says
 * names its own. A text message, or audio without channels, would end its session: it gets neither.
 */
export class PipecatDialect implements Dialect {
  readonly #sampleRate: number;
  readonly #voice: Voice;
  #message = audioFrame(0, 0);
  #pcmBytes = -1;
  #messages = 0;

  constructor(sampleRate: number, voice: Voice) {
    this.#sampleRate = sampleRate;
    this.#voice = voice;
  }

  /** `client-ready` starts the bots that wait for it; the others take no notice. */
  greeting(call: Call, isResumed: boolean): readonly Outgoing[] {
    const about = { library: libraryName };
    return [
      this.#rtvi('client-ready', { version: rtviVersion, about }),
      this.#rtvi('client-message', { t: 'call', d: factsOf(call, isResumed) }),
    ];
  }

  audio(samples: Int16Array): Buffer {
    if (this.#pcmBytes !== samples.byteLength) {
      this.#pcmBytes = samples.byteLength;
      this.#message = audioFrame(samples.byteLength, this.#sampleRate);
    }
    const { frame, audioAt } = this.#message;
    frame.set(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength), audioAt);
    return frame;
  }

  /** One name was `button`, later ones `buttons`. */
  dtmf(digit: string): Outgoing {
    return this.#rtvi('dtmf', { button: digit, buttons: [digit] });
  }

  played(): undefined {
    return undefined;
  }

  goodbye(): undefined {
    return undefined;
  }

  take(call: Call, data: Buffer, isBinary: boolean): string | undefined {
    if (!isBinary) return 'a text message, where a bot sends protobuf';
    const frame = readFrame(data);
    switch (frame?.kind) {
      case undefined:
        return 'a message that is no frame of Pipecat';
      case 'interruption':
        call.clear();
        return undefined;
      case 'audio':
        return this.#play(frame);
      case 'message':
        return this.#told(call, frame.data);
      case 'other':
        return undefined;
    }
  }

  #play({
    audio,
    sampleRate,
    numChannels,
  }: Extract<PipecatFrame, { kind: 'audio' }>): string | undefined {
    if (!isAudioRate(sampleRate)) return `audio at ${sampleRate} Hz, not one of ${audioRates}`;
    if (numChannels !== 1 && numChannels !== 2) return `audio of ${numChannels} channels`;
    const pcm = withoutHeader(audio);
    if (pcm.length % (2 * numChannels) !== 0) return `audio of ${pcm.length} bytes, half a frame`;
    if (pcm.length === 0) return undefined;
    const samples = samplesOf(pcm);
    this.#voice.play(numChannels === 1 ? samples : mixed(samples), sampleRate);
    return undefined;
  }

  /** RTVI is for what a person at a screen would see; what else comes may be a command. */
  #told(call: Call, data: string): string | undefined {
    return data.includes('"rtvi-ai"') ? undefined : runCommand(call, data, this.#voice);
  }

  #rtvi(type: string, data: object): Buffer {
    this.#messages += 1;
    return messageFrame(
      JSON.stringify({ label: 'rtvi-ai', type, id: String(this.#messages), data }),
    );
  }
}

/** Some transports put a WAV header in front of each piece. */
function withoutHeader(audio: Uint8Array): Uint8Array {
  if (audio.length < wavHeaderBytes) return audio;
  const view = new DataView(audio.buffer, audio.byteOffset, audio.length);
  return view.getUint32(0, true) === riff ? audio.subarray(wavHeaderBytes) : audio;
}

function mixed(stereo: Int16Array): Int16Array {
  return Int16Array.from(
    { length: stereo.length / 2 },
    (_, i) => (stereo[2 * i]! + stereo[2 * i + 1]!) >> 1,
  );
}
