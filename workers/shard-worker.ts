import { Kernel } from '../src/codec/kernel.js';
import { GatewayError } from '../src/errors.js';
import { audioRates } from '../src/limits.js';
import { type Log, openLog } from '../src/log.js';
import type { MediaFormat } from '../src/plivo/messages.js';
import { MediaScan } from '../src/serializer/media-scan.js';
import { Scratch, StreamCodec } from '../src/serializer/stream-codec.js';
import { CallBoard } from '../src/shard/call-board.js';
import { StampClock } from '../src/shard/clock.js';
import { counter, voiceBlock } from '../src/shard/counters.js';
import { ShardState, words } from '../src/shard/layout.js';
import { listenForRouting } from '../src/shard/routing.js';
import { openShardSide, type ShardResult, type ShardStart } from '../src/shard/shard.js';
import { ShardClock } from './clock.js';
import { Outbox } from './outbox.js';
import { type RouteSet, RouteSets } from './routes.js';
import type { ShardContext } from './shard-context.js';
import { ShardLoop } from './shard-loop.js';
import { StageProbe } from './stage-probe.js';
import { doorOpener } from './upstream/upstream-doors.js';

/**
 * One shard: Piscina's task that lasts as long as the thread. Imports nothing of the user's before the task begins,
 * since a thread that fails before it is ready blocks the pool.
 */
export default async function shard(start: ShardStart): Promise<ShardResult> {
  const { options } = start;
  const log = openLog({ ...options.log, privacy: options.privacy });
  const routes = new RouteSets(doorOpener(start), options.playout.queueMs);
  const { routing } = options;
  let first: RouteSet;
  try {
    first = await routes.adopt(routing, routing.revision);
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown;
    start.port.close();
    start.routingPort.close();
    return { ok: false, problem: thrown.message };
  }
  const side = openShardSide(start);
  const { memory, layout } = start;
  const kernel = new Kernel({ memory, start: layout.kernelAt, end: layout.totalBytes });
  const stamps = new StampClock(start.epochMs);
  const clock = new ShardClock(stamps);
  const values = side.counters;
  const probe = new StageProbe(stamps, values, side.views.words);
  const context: ShardContext = {
    routes,
    options,
    scratch: new Scratch(kernel),
    scan: new MediaScan(kernel),
    outbox: new Outbox(side.egress, side.egressBell, clock, values, probe),
    clock,
    probe,
    log,
    words: side.views.words,
    values,
    voiceBlock: voiceBlocks(values),
    calls: new CallBoard(options.slots, options.callBoard),
  };
  warmUp(context.scratch, first);
  listenForRouting(start.routingPort, {
    adopt: async (next, active) => warmUp(context.scratch, await routes.adopt(next, active)),
    places: (change) => routes.places(change),
  });
  const guard = guardStrays(log, values);
  await new Promise<void>((drained) => {
    new ShardLoop(context, side, start, drained);
    Atomics.store(context.words, words.state, ShardState.Ready);
    side.egressBell.ring();
  });
  guard.remove();
  side.egressBell.ring();
  start.port.close();
  start.routingPort.close();
  return { ok: true };
}

/** Views of the counters, made when first asked for. */
function voiceBlocks(values: Float64Array): (area: number) => Float64Array {
  const blocks: (Float64Array | undefined)[] = [];
  return (area) => (blocks[area] ??= voiceBlock(values, area));
}

/**
 * Designs the filters that calls will want, which takes milliseconds each: no first call then makes the others wait.
 */
function warmUp(scratch: Scratch, { routes }: RouteSet): void {
  for (const format of usualFormats) {
    for (const rate of new Set(routes.map((route) => route.sampleRate))) {
      const codec = new StreamCodec(scratch, format, rate);
      for (const playRate of audioRates) codec.setRate(playRate);
      codec.close();
    }
  }
}

const usualFormats: readonly MediaFormat[] = [
  { encoding: 'mulaw', sampleRate: 8_000 },
  { encoding: 'l16', sampleRate: 16_000 },
];

/**
 * A handler's own timers and unawaited promises belong to no call that could be named. Their errors are logged and
 * counted; hundreds of other calls go on.
 */
function guardStrays(log: Log, values: Float64Array) {
  const stray = (thrown: unknown): void => {
    values[counter.strayErrors]! += 1;
    log.error({ err: thrown }, 'a handler failed outside of its callbacks; all calls go on');
  };
  process.on('uncaughtException', stray);
  process.on('unhandledRejection', stray);
  return {
    remove: () => {
      process.off('uncaughtException', stray);
      process.off('unhandledRejection', stray);
    },
  };
}
