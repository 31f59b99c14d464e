import type { StartMessage } from '../../src/plivo/messages.js';
import { StreamCodec } from '../../src/serializer/stream-codec.js';
import type { ShardContext } from '../shard-context.js';
import { VoiceMeter } from '../voice/voice-meter.js';
import type { SessionCall } from './call.js';
import { Playout } from './playout.js';
import type { SessionNotes } from './session-notes.js';

/** What a session has from its `start` on. */
export interface Stream {
  readonly start: StartMessage;
  readonly call: SessionCall;
  readonly codec: StreamCodec;
  readonly playout: Playout;
  readonly meter: VoiceMeter;
}

/** What a stream has from the session that opens it. */
export interface StreamOwner {
  readonly slot: number;
  readonly generation: number;
  readonly openedMs: number;
  /** Which block of the counters is its route's. */
  readonly voiceArea: number;
  readonly notes: SessionNotes;
  /** How often the call has gone from one shard to another. */
  readonly adoptions: number;
}

/**
 * Takes the memory for a call's sound.
 * @throws GatewayError KERNEL_FULL
 */
export function openStream(
  context: ShardContext,
  owner: StreamOwner,
  start: StartMessage,
  call: SessionCall,
): Stream {
  const { clock } = context;
  const { openedMs, voiceArea, notes, adoptions } = owner;
  const isOneWay = start.tracks.includes('outbound');
  const { sampleRate } = start.format;
  const block = context.voiceBlock(voiceArea);
  const meter = new VoiceMeter(block, openedMs, clock.nowMs(), sampleRate, isOneWay, notes.tell);
  if (adoptions > 0) meter.resume();
  const codec = new StreamCodec(context.scratch, start.format, call.sampleRate);
  try {
    const playout = new Playout(context, codec, meter, owner, start.streamId);
    return { start, call, codec, playout, meter };
  } catch (thrown) {
    codec.close();
    throw thrown;
  }
}

export function closeStream({ codec, playout }: Stream): void {
  codec.close();
  playout.close();
}
