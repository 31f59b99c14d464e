import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { UpstreamConfig } from '../../src/config/types.js';
import { openLog } from '../../src/log.js';
import { Upstreams } from '../../src/routing/upstreams.js';
import type { AddressPlace } from '../../src/shard/routing.js';
import { UpstreamBoard } from '../../src/shard/upstream-board.js';
import { until } from '../calls/wait.js';

const log = openLog({ level: 'silent', format: 'json', privacy: 'masked' });
const watchMs = 20;
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function upstream(more: Partial<UpstreamConfig>): UpstreamConfig {
  return {
    ...{ name: 'app', protocol: 'pcm', discover: 'list', balance: 'least-calls', callsMax: 0 },
    ...{ sampleRate: 16_000, headers: {}, connectMs: 3_000, readyMs: 0 },
    addresses: [],
    ...more,
  };
}

/** DNS as it is now. */
class Scene {
  ips: readonly string[] | undefined = ['10.0.0.1', '10.0.0.2'];
  readonly changes: (readonly AddressPlace[])[] = [];
  readonly upstreams = new Upstreams(1, log, {
    resolve: async () => {
      if (this.ips === undefined) throw new Error('SERVFAIL');
      return this.ips;
    },
    watchMs,
  });

  static async open(config: UpstreamConfig): Promise<Scene> {
    const scene = new Scene();
    await scene.adopt(config);
    scene.upstreams.watch((_name, places) => scene.changes.push(places));
    closers.push(() => scene.upstreams.stop());
    return scene;
  }

  async adopt(config: UpstreamConfig): Promise<readonly AddressPlace[]> {
    const prepared = await this.upstreams.prepare([config]);
    this.upstreams.adopt(prepared);
    return prepared[0]!.places;
  }

  /** As a shard sees it. */
  get board(): UpstreamBoard {
    return new UpstreamBoard(1, this.upstreams.board.memory);
  }

  get states() {
    return this.upstreams
      .views()[0]!
      .addresses.map(({ ip, url, state, calls }) => [ip ?? url, state, calls] as const);
  }
}

const dns = upstream({
  discover: 'dns',
  addresses: [{ url: 'ws://bots.example:8765/?call={call}', weight: 3 }],
});

describe('addresses by DNS', () => {
  it('are all that the name resolves to, each with the weight and the URL', async () => {
    const scene = await Scene.open(dns);
    expect(scene.states).toEqual([
      ['10.0.0.1', 'up', 0],
      ['10.0.0.2', 'up', 0],
    ]);
    const { url } = dns.addresses[0]!;
    const [first] = await scene.adopt(dns);
    expect(first).toEqual({ url, weight: 3, ip: '10.0.0.1', index: 0, generation: 0 });
  });

  it('come and go; one that is gone keeps its calls and takes no more', async () => {
    const scene = await Scene.open(dns);
    scene.board.take({ index: 0, generation: 0 }, 0, 0);
    scene.board.count(0, 'connected');
    scene.ips = ['10.0.0.2', '10.0.0.3'];
    await until('the change', () => scene.changes.length === 1);
    expect(scene.changes[0]?.map(({ ip }) => ip)).toEqual(['10.0.0.2', '10.0.0.3']);
    expect(scene.states).toEqual([
      ['10.0.0.1', 'leaving', 1],
      ['10.0.0.2', 'up', 0],
      ['10.0.0.3', 'up', 0],
    ]);
    scene.board.release(0, 0);
    await until('it is gone', () => scene.states.length === 2);
    expect(scene.upstreams.views()[0]?.totals.events.connected).toBe(1);
  });

  it('stay as they were in a reload while the name does not resolve', async () => {
    const scene = await Scene.open(dns);
    scene.ips = undefined;
    const places = await scene.adopt(dns);
    expect(places.map(({ ip }) => ip)).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(scene.states).toHaveLength(2);
  });

  it('have places of their own, whoever looks while they are prepared', async () => {
    const scene = await Scene.open(dns);
    for (let round = 0; round < 20; round += 1) {
      scene.ips = [`10.0.1.${round}`, `10.0.2.${round}`];
      const preparing = scene.upstreams.prepare([{ ...dns, name: `next-${round}` }]);
      await new Promise((resolve) => setTimeout(resolve, watchMs / 2));
      const prepared = await preparing;
      scene.upstreams.adopt(prepared);
      const indices = prepared[0]!.places.map(({ index }) => index);
      expect(new Set(indices).size).toBe(2);
    }
  });

  it('stay as they were while the name does not resolve', async () => {
    const scene = await Scene.open(dns);
    scene.ips = undefined;
    await new Promise((resolve) => setTimeout(resolve, 5 * watchMs));
    expect(scene.changes).toEqual([]);
    expect(scene.states).toHaveLength(2);
  });
});

describe('addresses of a list', () => {
  it('that are gone take no call of those who still know them, also when another has their place', async () => {
    const at = (...urls: string[]) =>
      upstream({ addresses: urls.map((url) => ({ url, weight: 1 })) as never });
    const scene = await Scene.open(at('ws://a', 'ws://b'));
    const [, b] = await scene.adopt(at('ws://a', 'ws://b'));
    await scene.adopt(at('ws://c'));
    expect(scene.board.take(b!, 0, 0)).toBe(false);
    const places = await scene.adopt(at('ws://c', 'ws://d'));
    expect(places.map(({ index }) => index)).toContain(b!.index);
    expect(scene.board.take(b!, 0, 0)).toBe(false);
    expect(scene.states).toEqual([
      ['ws://c', 'up', 0],
      ['ws://d', 'up', 0],
    ]);
  });

  it('that come back in a reload keep their place and what is known of them', async () => {
    const [a, b] = ['ws://a', 'ws://b'].map((url) => ({ url, weight: 1 })) as [never, never];
    const scene = await Scene.open(upstream({ addresses: [a, b] }));
    scene.board.take({ index: 1, generation: 0 }, 0, 0);
    for (let i = 0; i < 3; i += 1) scene.board.failed(1, Date.now());
    const places = await scene.adopt(upstream({ addresses: [b] }));
    expect(places).toEqual([{ url: 'ws://b', weight: 1, index: 1, generation: 0 }]);
    expect(scene.states).toEqual([['ws://b', 'ejected', 1]]);
  });
});

describe('health checks', () => {
  async function application(): Promise<{
    server: Server;
    url: string;
    answer(status: number): void;
  }> {
    let status = 200;
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/health' ? status : 404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const { port } = server.address() as AddressInfo;
    const answer = (next: number): void => {
      status = next;
    };
    return { server, url: `ws://127.0.0.1:${port}/{call}`, answer };
  }

  it('by GET take an address out after two failures, and back at the first success', async () => {
    const { url, answer } = await application();
    const scene = await Scene.open(
      upstream({ health: '/health', addresses: [{ url, weight: 1 }] }),
    );
    await new Promise((resolve) => setTimeout(resolve, 5 * watchMs));
    expect(scene.states).toEqual([[url, 'up', 0]]);
    answer(503);
    await until('it is out', () => scene.states[0]?.[1] === 'unhealthy');
    answer(200);
    await until('it is back', () => scene.states[0]?.[1] === 'up');
    // Slowly.
    expect(scene.board.readiness(0, Date.now())).toBeLessThan(0.5);
  });

  it('that are switched off leave nothing out', async () => {
    const { url, answer } = await application();
    const checked = upstream({ health: '/health', addresses: [{ url, weight: 1 }] });
    const scene = await Scene.open(checked);
    answer(503);
    await until('it is out', () => scene.states[0]?.[1] === 'unhealthy');
    const { health: _, ...unchecked } = checked;
    await scene.adopt(unchecked);
    expect(scene.states[0]?.[1]).toBe('up');
  });

  it('by connecting notice that nobody listens any more', async () => {
    const { server, url } = await application();
    const scene = await Scene.open(
      upstream({ health: 'connect', addresses: [{ url, weight: 1 }] }),
    );
    await new Promise((resolve) => setTimeout(resolve, 5 * watchMs));
    expect(scene.states[0]?.[1]).toBe('up');
    server.close();
    server.closeAllConnections();
    await until('it is out', () => scene.states[0]?.[1] === 'unhealthy');
  });
});
