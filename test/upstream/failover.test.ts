import { beforeAll, describe, expect, it } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import { knownAtPlivo, openApi, TestGateway } from '../calls/test-gateway.js';
import { sleep, until } from '../calls/wait.js';
import { Application, deadPort, silentPort } from './application.js';

let api: PlivoApi;
beforeAll(async () => {
  api = await openApi();
});

interface AddressState {
  readonly url: string;
  readonly state: string;
  readonly calls: number;
  readonly events: Readonly<Record<string, number>>;
}

function gatewayTo(urls: readonly unknown[], upstream: object = {}, route: object = {}) {
  return TestGateway.open({
    api,
    shards: 2,
    handler: `start(call) { tell(call, 'start', call.route); call.play(tone(200, 16000)); }`,
    settings: { upstreams: [{ name: 'app', protocol: 'pcm', urls, ...upstream }] },
    routes: [
      { name: 'main', upstream: 'app', ...route },
      { name: 'sorry', handler: 'HANDLER' },
    ],
  });
}

async function addressesOf(gateway: TestGateway): Promise<readonly AddressState[]> {
  const answer = await gateway.admin('/api/upstreams');
  const body = (await answer.json()) as { upstreams: { addresses: AddressState[] }[] };
  return body.upstreams[0]!.addresses;
}

describe('an address that does not take a call', () => {
  it('is passed over when nobody listens; after three times it is left alone', async () => {
    const app = await Application.open();
    const dead = await deadPort();
    const gateway = await gatewayTo([{ url: dead, weight: 1_000 }, app.url]);
    for (let i = 1; i <= 4; i += 1) {
      await gateway.call();
      await app.untilCall(i);
    }
    const [first, second] = await addressesOf(gateway);
    expect(first).toMatchObject({ url: dead, state: 'ejected', calls: 0 });
    expect(first?.events.refused).toBe(3);
    expect(second).toMatchObject({ state: 'up', calls: 4 });
    expect(second?.events).toMatchObject({ connected: 4, 'failed-over': 3 });
    await gateway.untilMetric('upstream_addresses', { upstream: 'app', state: 'ejected' }, 1);
  });

  it('is passed over when it never answers', async () => {
    const app = await Application.open();
    const silent = await silentPort();
    const gateway = await gatewayTo([{ url: silent, weight: 1_000 }, app.url], {
      connectTimeout: '900ms',
    });
    const beganMs = performance.now();
    await gateway.call();
    await app.untilCall();
    expect(performance.now() - beganMs).toBeLessThan(800);
    expect((await addressesOf(gateway))[0]?.events.timeout).toBe(1);
  });

  it('is passed over when it is busy, and that is no failure', async () => {
    const busy = await Application.open(({ socket }) => socket.close(1013));
    const free = await Application.open();
    const gateway = await gatewayTo([{ url: busy.url, weight: 1_000 }, free.url]);
    for (let i = 0; i < 5; i += 1) await gateway.call();
    await free.untilCall(5);
    const [first] = await addressesOf(gateway);
    expect(first).toMatchObject({ state: 'up', calls: 0 });
    expect(first?.events.busy).toBe(5);
  });

  it('is passed over when it closes at once', async () => {
    const broken = await Application.open(({ socket }) => socket.close(1011));
    const good = await Application.open();
    const gateway = await gatewayTo([{ url: broken.url, weight: 1_000 }, good.url]);
    const client = await gateway.call();
    await good.untilCall();
    expect((await addressesOf(gateway))[0]?.events['early-close']).toBe(1);
    expect(client.isOpen).toBe(true);
  });

  it('leaves the caller to the fallback when there is no other', async () => {
    const gateway = await gatewayTo([await deadPort()], {}, { fallback: 'sorry' });
    const client = await gateway.call();
    expect(await gateway.untilTold(client, 'start')).toEqual(['sorry']);
    await client.waitForAudio(8 * 180);
    await client.hangUp();
  });

  it('ends the call when there is no other and no fallback', async () => {
    const gateway = await gatewayTo([await deadPort()]);
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    await until('the hang-up', () => plivo.hungUp === 1);
    const ended = { reason: 'upstream-failed', fault: 'application', route: 'main' };
    await gateway.untilMetric('calls_ended_total', ended, 1);
  });
});

describe('an application that breaks off in mid-call', () => {
  it('is followed by the fallback', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo([app.url], {}, { fallback: 'sorry' });
    const client = await gateway.call();
    const call = await app.untilCall();
    call.socket.send(Buffer.alloc(640));
    await client.waitForAudio(160);
    call.socket.terminate();
    expect(await gateway.untilTold(client, 'start')).toEqual(['sorry']);
    await client.waitForAudio(8 * 180);
    expect((await addressesOf(gateway))[0]).toMatchObject({ calls: 0 });
    expect((await addressesOf(gateway))[0]?.events.lost).toBe(1);
    await client.hangUp();
  });

  it('ends the call without one, or if it is to', async () => {
    for (const route of [{}, { fallback: 'sorry', onUpstreamLost: 'hangup' }]) {
      const app = await Application.open();
      const gateway = await gatewayTo([app.url], {}, route);
      const client = await gateway.call();
      const plivo = knownAtPlivo(api, client);
      const call = await app.untilCall();
      call.send({ event: 'clear' });
      await sleep(50);
      call.socket.close(1011);
      await until('the hang-up', () => plivo.hungUp === 1);
      await gateway.untilMetric('calls_ended_total', { reason: 'upstream-lost' }, 1);
    }
  });

  it('gets the call back when it is to, at another address if need be, and is told so', async () => {
    const app = await Application.open();
    const other = await Application.open();
    const gateway = await gatewayTo(
      [{ url: `${app.url}/?again={resumed}`, weight: 1_000 }, `${other.url}/?again={resumed}`],
      {},
      { onUpstreamLost: 'reconnect' },
    );
    const client = await gateway.call();
    const call = await app.untilCall();
    call.send({ event: 'clear' });
    await call.untilEvent('start');
    await sleep(50);
    await app.close();
    const again = await other.untilCall();
    expect(again.request.url).toBe('/?again=1');
    expect(await again.untilEvent('start')).toMatchObject({
      callId: client.callId,
      resumed: true,
    });
    again.socket.send(Buffer.alloc(3_200));
    await client.waitForAudio(160);
    await client.hangUp();
  });
});

describe('what would go on for ever', () => {
  it('is bounded: an application that always breaks off', async () => {
    const app = await Application.open(({ socket }) => {
      socket.on('message', () => {
        socket.send('{"event":"clear"}');
        setTimeout(() => socket.close(1011), 30);
      });
    });
    const gateway = await gatewayTo([app.url], {}, { onUpstreamLost: 'reconnect' });
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    await until('the hang-up', () => plivo.hungUp === 1);
    expect(app.calls.length).toBe(6);
  });

  it('is bounded: routes that fall back on each other', async () => {
    const urls = await deadPort();
    const upstreams = [{ name: 'app', protocol: 'pcm', urls }];
    const gateway = await TestGateway.open({
      api,
      settings: { upstreams },
      routes: [
        { name: 'a', upstream: 'app', fallback: 'b' },
        { name: 'b', upstream: 'app', fallback: 'a' },
      ],
    });
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    await until('the hang-up', () => plivo.hungUp === 1);
    expect((await addressesOf(gateway))[0]?.events.refused).toBe(2);
  });
});

describe('calls', () => {
  it('find an application by DNS, under the name that it has', async () => {
    const app = await Application.open();
    const gateway = await gatewayTo([app.url.replace('127.0.0.1', 'localhost')], {
      discover: 'dns',
    });
    const client = await gateway.call();
    const call = await app.untilCall();
    expect(call.request.headers.host).toBe(new URL(app.url).host.replace('127.0.0.1', 'localhost'));
    expect(await addressesOf(gateway)).toContainEqual(
      expect.objectContaining({ ip: '127.0.0.1', state: 'up', calls: 1 }),
    );
    await client.hangUp();
  });

  it('go to the address with the fewest, over all shards, and no address gets more than it may', async () => {
    const apps = [await Application.open(), await Application.open(), await Application.open()];
    const gateway = await gatewayTo(
      apps.map(({ url }) => url),
      { callsPerAddress: 4 },
    );
    for (let i = 0; i < 12; i += 1) {
      await gateway.call();
      await until('the call', () => apps.reduce((sum, { calls }) => sum + calls.length, 0) > i);
    }
    expect(apps.map(({ calls }) => calls.length)).toEqual([4, 4, 4]);
    const client = await gateway.call();
    const plivo = knownAtPlivo(api, client);
    await until('one too many is hung up', () => plivo.hungUp === 1);
    expect(apps.map(({ calls }) => calls.length)).toEqual([4, 4, 4]);
  });

  it('of one caller go to the same address', async () => {
    const apps = [await Application.open(), await Application.open(), await Application.open()];
    const gateway = await gatewayTo(
      apps.map(({ url }) => url),
      { balance: 'caller' },
    );
    for (let i = 0; i < 6; i += 1) await gateway.call({}, '/stream?from=15551112222');
    const counts = () => apps.map(({ calls }) => calls.length).toSorted();
    await until('all calls', () => counts()[2] === 6);
    expect(counts()).toEqual([0, 0, 6]);
    for (let i = 0; i < 30; i += 1) await gateway.call({}, `/stream?from=1555${i}`);
    await until('all calls', () => counts().reduce((sum, count) => sum + count, 0) === 36);
    expect(counts()[0]).toBeGreaterThan(2);
  });

  it('are not held by a shard that died', async () => {
    const app = await Application.open();
    const gateway = await TestGateway.open({
      handler: `start() { process.exit(3); }`,
      settings: { upstreams: [{ name: 'app', protocol: 'pcm', urls: app.url }] },
      routes: [
        { name: 'main', path: '/stream', upstream: 'app' },
        { name: 'deadly', path: '/ws', handler: 'HANDLER' },
      ],
    });
    await gateway.call();
    await app.untilCall();
    expect((await addressesOf(gateway))[0]?.calls).toBe(1);
    const deadly = await gateway.call({}, '/ws');
    await deadly.waitForClose(30_000);
    await until('its place is free', async () => (await addressesOf(gateway))[0]?.calls === 0);
  }, 60_000);
});
