import type { StartMessage } from '../../src/plivo/messages.js';
import { StreamCodec } from '../../src/serializer/stream-codec.js';
import type { ShardContext } from '../shard-context.js';
import type { SessionCall } from './call.js';
import { Playout } from './playout.js';

/** What a session has from its `start` on. */
export interface Stream {
  readonly start: StartMessage;
  readonly call: SessionCall;
  readonly codec: StreamCodec;
  readonly playout: Playout;
}

/**
 * Takes the memory for a call's sound.
 * @throws GatewayError KERNEL_FULL
 */
export function openStream(
  { scratch, outbox, values, options }: ShardContext,
  place: { readonly slot: number; readonly generation: number },
  start: StartMessage,
  call: SessionCall,
): Stream {
  const codec = new StreamCodec(scratch, start.format, call.sampleRate);
  const { slot, generation } = place;
  try {
    const at = { slot, generation, streamId: start.streamId };
    const playout = new Playout(codec, scratch, outbox, values, at, options.playout);
    return { start, call, codec, playout };
  } catch (thrown) {
    codec.close();
    throw thrown;
  }
}

export function closeStream({ codec, playout }: Stream): void {
  codec.close();
  playout.close();
}
