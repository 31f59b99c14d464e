import { pathToFileURL } from 'node:url';
import { readWav, type Wav } from '../../src/codec/wav.js';
import type { BuiltinHandler, UpstreamPolicy } from '../../src/config/types.js';
import { errorText, GatewayError } from '../../src/errors.js';
import type { Handler } from '../../src/handler.js';
import { upstreamAheadMsMax, upstreamAheadShare } from '../../src/limits.js';
import type { ShardRoute } from '../../src/shard/routing.js';
import type { UpstreamRoute } from '../upstream/upstream-call.js';
import type { UpstreamDoors } from '../upstream/upstream-doors.js';
import { upstreamHandler } from '../upstream/upstream-handler.js';
import { echo } from './echo.js';
import { ivr } from './ivr.js';
import { lookup } from './lookup.js';
import { play, redirect, reject } from './turn-away.js';

const builtins: Readonly<Record<BuiltinHandler, Handler>> = { echo, ivr };
const callbacks = ['start', 'audio', 'dtmf', 'played', 'end'] as const;

/**
 * The handler of a route. A module exports it as its default, or as `handler`: a plain object will do.
 * @param queueMs of audio that a call may queue
 * @throws GatewayError HANDLER_LOAD, saying which file and what is wrong with it
 */
export async function loadHandler(
  route: ShardRoute,
  doors: UpstreamDoors,
  queueMs: number,
): Promise<Handler> {
  const { handler } = route;
  switch (handler.kind) {
    case 'builtin':
      return builtins[handler.name];
    case 'upstream':
      return upstreamHandler(doors.get(handler.name)!, await policyOf(route, handler, queueMs));
    case 'lookup':
      return lookup(handler.url, doors, await policyOf(route, handler, queueMs));
    case 'play':
      return play(await recording(route, handler.file, queueMs));
    case 'reject':
      return reject(handler.why);
    case 'redirect':
      return redirect(handler.url);
    case 'module':
      return loadModule(route, handler.file);
  }
}

async function policyOf(
  route: ShardRoute,
  { onUpstreamLost, fallback, autoHangUp, meanwhile: file }: UpstreamPolicy,
  queueMs: number,
): Promise<UpstreamRoute> {
  const meanwhile = file === undefined ? undefined : await recording(route, file, queueMs);
  const aheadMsMax = Math.min(upstreamAheadMsMax, queueMs * upstreamAheadShare);
  return { onUpstreamLost, fallback, autoHangUp, meanwhile, aheadMsMax };
}

/** A WAV that is short enough to be queued in one piece. */
async function recording(route: ShardRoute, file: string, queueMs: number): Promise<Wav> {
  let wav: Wav;
  try {
    wav = await readWav(file);
  } catch (thrown) {
    throw new GatewayError('HANDLER_LOAD', `route ${route.name}: ${errorText(thrown)}`);
  }
  const seconds = wav.samples.length / wav.rateHz;
  // The queue has to take the next one while the last second of this one is being heard.
  const most = queueMs / 1_000 - 1;
  if (seconds <= most) return wav;
  const long = `${file} is ${seconds.toFixed(1)} s long, and ${most} s fit into playout.queue`;
  throw new GatewayError('HANDLER_LOAD', `route ${route.name}: ${long}`);
}

async function loadModule(route: ShardRoute, file: string): Promise<Handler> {
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (thrown) {
    throw problem(route, file, `cannot be loaded: ${errorText(thrown)}`);
  }
  const handler = module.default ?? module.handler;
  if (typeof handler !== 'object' || handler === null) {
    throw problem(route, file, 'has no default export that is an object of callbacks');
  }
  const members = handler as Record<string, unknown>;
  const wrong = callbacks.find((name) => !['undefined', 'function'].includes(typeof members[name]));
  if (wrong !== undefined) throw problem(route, file, `has a ${wrong} that is no function`);
  if (callbacks.every((name) => members[name] === undefined)) {
    throw problem(route, file, `has none of the callbacks ${callbacks.join(', ')}`);
  }
  return handler as Handler;
}

function problem(route: ShardRoute, file: string, what: string): GatewayError {
  return new GatewayError('HANDLER_LOAD', `route ${route.name}: handler ${file} ${what}`);
}
