import type { Track } from '../plivo/messages.js';

/**
 * What an application and `PlivoFrameSerializer` exchange: plain objects, told apart by `type`.
 * Names and fields are those of Pipecat, in camel case. Audio is PCM16: an `Int16Array` in the
 * machine's byte order, channels interleaved.
 */
export type Frame =
  | StartFrame
  | InputAudioRawFrame
  | OutputAudioRawFrame
  | InputDTMFFrame
  | OutputDTMFFrame
  | InterruptionFrame
  | OutputTransportMessageFrame
  | OutputTransportMessageUrgentFrame
  | CheckpointFrame
  | CheckpointPlayedFrame
  | AudioClearedFrame
  | StreamStoppedFrame
  | EndFrame
  | CancelFrame;

/** The first frame of a pipeline: give it to `setup`. Nothing is sent for it. */
export interface StartFrame {
  readonly type: 'StartFrame';
  /** Hz, of the audio that the application hears; one of the supported rates. */
  readonly audioInSampleRate: number;
  /** Hz, of the audio that it will mostly play. Each frame still says its own rate. */
  readonly audioOutSampleRate: number;
}

/**
 * From Plivo: what one `media` message held, usually 20 ms of the caller (protocol section 2.2).
 */
export interface InputAudioRawFrame {
  readonly type: 'InputAudioRawFrame';
  /** The frame's own memory: keep it as long as you like. */
  readonly audio: Int16Array;
  /** Hz: `params.sampleRate`, or the rate given by `setup`. */
  readonly sampleRate: number;
  readonly numChannels: number;
  /** `inbound` is the caller. `outbound` comes only when `params.audioTrack` asks for it. */
  readonly track?: Track;
}

/** To Plivo: audio for the caller, of any length (section 3.1). */
export interface OutputAudioRawFrame {
  readonly type: 'OutputAudioRawFrame';
  readonly audio: Int16Array;
  /** Hz, one of the supported rates; it may change from frame to frame. */
  readonly sampleRate: number;
  /** 1, or 2: mixed down to one. `audio.length` is a multiple of it. */
  readonly numChannels: number;
}

/** From Plivo: the caller pressed a key (section 2.3). */
export interface InputDTMFFrame {
  readonly type: 'InputDTMFFrame';
  /** One of `0-9 * # A-D`. */
  readonly button: string;
}

/** To Plivo: keys to play towards the other party, as `sendDTMF` (section 3.4). */
export interface OutputDTMFFrame {
  readonly type: 'OutputDTMFFrame';
  /** 1 to 64 of `0-9 * # A-D`. */
  readonly button: string;
}

/** To Plivo: the caller speaks over the playout. Becomes `clearAudio` (section 3.3). */
export interface InterruptionFrame {
  readonly type: 'InterruptionFrame';
}

/** To Plivo: any message of the application's own, sent as it is. */
export interface OutputTransportMessageFrame {
  readonly type: 'OutputTransportMessageFrame';
  /** A value that JSON can express. With `label: 'rtvi-ai'` see `params.ignoreRtviMessages`. */
  readonly message: unknown;
}

/**
 * The same. That it is urgent matters to a pipeline's queues; here it is written at once like any
 * other.
 */
export interface OutputTransportMessageUrgentFrame {
  readonly type: 'OutputTransportMessageUrgentFrame';
  readonly message: unknown;
}

/** To Plivo: asks to be told when all audio sent before it has been played (section 3.2). */
export interface CheckpointFrame {
  readonly type: 'CheckpointFrame';
  /** Unique in the stream, 1 to 128 bytes. */
  readonly name: string;
}

/** From Plivo: all audio before this checkpoint has been played (`playedStream`, section 2.4). */
export interface CheckpointPlayedFrame {
  readonly type: 'CheckpointPlayedFrame';
  readonly name: string;
}

/** From Plivo: the queue is empty after an interruption (`clearedAudio`, section 2.5). */
export interface AudioClearedFrame {
  readonly type: 'AudioClearedFrame';
}

/**
 * From Plivo: the stream ends (`stop`, section 2.6). Not an `EndFrame`, because the call may go on
 * without its stream. Plivo may never send it: what ends a session for certain is the close of the
 * socket.
 */
export interface StreamStoppedFrame {
  readonly type: 'StreamStoppedFrame';
  /** As Plivo worded it, up to 100 characters; empty if it gave none. */
  readonly reason: string;
}

/**
 * The conversation is over. With `autoHangUp`, the call is hung up; what was not yet played is cut
 * off.
 */
export interface EndFrame {
  readonly type: 'EndFrame';
}

/** The same without the tail of the last utterance. */
export interface CancelFrame {
  readonly type: 'CancelFrame';
}
