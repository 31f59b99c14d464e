import type { Kernel } from '../codec/kernel.js';
import { Resampler } from '../codec/resampler.js';
import { messageBytesMax } from '../limits.js';
import type { MediaFormat, Track } from '../plivo/messages.js';

/** Samples of application audio that go through the encoder in one piece. */
export const encodeSamplesMax = 4_096;
/** Highest over lowest rate: how much longer audio may get in a resampler, and a little for rounding and tails. */
const stretch = 6;
const slack = 2_048;
/** 80 ms at 48 kHz: longer frames are rare and get an array of their own. */
const viewSamplesMax = 3_840;

/**
 * Working areas in the kernel's memory, shared by all streams of one thread: each holds something only while one
 * message or one piece of audio is being handled.
 */
export class Scratch {
  /** Text of a message that did not come through a ring. */
  readonly textAt: number;
  /** Application samples on their way in or out: what `decode` leaves, what `encode` takes. */
  readonly samplesAt: number;
  /** Wire bytes: what `encode` leaves. */
  readonly wireAt: number;
  /** Samples at the stream's rate. */
  readonly streamAt: number;
  readonly kernel: Kernel;
  /** Greatest magnitude of what `level` looked at last. */
  peak = 0;
  readonly #peakAt: number;
  readonly #words: Int32Array;
  /** A view over the kernel's memory that can write text. */
  readonly #text: Buffer;
  /** Views by length, made when first needed: of the kernel's samples, and of their copies outside of it. */
  readonly #inside: Int16Array[] = [];
  readonly #outside: Int16Array[] = [];
  readonly #copies = new Int16Array(viewSamplesMax);

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.#text = Buffer.from(kernel.bytes.buffer);
    const streamSamples = Math.max(messageBytesMax, encodeSamplesMax * stretch) + slack;
    this.textAt = kernel.allocate(2 * messageBytesMax);
    this.samplesAt = kernel.allocate((messageBytesMax * stretch + slack) * 2);
    this.streamAt = kernel.allocate(streamSamples * 2);
    this.wireAt = kernel.allocate(streamSamples * 2);
    this.#peakAt = kernel.allocate(4);
    this.#words = new Int32Array(kernel.bytes.buffer, this.#peakAt, 1);
  }

  /** Sum of the squares of the samples that a codec handled last, at the stream's rate; sets `peak`. */
  level({ streamSamplesAt, streamSamples }: StreamCodec): number {
    const sum = this.kernel.level(streamSamplesAt, streamSamples, this.#peakAt);
    this.peak = this.#words[0]!;
    return sum;
  }

  /** Puts text where the kernel can read it; answers how many bytes that made. */
  write(text: string): number {
    return this.#text.write(text, this.textAt, 2 * messageBytesMax, 'utf8');
  }

  /** Bytes in the kernel's memory, in place. */
  bytes(at: number, bytes: number): Buffer {
    return this.#text.subarray(at, at + bytes);
  }

  /** Text of bytes in the kernel's memory. */
  read(at: number, bytes: number): string {
    return this.#text.toString('utf8', at, at + bytes);
  }

  /**
   * The first `count` samples at `samplesAt` as an array outside of shared memory, which many of Node's own functions
   * refuse. Up to `viewSamplesMax` samples it is the same array every time, valid until the next call.
   */
  samples(count: number): Int16Array {
    const first = this.samplesAt >> 1;
    if (count > viewSamplesMax) return this.kernel.samples.slice(first, first + count);
    const inside = (this.#inside[count] ??= this.kernel.samples.subarray(first, first + count));
    const outside = (this.#outside[count] ??= this.#copies.subarray(0, count));
    outside.set(inside);
    return outside;
  }
}

/**
 * The sound of one stream, both ways: base64 and µ-law or L16 at the stream's rate on one side, PCM16 at the
 * application's rate on the other. Where both are the same, bytes are only copied. Allocates nothing per frame.
 */
export class StreamCodec {
  readonly format: MediaFormat;
  #heardRate: number;
  /** Wire bytes per millisecond of audio. */
  readonly bytesPerMs: number;
  /** What was decoded or encoded last, at the stream's rate: byte offset and count. */
  streamSamplesAt = 0;
  streamSamples = 0;
  readonly #scratch: Scratch;
  readonly #kernel: Kernel;
  #decoders: { [track in Track]: Resampler | undefined };
  #encoder: Resampler | undefined;
  #encoderRate: number;

  constructor(scratch: Scratch, format: MediaFormat, applicationRate: number) {
    this.#scratch = scratch;
    this.#kernel = scratch.kernel;
    this.format = format;
    this.#heardRate = applicationRate;
    this.bytesPerMs = (format.sampleRate / 1_000) * (format.encoding === 'l16' ? 2 : 1);
    this.#encoder = this.#resampler(applicationRate, format.sampleRate);
    this.#encoderRate = applicationRate;
    try {
      this.#decoders = { inbound: this.#decoder(), outbound: undefined };
    } catch (thrown) {
      this.#encoder?.close();
      throw thrown;
    }
  }

  /**
   * One payload of Plivo's: base64 in the kernel's memory. The samples, at the application's rate, lie at
   * `scratch.samplesAt`.
   * @returns how many samples, or -1 for bad base64 or half a sample
   */
  decode(payloadAt: number, payloadBytes: number, track: Track): number {
    const { samplesAt, streamAt } = this.#scratch;
    const resampler =
      track === 'inbound' ? this.#decoders.inbound : (this.#decoders.outbound ??= this.#decoder());
    const target = resampler === undefined ? samplesAt : streamAt;
    const count = this.#fromWire(payloadAt, payloadBytes, target);
    if (count <= 0 || resampler === undefined) return count;
    return resampler.push(streamAt, count, samplesAt);
  }

  /** The same for one who only measures: the samples stay at the stream's rate. */
  listen(payloadAt: number, payloadBytes: number): number {
    return this.#fromWire(payloadAt, payloadBytes, this.#scratch.streamAt);
  }

  /**
   * Up to `encodeSamplesMax` samples of application audio at `scratch.samplesAt` to wire bytes at `scratch.wireAt`.
   * The rate must be the one last given to `setRate`.
   * @returns how many wire bytes
   */
  encode(count: number): number {
    const { samplesAt, streamAt } = this.#scratch;
    if (this.#encoder === undefined) return this.#toWire(samplesAt, count);
    return this.#toWire(streamAt, this.#encoder.push(samplesAt, count, streamAt));
  }

  /**
   * What `decode` leaves has this rate from now on.
   * @throws GatewayError UNSUPPORTED_RATE
   */
  setHeardRate(rate: number): void {
    if (rate === this.#heardRate) return;
    const before = this.#decoders;
    const inbound = this.#resampler(this.format.sampleRate, rate);
    before.inbound?.close();
    before.outbound?.close();
    this.#heardRate = rate;
    this.#decoders = { inbound, outbound: undefined };
  }

  /** True if audio at this rate needs another encoder than the last; flush the old one first. */
  changesRate(rate: number): boolean {
    return rate !== this.#encoderRate;
  }

  /** @throws GatewayError UNSUPPORTED_RATE */
  setRate(rate: number): void {
    if (rate === this.#encoderRate) return;
    const next = this.#resampler(rate, this.format.sampleRate);
    this.#encoder?.close();
    this.#encoder = next;
    this.#encoderRate = rate;
  }

  /** The end of what was encoded so far that is still inside the filter, as wire bytes at `scratch.wireAt`. */
  flush(): number {
    if (this.#encoder === undefined) return 0;
    return this.#toWire(this.#scratch.streamAt, this.#encoder.flush(this.#scratch.streamAt));
  }

  /** Forgets what the encoder holds: the audio before is not to be heard. */
  clear(): void {
    this.#encoder?.reset();
  }

  close(): void {
    this.#encoder?.close();
    this.#decoders.inbound?.close();
    this.#decoders.outbound?.close();
  }

  #fromWire(payloadAt: number, payloadBytes: number, target: number): number {
    let count: number;
    if (this.format.encoding === 'mulaw') {
      count = this.#kernel.decodeBase64Mulaw(payloadAt, payloadBytes, target);
    } else {
      const bytes = this.#kernel.decodeBase64(payloadAt, payloadBytes, target);
      count = bytes < 0 || bytes % 2 === 1 ? -1 : bytes >> 1;
    }
    this.streamSamplesAt = target;
    this.streamSamples = Math.max(count, 0);
    return count;
  }

  #toWire(samplesAt: number, count: number): number {
    const { wireAt } = this.#scratch;
    this.streamSamplesAt = samplesAt;
    this.streamSamples = count;
    if (this.format.encoding === 'mulaw') {
      this.#kernel.encodeMulaw(samplesAt, count, wireAt);
      return count;
    }
    this.#kernel.copy(samplesAt, count * 2, wireAt);
    return count * 2;
  }

  #decoder(): Resampler | undefined {
    return this.#resampler(this.format.sampleRate, this.#heardRate);
  }

  #resampler(source: number, target: number): Resampler | undefined {
    return source === target ? undefined : new Resampler(this.#kernel, source, target);
  }
}
