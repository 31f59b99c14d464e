import { beforeAll, describe, expect, it } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import type { StreamClient } from './stream-client.js';
import { knownAtPlivo, openApi, requestsFor, TestGateway } from './test-gateway.js';
import { sleep, until } from './wait.js';

const handler = `
  start(call) { if (call.extraHeaders.at === 'start') this.go(call); },
  dtmf(call, digit) { this.go(call); },
  audio(call) { tell(call, 'audio'); },
  played(call, name, cut) { tell(call, 'played', name, cut); },
  end(call, reason) { tell(call, 'end', reason); },
  go(call) {
    const { how, ms = '0', url = 'https://voice.example.com/next' } = call.extraHeaders;
    if (Number(ms) > 0) tell(call, 'play', call.play(tone(Number(ms), 16000)));
    if (how === 'transfer') {
      call.transfer(url).then((ok) => tell(call, 'transfer', ok, call.play(tone(20, 16000))));
    } else if (how === 'twice') {
      call.end(); call.end(); call.cancel(); call.leave(); call.end();
      tell(call, 'after', call.play(tone(20, 16000)), call.checkpoint('x'), call.sendDtmf('1'));
    } else if (how === 'end and say') {
      call.end();
      tell(call, 'after', call.play(tone(20, 16000)), call.checkpoint('x'), call.sendDtmf('1'));
    } else call[how]();
  },
`;

let api: PlivoApi;
let gateway: TestGateway;
let alone: TestGateway;
beforeAll(async () => {
  api = await openApi();
  gateway = await TestGateway.open({ handler, api });
  alone = await TestGateway.open({ handler });
});

interface KnownCall {
  readonly client: StreamClient;
  readonly plivo: ReturnType<typeof knownAtPlivo>;
}

/** A call that does what is asked for when it gets a digit. */
async function known(extraHeaders: Record<string, string>): Promise<KnownCall> {
  const client = await gateway.liveCall({ extraHeaders });
  return { client, plivo: knownAtPlivo(api, client) };
}

describe.concurrent('end()', () => {
  it('plays out, waits until Plivo has played the last word, and only then hangs up', async () => {
    const { client } = await known({ how: 'end', ms: '600' });
    client.dtmf('1');
    const last = await client.waitFor('checkpoint');
    // All of it, and what the filter held.
    expect(client.audioMs()).toBeGreaterThanOrEqual(600);
    expect(client.audioMs()).toBeLessThanOrEqual(620);
    await sleep(400);
    expect(requestsFor(api, client)).toEqual([]);
    client.played(last.name ?? '');
    expect(await client.waitForClose()).toMatchObject({ code: 1000 });
    expect(requestsFor(api, client).map(({ status }) => status)).toEqual([204]);
    expect(await gateway.untilTold(client, 'end')).toEqual(['app-end']);
  });

  it('hangs up without the last word after its bound', async () => {
    const { client } = await known({ how: 'end', ms: '300' });
    const fromMs = performance.now();
    client.dtmf('1');
    await client.waitForClose();
    const tookMs = (requestsFor(api, client)[0]?.atMs ?? 0) - fromMs;
    expect(tookMs).toBeGreaterThan(300 + 1_900);
    expect(tookMs).toBeLessThan(300 + 2_000 + 800);
    expect(requestsFor(api, client)).toHaveLength(1);
    expect(await gateway.untilTold(client, 'end')).toEqual(['app-end']);
  });

  it('hangs up at once when nothing was ever played', async () => {
    const { client } = await known({ how: 'end' });
    const fromMs = performance.now();
    client.dtmf('1');
    await until('the request', () => requestsFor(api, client)[0]);
    expect(performance.now() - fromMs).toBeLessThan(1_000);
    await client.waitForClose();
    expect(client.heard).toEqual([]);
  });

  it('in start is as good as anywhere', async () => {
    const client = await gateway.call({ extraHeaders: { at: 'start', how: 'end' } });
    knownAtPlivo(api, client);
    await client.waitForClose();
    await until('the request', () => requestsFor(api, client)[0]);
    expect(await gateway.untilTold(client, 'end')).toEqual(['app-end']);
  });

  it('lets nothing be said afterwards', async () => {
    const { client } = await known({ how: 'end and say', ms: '100' });
    client.dtmf('1');
    const last = await client.waitFor('checkpoint');
    expect(await gateway.untilTold(client, 'after')).toEqual([false, false, false]);
    client.played(last.name ?? '');
    await client.waitForClose();
    expect(client.of('sendDTMF')).toEqual([]);
    expect(client.of('checkpoint')).toHaveLength(1);
  });

  it('and all other endings together are one ending and one request', async () => {
    const { client, plivo } = await known({ how: 'twice', ms: '100' });
    client.dtmf('1');
    await client.waitForClose();
    await gateway.untilTold(client, 'end');
    await sleep(100);
    expect(plivo.hungUp).toBe(1);
    expect(requestsFor(api, client)).toHaveLength(1);
    expect(gateway.toldOf(client, 'end')).toEqual([['app-end']]);
  });

  it('whose caller hangs up first leaves no hang-up waiting', async () => {
    const { client } = await known({ how: 'end', ms: '20000' });
    client.dtmf('1');
    await client.waitFor('playAudio');
    await until('the end that was asked for', async () =>
      (await gateway.calls()).some(
        ({ callId, ending }) => callId === client.callId && ending === 'app-end',
      ),
    );
    await client.hangUp();
    expect(await gateway.untilTold(client, 'end')).toEqual(['app-end']);
    // Nobody can hear the rest: what was asked for is due now, or needless.
    await until(
      'no hang-up waiting',
      async () => {
        const page = await gateway.metrics();
        return page.value('hangups_pending') === 0;
      },
      4_000,
    );
  });

  it('closes the socket when there are no credentials, after the last word', async () => {
    const client = await alone.call({ extraHeaders: { how: 'end', ms: '200' } });
    client.dtmf('1');
    const last = await client.waitFor('checkpoint');
    await sleep(200);
    expect(client.closed).toBeUndefined();
    client.played(last.name ?? '');
    expect(await client.waitForClose()).toEqual({ code: 1000, reason: 'app-end' });
    expect(await alone.untilTold(client, 'end')).toEqual(['app-end']);
  });
});

describe.concurrent('cancel(), leave() and an operator', () => {
  it('cancel() clears what is queued and hangs up at once', async () => {
    const { client } = await known({ how: 'cancel', ms: '5000' });
    const fromMs = performance.now();
    client.dtmf('1');
    await client.waitForClose();
    expect((requestsFor(api, client)[0]?.atMs ?? 0) - fromMs).toBeLessThan(1_000);
    expect(client.of('clearAudio')).toHaveLength(1);
    expect(client.audioMs()).toBeLessThan(400);
    expect(await gateway.untilTold(client, 'end')).toEqual(['app-cancel']);
  });

  it('cancel() closes the socket at once without credentials', async () => {
    const client = await alone.call({ extraHeaders: { how: 'cancel', ms: '5000' } });
    client.dtmf('1');
    expect(await client.waitForClose(2_000)).toEqual({ code: 1000, reason: 'app-cancel' });
  });

  it('a call that Plivo does not close after the hang-up is closed by the gateway', async () => {
    const { client, plivo } = await known({ how: 'cancel' });
    api.add(client.callId, { hangUp: () => ++plivo.hungUp === 1, transfer: () => true });
    const fromMs = performance.now();
    client.dtmf('1');
    expect(await client.waitForClose(9_000)).toEqual({ code: 1000, reason: 'app-cancel' });
    expect(performance.now() - fromMs).toBeGreaterThan(4_500);
    client.media(new Uint8Array(160));
    expect(gateway.toldOf(client, 'audio')).toEqual([]);
    expect(requestsFor(api, client)).toHaveLength(1);
  });

  it('leave() closes the socket and leaves the call to Plivo', async () => {
    const { client } = await known({ how: 'leave' });
    client.dtmf('1');
    expect(await client.waitForClose()).toEqual({ code: 1000, reason: 'app-leave' });
    expect(await gateway.untilTold(client, 'end')).toEqual(['app-leave']);
    await sleep(200);
    expect(requestsFor(api, client)).toEqual([]);
  });
});

describe.concurrent('transfer()', () => {
  it('asks Plivo first, then closes the stream', async () => {
    const { client, plivo } = await known({ how: 'transfer' });
    client.dtmf('1');
    expect(await client.waitForClose()).toEqual({ code: 1000, reason: 'app-transfer' });
    expect(plivo.transferredTo).toBe('https://voice.example.com/next');
    expect(requestsFor(api, client, 'POST').map(({ status }) => status)).toEqual([202]);
    expect(await gateway.untilTold(client, 'transfer')).toEqual([true, false]);
    expect(await gateway.untilTold(client, 'end')).toEqual(['app-transfer']);
    await sleep(100);
    expect(requestsFor(api, client)).toEqual([]);
  });

  it('that Plivo refuses answers false, and the call goes on', async () => {
    const client = await gateway.liveCall({ extraHeaders: { how: 'transfer' } });
    // The stand-in does not know this call: 404.
    client.dtmf('1');
    expect(await gateway.untilTold(client, 'transfer')).toEqual([false, true]);
    await client.waitFor('playAudio');
    client.media(new Uint8Array(160));
    await gateway.untilTold(client, 'audio');
    expect(client.closed).toBeUndefined();
    await client.hangUp();
    expect(await gateway.untilTold(client, 'end')).toEqual(['stream-closed']);
  });

  it.each(['', 'voice.example.com', 'ftp://voice.example.com/', 'http://', 'javascript:1'])(
    'to %j, which is no address of a document, answers false without a request',
    async (url) => {
      const { client } = await known({ how: 'transfer', url });
      client.dtmf('1');
      expect(await gateway.untilTold(client, 'transfer')).toEqual([false, true]);
      expect(requestsFor(api, client, 'POST')).toEqual([]);
      await client.hangUp();
    },
  );

  it('without credentials answers false, and the call goes on', async () => {
    const client = await alone.call({ extraHeaders: { how: 'transfer' } });
    client.dtmf('1');
    expect(await alone.untilTold(client, 'transfer')).toEqual([false, true]);
    await client.hangUp();
  });
});
