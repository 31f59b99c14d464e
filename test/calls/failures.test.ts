import { beforeAll, describe, expect, it } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import type { StreamClient } from './stream-client.js';
import { knownAtPlivo, openApi, requestsFor, TestGateway } from './test-gateway.js';
import { sleep } from './wait.js';

/** Fails in the way and at the place that the call's extra headers name. */
const failing = `
  start(call) { tell(call, 'start'); this.fail(call, 'start'); },
  audio(call) { tell(call, 'audio'); return this.fail(call, 'audio'); },
  dtmf(call) { tell(call, 'dtmf'); return this.fail(call, 'dtmf'); },
  played(call) { tell(call, 'played'); return this.fail(call, 'played'); },
  end(call, reason) { tell(call, 'end', reason); return this.fail(call, 'end'); },
  fail(call, where) {
    if (call.extraHeaders.where !== where) return where === 'dtmf' ? call.checkpoint('x') : undefined;
    switch (call.extraHeaders.how) {
      case 'throw': throw new Error('on purpose');
      case 'nothing': throw undefined;
      case 'null': throw null;
      case 'symbol': throw Symbol('on purpose');
      case 'strange': throw Object.create(null);
      case 'hostile': throw { get message() { throw new Error('no'); }, toString() { throw new Error('no'); } };
      case 'hostile-error': {
        const error = new Error('x');
        Object.defineProperty(error, 'message', { get() { throw new Error('no'); } });
        Object.defineProperty(error, 'stack', { get() { throw new Error('no'); } });
        throw error;
      }
      case 'cyclic': { const error = new Error('cyclic'); error.cause = error; error.big = 10n; throw error; }
      case 'reject': return Promise.reject(new Error('on purpose'));
      case 'later': return new Promise((_, no) => setTimeout(no, 20, new Error('later')));
      case 'thenable': return { then(_, no) { no(new Error('on purpose')); } };
      case 'then': return { get then() { throw new Error('on purpose'); } };
      case 'deep': return (function again() { return again() + 1; })();
      case 'stray': Promise.reject(new Error('stray')); return;
      case 'timer': setTimeout(() => { throw new Error('timer'); }, 1); return;
      case 'immediate': setImmediate(() => { throw null; }); return;
      case 'tick': process.nextTick(() => { throw new Error('tick'); }); return;
      case 'microtask': queueMicrotask(() => { throw new Error('microtask'); }); return;
    }
  },
`;

let silent: TestGateway;
let hanging: TestGateway;
let api: PlivoApi;
let bystander: StreamClient;
beforeAll(async () => {
  api = await openApi();
  // Logged to nowhere, but through the whole of the logger.
  silent = await TestGateway.open({ handler: failing });
  hanging = await TestGateway.open({ handler: failing, api });
  bystander = await silent.call({ extraHeaders: {} });
});

/** Brings every callback about. */
async function provoke(gateway: TestGateway, where: string, how: string): Promise<StreamClient> {
  const client = await gateway.call({ extraHeaders: { where, how } });
  if (where === 'audio') client.media(new Uint8Array(160));
  if (where === 'dtmf') client.dtmf('1');
  if (where === 'played') {
    client.dtmf('1');
    client.played((await client.waitFor('checkpoint')).name ?? '');
  }
  return client;
}

async function expectUnharmed(gateway: TestGateway, client: StreamClient): Promise<void> {
  const frames = gateway.toldOf(client, 'audio').length;
  client.media(new Uint8Array(160));
  await gateway.untilTold(client, 'audio', frames + 1);
  expect(client.closed).toBeUndefined();
}

describe('a handler that throws', () => {
  it.each(['start', 'audio', 'dtmf', 'played'])(
    'in %s ends its own call with 1011 and no other',
    async (where) => {
      const client = await provoke(silent, where, 'throw');
      expect(await client.waitForClose()).toEqual({ code: 1011, reason: 'handler-error' });
      expect(await silent.untilTold(client, 'end')).toEqual(['handler-error']);
      await expectUnharmed(silent, bystander);
    },
  );

  it.each(['start', 'audio', 'dtmf', 'played'])('in %s has its call hung up', async (where) => {
    const client = await gatewayCallKnown(where);
    await client.waitForClose();
    expect(requestsFor(api, client)).toHaveLength(1);
    expect(await hanging.untilTold(client, 'end')).toEqual(['handler-error']);
  });

  async function gatewayCallKnown(where: string): Promise<StreamClient> {
    const client = await hanging.call({ extraHeaders: { where, how: 'throw' } });
    knownAtPlivo(api, client);
    if (where === 'audio') client.media(new Uint8Array(160));
    if (where === 'dtmf' || where === 'played') client.dtmf('1');
    if (where === 'played') client.played((await client.waitFor('checkpoint')).name ?? '');
    return client;
  }

  it.each([
    'nothing',
    'null',
    'symbol',
    'strange',
    'hostile',
    'hostile-error',
    'cyclic',
    'reject',
    'later',
    'thenable',
    'then',
    'deep',
  ])('whatever it throws (%s) ends its own call only', async (how) => {
    const client = await provoke(silent, 'audio', how);
    expect(await client.waitForClose()).toEqual({ code: 1011, reason: 'handler-error' });
    expect(await silent.untilTold(client, 'end')).toEqual(['handler-error']);
    await expectUnharmed(silent, bystander);
  });

  it('at the end of its call is counted, and nothing else happens', async () => {
    const before = (await silent.metrics()).value('handler_errors_total');
    for (const how of ['throw', 'reject', 'later']) {
      const client = await provoke(silent, 'end', how);
      await client.hangUp();
      expect(await silent.untilTold(client, 'end')).toEqual(['stream-closed']);
    }
    await silent.untilMetric('handler_errors_total', {}, before + 3);
    await expectUnharmed(silent, bystander);
  });

  it('is told of the end once, and hears nothing more', async () => {
    const client = await silent.call({ extraHeaders: { where: 'audio', how: 'throw' } });
    for (let i = 0; i < 20; i += 1) client.media(new Uint8Array(160));
    await client.waitForClose();
    await silent.untilTold(client, 'end');
    await sleep(50);
    expect(silent.toldOf(client, 'audio')).toHaveLength(1);
    expect(silent.toldOf(client, 'end')).toHaveLength(1);
  });
});

describe('an error of a handler outside of its callbacks', () => {
  it.each(['stray', 'timer', 'immediate', 'tick', 'microtask'])(
    'of kind %s is counted and ends no call',
    async (how) => {
      const before = (await silent.metrics()).value('handler_stray_errors_total');
      const client = await provoke(silent, 'audio', how);
      await silent.untilMetric('handler_stray_errors_total', {}, before + 1);
      await expectUnharmed(silent, bystander);
      expect(client.closed).toBeUndefined();
      await client.hangUp();
      expect((await silent.metrics()).value('shard_restarts_total')).toBe(0);
    },
  );
});
