import { type StreamFormatName, streamFormats } from '../stream-format.js';

/** What a server of the bench is started with. */
export interface ServerArguments {
  readonly format: StreamFormatName;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/** Format, and over TLS the files of certificate and key. */
export function serverArguments(args: readonly string[]): ServerArguments {
  const [format = 'mulaw8', certFile, keyFile] = args;
  return { format: format as StreamFormatName, certFile, keyFile };
}

/** 20 ms of silence as a whole `playAudio`. */
export function silentAnswer(name: StreamFormatName, payload: string): Buffer {
  const { encoding, rateHz } = streamFormats[name];
  const media = { contentType: encoding, sampleRate: rateHz, payload };
  return Buffer.from(JSON.stringify({ event: 'playAudio', media }));
}
