import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, listening, withChildren } from '../bench/children.js';
import { Application, type Protocol, SilentPort } from './applications.js';
import { Listener } from './listener.js';

export interface SceneOptions {
  readonly calls: number;
  readonly protocol: Protocol;
}

/** What became of the calls of one fault. */
export interface SceneResult {
  readonly fault: string;
  readonly protocol: Protocol;
  readonly calls: number;
  /** Still up at the end, and hearing something. */
  readonly kept: number;
  /** Of them, those that the fallback answers now. */
  readonly fallback: number;
  /** Of all callers; the set-up counts. */
  readonly longestSilenceMs: number;
}

/** Three applications and a fourth address that a scene may put in front of them. */
interface Stage {
  readonly apps: readonly [Application, Application, Application];
  readonly call: () => Promise<void>;
}

interface Scene {
  /** An address that is listed before the applications, with most of the weight. */
  readonly first?: () => Promise<{ readonly url: string; close(): void }>;
  /** What happens; the calls are made by `stage.call`. */
  act(stage: Stage): Promise<void>;
}

const fallbackRoute = 'fallback';

/** How long a scene goes on when its fault is over. */
const settleMs = 3_000;

const refusing = async () => ({ url: `ws://127.0.0.1:${await freePort()}/`, close: () => {} });
const silent = () => SilentPort.open();

/** All calls, and a while of peace. */
async function connected({ call }: Stage): Promise<void> {
  await call();
  await sleep(1_500);
}

/** The first application does something to its calls, in mid-call. */
const first = (act: (app: Application) => Promise<void> | void): Scene => ({
  act: async (stage) => {
    await connected(stage);
    await act(stage.apps[0]);
  },
});

export const scenes: Readonly<Record<string, Scene>> = {
  'no fault': { act: connected },
  'one address refuses': { first: refusing, act: connected },
  'one hangs in the handshake': { first: silent, act: connected },
  'one closes after one frame': {
    act: async (stage) => {
      const [app] = stage.apps;
      app.trick = (socket) => {
        socket.send(app.frame());
        setTimeout(() => socket.close(1011), 20);
      };
      await connected(stage);
    },
  },
  'one resets its calls': first((app) => {
    for (const socket of app.sockets) socket.terminate();
  }),
  'one dies for good': first((app) => app.die()),
  'all die together, and come back after 1 s': {
    act: async (stage) => {
      await connected(stage);
      await Promise.all(stage.apps.map((app) => app.die()));
      await sleep(1_000);
      await Promise.all(stage.apps.map((app) => app.listen()));
    },
  },
  'all die for good: the fallback answers': {
    act: async (stage) => {
      await connected(stage);
      await Promise.all(stage.apps.map((app) => app.die()));
      await sleep(3_000);
    },
  },
  'one stops reading for 5 s': first(async (app) => {
    for (const socket of app.sockets) socket.pause();
    await sleep(5_000);
    for (const socket of app.sockets) socket.resume();
  }),
  'one floods': first(async (app) => {
    // A minute of audio to each; in pieces, so that the applications beside it are not held up here.
    for (let piece = 0; piece < 100; piece += 1) {
      for (const socket of app.sockets) for (let i = 0; i < 30; i += 1) socket.send(app.frame());
      await sleep(1);
    }
  }),
  'one sends garbage': first((app) => {
    for (const socket of app.sockets) {
      for (let i = 0; i < 10; i += 1) socket.send('{"event":', { binary: i % 2 === 0 });
    }
  }),
};

/** The gateway with three applications, and a route that answers when none of them does. */
function settingsOf(protocol: Protocol, apps: readonly Application[], before: string | undefined) {
  const urls = [
    ...(before === undefined ? [] : [{ url: before, weight: 100 }]),
    ...apps.map(({ url }) => url),
  ];
  return {
    shards: 1,
    upstreams: [{ name: 'app', protocol, urls }],
    routes: [
      { name: 'main', upstream: 'app', onUpstreamLost: 'reconnect', fallback: fallbackRoute },
      { name: fallbackRoute, handler: 'echo' },
    ],
  };
}

export async function runScene(
  fault: string,
  { calls, protocol }: SceneOptions,
): Promise<SceneResult> {
  const scene = scenes[fault]!;
  const apps = [0, 1, 2].map(() => new Application(protocol)) as [
    Application,
    Application,
    Application,
  ];
  const before = await scene.first?.();
  const listeners: Listener[] = [];
  try {
    for (const app of apps) await app.listen();
    return await withChildren(async (children) => {
      const [port, adminPort] = [await freePort(), await freePort()];
      const ports = ['--port', String(port), '--admin-port', String(adminPort)];
      const args = ['serve', '--host', '127.0.0.1', ...ports, '--log-level', 'fatal'];
      const child = children.runGateway(args, {}, settingsOf(protocol, apps, before?.url));
      await listening(child, port);
      const call = async (): Promise<void> => {
        for (let i = 0; i < calls; i += 1) {
          listeners.push(await Listener.call(`ws://127.0.0.1:${port}/stream`));
        }
      };
      await scene.act({ apps, call });
      await sleep(settleMs);
      const fallback = await answeredByFallback(adminPort);
      return { ...resultOf(fault, protocol, listeners), fallback };
    });
  } finally {
    for (const listener of listeners) listener.hangUp();
    for (const app of apps) await app.die();
    before?.close();
  }
}

async function answeredByFallback(adminPort: number): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/api/calls`);
  const { calls } = (await answer.json()) as { calls: { answeredBy: string }[] };
  return calls.filter(({ answeredBy }) => answeredBy === fallbackRoute).length;
}

function resultOf(fault: string, protocol: Protocol, listeners: readonly Listener[]) {
  return {
    ...{ fault, protocol, calls: listeners.length },
    kept: listeners.filter((one) => one.isUp && one.hasHeardWithin(500)).length,
    longestSilenceMs: Math.max(...listeners.map(({ longestSilenceMs }) => longestSilenceMs)),
  };
}
