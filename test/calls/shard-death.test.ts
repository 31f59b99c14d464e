import { describe, expect, it } from 'vitest';
import { Application } from '../upstream/application.js';
import { StreamClient } from './stream-client.js';
import { knownAtPlivo, openApi, requestsFor, TestGateway } from './test-gateway.js';
import { sleep, until } from './wait.js';

/** What a handler can do to its worker, by the digit that is pressed. */
const handler = `
  start(call, { resumed }) {
    tell(call, 'start', resumed, Object.keys(call.data).length);
    call.data.begun = true;
    if (call.extraHeaders.at === 'start') process.exit(1);
  },
  audio(call, samples) { call.play(samples); },
  dtmf(call, digit) {
    tell(call, 'dtmf', digit);
    if (digit === '1') process.exit(0);
    if (digit === '2') {
      const kept = [];
      for (;;) kept.push(new Array(100_000).fill(kept.length + 0.5));
    }
    if (digit === '3') call.end();
    if (digit === '4') { call.cancel(); process.exit(1); }
    if (digit === '5') for (;;);
    if (digit === '6') setTimeout(() => process.exit(1), 5);
    if (digit === '7') call.checkpoint('mine');
  },
  played(call, name) { tell(call, 'played', name); },
  end(call, reason) { tell(call, 'end', reason); },
`;

async function shardOf(gateway: TestGateway, client: StreamClient): Promise<unknown> {
  const calls = await gateway.calls();
  return calls.find(({ callId }) => callId === client.callId)?.shard;
}

async function expectEcho(client: StreamClient): Promise<void> {
  const before = client.audio().length;
  client.say(new Uint8Array(160 * 5).fill(0x55));
  await client.waitForAudio(before + 160 * 5);
}

/** Its worker has died so many times, and another goes on with it. */
const untilResumed = (gateway: TestGateway, client: StreamClient, times = 1) =>
  until('the call to go on', () => gateway.toldOf(client, 'start').length > times, 60_000);

describe.concurrent('the death of a worker', () => {
  it.each([
    ['by process.exit()', '1', true],
    ['by a heap that is full', '2', true],
    ['by a loop without an end', '5', true],
    ['outside of any call', '6', false],
  ])(
    '%s costs no call',
    async (_name, digit, isInHand) => {
      const gateway = await TestGateway.open({ handler, shards: 2 });
      const clients: StreamClient[] = [];
      for (let i = 0; i < 6; i += 1) clients.push(await gateway.liveCall());
      for (const client of clients) await expectEcho(client);
      const shards = await Promise.all(clients.map((client) => shardOf(gateway, client)));
      const struck = clients.filter((_, i) => shards[i] === shards[0]);
      expect(struck).toHaveLength(3);
      const [killer, other] = struck as [StreamClient, StreamClient];
      killer.dtmf(digit);
      await gateway.untilTold(killer, 'dtmf');
      // While it is not there: what has been said meanwhile is not lost.
      if (isInHand) other.dtmf('9');
      for (const client of struck) await untilResumed(gateway, client);
      if (!isInHand) other.dtmf('9');
      await until('the digit', () => gateway.toldOf(other, 'dtmf').length > 0);
      for (const client of clients) await expectEcho(client);
      for (const client of struck) {
        expect(gateway.toldOf(client, 'start')).toEqual([
          [false, 0],
          [true, 0],
        ]);
      }
      expect(gateway.toldOf(other, 'dtmf')).toEqual([['9']]);
      // It did to its worker what it did once.
      expect(gateway.toldOf(killer, 'dtmf')).toEqual([[digit]]);
      const page = await gateway.untilMetric('shard_restarts_total', {}, 1);
      expect(page.value('calls_adopted_total')).toBe(3);
      expect(page.value('calls_ended_total')).toBe(0);
      expect(page.value('calls_started_total')).toBe(6);
      expect(page.value('calls_active')).toBe(6);
      expect(page.value('shard_ready')).toBe(2);
      const calls = await gateway.calls();
      // What the dead one had counted is shown up to a quarter of a second late.
      const { mediaIn } = calls.find(({ callId }) => callId === killer.callId)!;
      expect(mediaIn).toBeGreaterThanOrEqual(5);
      for (const client of clients) await client.hangUp();
      const after = await gateway.untilMetric('connections_active', {}, 0);
      expect(after.value('calls_ended_total', { reason: 'stream-closed' })).toBe(6);
    },
    90_000,
  );

  it('in the start of a call, twice, ends that call, hangs it up, and no other', async () => {
    const api = await openApi();
    const gateway = await TestGateway.open({ handler, api, shards: 1 });
    const other = await gateway.liveCall();
    const client = await gateway.call({ extraHeaders: { at: 'start' } });
    knownAtPlivo(api, client);
    expect(await client.waitForClose()).toEqual({ code: 1011, reason: 'handler-error' });
    await until('the hang-up', () => requestsFor(api, client)[0], 3_000);
    await untilResumed(gateway, other, 2);
    await expectEcho(other);
    const page = await gateway.metrics();
    expect(page.value('calls_ended_total', { reason: 'handler-error' })).toBe(1);
    expect(page.value('calls_active')).toBe(1);
  });

  it('does not forget what was asked for just before', async () => {
    const api = await openApi();
    const gateway = await TestGateway.open({ handler, api, shards: 1 });
    const client = await gateway.liveCall();
    knownAtPlivo(api, client);
    client.dtmf('4');
    await client.waitForClose();
    await until('the hang-up', () => requestsFor(api, client)[0], 3_000);
    const page = await gateway.metrics();
    // The first reason stands: the handler had ended this call.
    expect(page.value('calls_ended_total', { reason: 'app-cancel' })).toBe(1);
  });

  it('three times in a row ends the calls of the shard and hangs them up; new ones are taken', async () => {
    const api = await openApi();
    const gateway = await TestGateway.open({ handler, api, shards: 1 });
    const clients: StreamClient[] = [];
    for (let i = 0; i < 4; i += 1) clients.push(await gateway.liveCall());
    const [first, second, third, bystander] = clients as [
      ...[StreamClient, StreamClient, StreamClient, StreamClient],
    ];
    for (const client of clients) knownAtPlivo(api, client);
    for (const [times, client] of [first, second].entries()) {
      client.dtmf('1');
      for (const one of clients) await untilResumed(gateway, one, times + 1);
    }
    third.dtmf('1');
    expect(await bystander.waitForClose()).toEqual({ code: 1011, reason: 'shard-lost' });
    for (const client of clients) {
      await until('the hang-up', () => requestsFor(api, client)[0], 3_000);
      expect(requestsFor(api, client)).toHaveLength(1);
    }
    const page = await gateway.untilMetric('connections_active', {}, 0);
    expect(page.value('calls_ended_total', { reason: 'shard-lost', fault: 'gateway' })).toBe(4);
    const next = await until('a shard', () => gateway.call().catch(() => undefined));
    await expectEcho(next);
  });

  it('before the start of a call costs it nothing', async () => {
    const gateway = await TestGateway.open({ handler, shards: 1 });
    const killer = await gateway.liveCall();
    const client = await StreamClient.open(gateway.url());
    killer.dtmf('1');
    await untilResumed(gateway, killer);
    client.start();
    expect(await gateway.untilTold(client, 'start')).toEqual([false, 0]);
    await expectEcho(client);
  });

  it('leaves no checkpoint that the next worker takes for its own', async () => {
    const gateway = await TestGateway.open({ handler, shards: 1 });
    const client = await gateway.liveCall();
    client.dtmf('7');
    const name = await until('a checkpoint', () => client.of('checkpoint')[0]?.name);
    client.dtmf('1');
    await untilResumed(gateway, client);
    client.dtmf('7');
    const next = await until('another', () => client.of('checkpoint')[1]?.name);
    client.played(name);
    client.played(next);
    await gateway.untilTold(client, 'played');
    await sleep(50);
    expect(gateway.toldOf(client, 'played')).toEqual([['mine']]);
    expect((await gateway.metrics()).drops('unknown-checkpoint')).toBe(1);
  });

  it('is in the story and the record of the call', async () => {
    const gateway = await TestGateway.open({ handler, shards: 1 });
    const client = await gateway.liveCall();
    await expectEcho(client);
    await sleep(300);
    client.dtmf('1');
    await untilResumed(gateway, client);
    await expectEcho(client);
    await client.hangUp();
    const story = await until('the end', async () => {
      const answer = await gateway.admin(`/api/calls/${client.callId}`);
      const view = (await answer.json()) as { state: string };
      return view.state === 'ended' && view;
    });
    expect(story).toMatchObject({ record: { adoptions: 1, streams: 1, mediaIn: 10 } });
    expect(JSON.stringify(story)).toContain('"what":"adopted"');
  });
});

describe('a call to an upstream whose worker dies', () => {
  async function struck(route: object) {
    const app = await Application.open();
    const api = await openApi();
    const gateway = await TestGateway.open({
      ...{ handler, api, shards: 1 },
      settings: {
        upstreams: [{ name: 'app', protocol: 'pcm', urls: `${app.url}/?resumed={resumed}` }],
      },
      routes: [
        { name: 'bot', path: '/ws', upstream: 'app', ...route },
        { name: 'main', handler: 'HANDLER' },
      ],
    });
    const killer = await gateway.liveCall();
    const client = await gateway.call({}, '/ws');
    knownAtPlivo(api, client);
    const first = await app.untilCall();
    await first.untilEvent('start');
    killer.dtmf('1');
    await untilResumed(gateway, killer);
    return { app, api, gateway, client };
  }

  it.each([
    ['with onUpstreamLost: reconnect', { onUpstreamLost: 'reconnect' }],
    ['without a fallback', {}],
  ])('is connected again, %s, and told so', async (_name, route) => {
    const { app, client } = await struck(route);
    const again = await app.untilCall(2);
    expect(again.request.url).toContain('resumed=1');
    expect(await again.untilEvent('start')).toMatchObject({ callId: client.callId, resumed: true });
  });

  it('goes to the fallback, where there is one', async () => {
    const { gateway, client } = await struck({ fallback: 'main' });
    expect(await gateway.untilTold(client, 'start')).toEqual([false, 0]);
    await expectEcho(client);
  });

  it('is hung up, where the route says so', async () => {
    const { api, client } = await struck({ onUpstreamLost: 'hangup' });
    await until('the hang-up', () => requestsFor(api, client)[0], 3_000);
  });
});
