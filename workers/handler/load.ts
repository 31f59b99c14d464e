import { pathToFileURL } from 'node:url';
import type { BuiltinHandler } from '../../src/config/types.js';
import { errorText, GatewayError } from '../../src/errors.js';
import type { Handler } from '../../src/handler.js';
import type { ShardRoute } from '../../src/shard/shard.js';
import { type UpstreamParts, upstreamHandler } from '../upstream/upstream-handler.js';
import { echo } from './echo.js';
import { ivr } from './ivr.js';
import { redirect, reject } from './turn-away.js';

const builtins: Readonly<Record<BuiltinHandler, Handler>> = { echo, ivr };
const callbacks = ['start', 'audio', 'dtmf', 'played', 'end'] as const;

/**
 * The handler of a route. A module exports it as its default, or as `handler`: a plain object will do.
 * @throws GatewayError HANDLER_LOAD, saying which file and what is wrong with it
 */
export async function loadHandler(
  route: ShardRoute,
  upstreams: ReadonlyMap<string, UpstreamParts>,
): Promise<Handler> {
  switch (route.handler.kind) {
    case 'builtin':
      return builtins[route.handler.name];
    case 'upstream': {
      const { name, onUpstreamLost, fallback, autoHangUp } = route.handler;
      return upstreamHandler(upstreams.get(name)!, { onUpstreamLost, fallback, autoHangUp });
    }
    case 'reject':
      return reject(route.handler.why);
    case 'redirect':
      return redirect(route.handler.url);
    case 'module':
      return loadModule(route, route.handler.file);
  }
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
