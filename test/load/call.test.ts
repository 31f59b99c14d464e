import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type CallOptions, call } from '../../load/call.js';
import { runCall } from '../../load/call-command.js';
import { isGood } from '../../load/call-summary.js';
import { PlivoApi } from '../../load/plivo-api.js';
import { readWav, writeWav } from '../../src/codec/wav.js';
import {
  echo,
  playAudio,
  type StubBehaviour,
  type StubGateway,
  startStub,
} from './stub-gateway.js';

const closers: (() => Promise<unknown>)[] = [];

/** Tests run side by side, so all is closed at the end. */
afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function stub(behaviour: StubBehaviour): Promise<StubGateway> {
  const gateway = await startStub(behaviour);
  closers.push(() => gateway.close());
  return gateway;
}

async function openApi(): Promise<PlivoApi> {
  const api = new PlivoApi();
  await api.listen(0);
  closers.push(() => api.close());
  return api;
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'gateway-call-'));
  closers.push(() => rm(path, { recursive: true }));
  return path;
}

/** A caller with half a second of a rising tone. */
async function shortWav(): Promise<string> {
  const path = join(await folder(), 'short.wav');
  const samples = Int16Array.from({ length: 4_000 }, (_, i) =>
    Math.round(12_000 * Math.sin(2 * Math.PI * (0.05 + i / 80_000) * i)),
  );
  await writeWav(path, { rateHz: 8_000, samples });
  return path;
}

async function shortCall(gateway: StubGateway, options: CallOptions = {}) {
  return call({ url: gateway.url, wavPath: await shortWav(), apiPort: 0, ...options });
}

describe.concurrent('a call to an echo', () => {
  it('hears everything it said, measures it, and hangs up with 1000', async () => {
    const gateway = await stub(echo());
    const outPath = join(await folder(), 'heard.wav');
    const summary = await shortCall(gateway, { outPath });
    expect(summary.violations).toEqual([]);
    expect(isGood(summary)).toBe(true);
    expect(summary).toMatchObject({ endReason: 'caller-hangup', closeCode: 1000, cleared: 0 });
    expect(summary.playAudioReceived).toBe(summary.mediaSent);
    expect(summary.echoSnrDb).toBe(120);
    expect(summary.echoDelayMs).toBe(0);
    expect(summary.turnaroundMs?.p50).toBeLessThan(200);
    expect(summary.turnaroundMs?.max).toBeGreaterThanOrEqual(summary.turnaroundMs?.p50 ?? 0);
    const heard = await readWav(outPath);
    expect(heard.rateHz).toBe(8_000);
    expect(heard.samples.length / 8_000).toBeCloseTo(summary.seconds, 2);
    expect(heard.samples.reduce((a, b) => Math.max(a, b), 0)).toBeGreaterThan(11_000);
  });

  it('speaks L16 at 16 kHz from a file of another rate', async () => {
    const gateway = await stub(echo('audio/x-l16', 16_000));
    const summary = await shortCall(gateway, { format: 'l16-16' });
    expect(summary).toMatchObject({ violations: [], format: 'l16-16', echoSnrDb: 120 });
    expect(gateway.streams[0]?.messages[0]?.start).toMatchObject({
      mediaFormat: { encoding: 'audio/x-l16', sampleRate: 16_000 },
    });
  });

  it('sends the messages of the protocol, numbered and in time', async () => {
    const gateway = await stub(echo());
    const summary = await shortCall(gateway, {
      dtmf: '1#',
      dtmfAtMs: 100,
      dtmfGapMs: 100,
      extraHeaders: 'tenant=acme;plan=gold',
      from: '+15550001111',
      to: '+15550002222',
    });
    const stream = gateway.streams[0];
    const messages = stream?.messages ?? [];
    expect(stream?.url).toBe('/stream?from=%2B15550001111&to=%2B15550002222');
    expect(messages[0]).toEqual({
      event: 'start',
      sequenceNumber: 1,
      start: {
        callId: summary.callId,
        streamId: summary.streamId,
        accountId: 'MAEXAMPLE0000000000A',
        tracks: ['inbound'],
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8_000 },
      },
      extra_headers: 'tenant=acme;plan=gold',
    });
    expect(messages.map((message) => message.sequenceNumber)).toEqual(
      messages.map((_, i) => i + 1),
    );
    const media = messages.filter(({ event }) => event === 'media');
    expect(media.map((message) => message.media?.chunk)).toEqual(media.map((_, i) => i + 1));
    const times = media.map((message) => Number(message.media?.timestamp));
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeCloseTo((media.length - 1) * 20, -1);
    expect(Math.abs((times[0] ?? 0) - Date.now())).toBeLessThan(10_000);
    expect(media[0]).toMatchObject({
      streamId: summary.streamId,
      extra_headers: 'tenant=acme;plan=gold',
      media: { track: 'inbound' },
    });
    const digits = messages.filter(({ event }) => event === 'dtmf');
    expect(digits.map((message) => message.dtmf?.digit)).toEqual(['1', '#']);
    expect(Buffer.from(media[0]?.media?.payload ?? '', 'base64')).toHaveLength(160);
  });
});

describe('a caller that was held up', () => {
  it('catches up after a stall without moving its schedule', async () => {
    const gateway = await stub(echo());
    const summary = await shortCall(gateway, {
      onCaller: () => {
        setTimeout(() => {
          const until = performance.now() + 150;
          while (performance.now() < until);
        }, 200);
      },
    });
    expect(summary.scheduleLagMsMax).toBeGreaterThan(80);
    expect(summary.mediaSent).toBeGreaterThanOrEqual(Math.floor((summary.seconds - 0.25) * 50));
    expect(summary.echoSnrDb).toBe(120);
  });
});

describe.concurrent('a call to a handler that speaks by itself', () => {
  const second = Buffer.alloc(4_000, 0x20).toString('base64');

  it('answers a checkpoint when the audio before it has played out, not before', async () => {
    const answeredMs: number[] = [];
    let sentMs = 0;
    const gateway = await stub({
      message(stream, message) {
        if (message.event === 'start') {
          sentMs = performance.now();
          stream.send({ event: 'checkpoint', streamId: stream.streamId, name: 'empty' });
          stream.send(playAudio(second));
          stream.send({ event: 'checkpoint', streamId: stream.streamId, name: 'after' });
        }
        if (message.event === 'playedStream') answeredMs.push(performance.now() - sentMs);
      },
    });
    const summary = await shortCall(gateway);
    expect(summary.violations).toEqual([]);
    expect(summary.checkpoints).toEqual({ received: 2, played: 2, cleared: 0 });
    expect(answeredMs[0]).toBeLessThan(450);
    expect(answeredMs[1]).toBeGreaterThan(500);
    expect(answeredMs[1]).toBeLessThan(1_500);
    expect(summary.audioSecondsHeard).toBe(0.5);
    expect(summary.turnaroundMs).toBeNull();
    expect(summary.echoSnrDb).toBeNull();
  });

  it('clears the queue, drops its checkpoints and says so', async () => {
    const gateway = await stub({
      message(stream, message) {
        if (message.event !== 'start') return;
        stream.send(playAudio(second));
        stream.send({ event: 'checkpoint', streamId: stream.streamId, name: 'never' });
        const clear = { event: 'clearAudio', streamId: stream.streamId };
        setTimeout(() => stream.send(clear), 200);
      },
    });
    const summary = await shortCall(gateway);
    const events = gateway.streams[0]?.messages.map(({ event }) => event) ?? [];
    expect(summary).toMatchObject({ violations: [], cleared: 1 });
    expect(summary.checkpoints).toEqual({ received: 1, played: 0, cleared: 1 });
    expect(summary.audioSecondsHeard).toBeGreaterThan(0.05);
    expect(summary.audioSecondsHeard).toBeLessThan(0.5);
    expect(events.filter((event) => event === 'clearedAudio')).toHaveLength(1);
    expect(events).not.toContain('playedStream');
  });

  it('collects the digits that the gateway sends', async () => {
    const gateway = await stub({
      message(stream, { event }) {
        if (event === 'start') stream.send({ event: 'sendDTMF', dtmf: '12#' });
      },
    });
    expect(await shortCall(gateway)).toMatchObject({ violations: [], dtmfReceived: '12#' });
  });
});

describe.concurrent('the end of a call', () => {
  const authorization = `Basic ${Buffer.from('MA1:secret').toString('base64')}`;

  it('is a hang-up by the gateway when its DELETE arrives', async () => {
    const api = await openApi();
    const closed: number[] = [];
    const gateway = await stub({
      opened: ({ socket }) => socket.on('close', (code) => closed.push(code)),
      async message(_stream, { start }) {
        if (start === undefined) return;
        const url = `${api.url}/v1/Account/MA1/Call/${start.callId}/`;
        await fetch(url, { method: 'DELETE', headers: { authorization } });
      },
    });
    const summary = await shortCall(gateway, { api });
    expect(summary).toMatchObject({
      endReason: 'gateway-hangup',
      hungUpByGateway: true,
      closeCode: 1000,
      violations: [],
    });
    expect(summary.seconds).toBeLessThan(0.9);
    await expect.poll(() => closed).toEqual([1000]);
    expect(api.requests.map(({ status }) => status)).toEqual([204]);
  });

  it('is the gateway closing the socket, with the transfer that came before', async () => {
    const api = await openApi();
    const gateway = await stub({
      async message(stream, { start }) {
        if (start === undefined) return;
        const url = `${api.url}/v1/Account/MA1/Call/${start.callId}/`;
        const body = JSON.stringify({ legs: 'aleg', aleg_url: 'https://example.com/next' });
        const response = await fetch(url, { method: 'POST', headers: { authorization }, body });
        if (response.status === 202) stream.socket.close(1000);
      },
    });
    const summary = await shortCall(gateway, { api });
    expect(isGood(summary)).toBe(true);
    expect(summary).toMatchObject({
      endReason: 'gateway-closed',
      hungUpByGateway: false,
      transferredTo: 'https://example.com/next',
    });
  });

  it('is a hang-up by the gateway also when its DELETE follows the close', async () => {
    const api = await openApi();
    const gateway = await stub({
      message(stream, { start }) {
        if (start === undefined) return;
        stream.socket.close(1000);
        const url = `${api.url}/v1/Account/MA1/Call/${start.callId}/`;
        setTimeout(() => fetch(url, { method: 'DELETE', headers: { authorization } }), 50);
      },
    });
    const summary = await shortCall(gateway, { api });
    expect(summary.endReason).toBe('gateway-hangup');
  });

  it('is a drop when the socket breaks', async () => {
    const gateway = await stub({
      message: ({ socket }, { event }) => event === 'start' && socket.terminate(),
    });
    const summary = await shortCall(gateway);
    expect(summary).toMatchObject({ endReason: 'dropped', closeCode: 1006 });
    expect(summary.violations.map(({ name }) => name)).toEqual(['close-code-unexpected']);
    expect(isGood(summary)).toBe(false);
  });

  it('is the time limit when that comes first', async () => {
    const gateway = await stub(echo());
    const summary = await shortCall(gateway, { timeLimitMs: 200 });
    expect(summary.endReason).toBe('time-limit');
    expect(summary.seconds).toBeLessThan(0.9);
    expect(isGood(summary)).toBe(false);
  });

  it('is a failed connection, with the status of a refused upgrade', async () => {
    const api = await openApi();
    const url = api.url.replace('http', 'ws');
    const summary = await call({ url, api });
    expect(summary.endReason).toBe('connect-failed');
    expect(summary.endDetail).toMatch(/refused the upgrade with HTTP 404/);
    expect(isGood(summary)).toBe(false);
  });

  it('is a failed connection when nobody listens', async () => {
    const api = await openApi();
    const gone = await startStub({});
    await gone.close();
    const summary = await call({ url: gone.url, api });
    expect(summary.endReason).toBe('connect-failed');
    expect(summary.endDetail).toMatch(/cannot connect to ws:.*ECONNREFUSED/);
  });
});

describe.concurrent('the command', () => {
  function recorder() {
    const printed = { stdout: '', stderr: '' };
    return {
      printed,
      stdout: { write: (text: string) => (printed.stdout += text) },
      stderr: { write: (text: string) => (printed.stderr += text) },
    };
  }

  it('prints one line of JSON and nothing else with --json', async () => {
    const gateway = await stub(echo());
    const to = recorder();
    const options = { url: gateway.url, wavPath: await shortWav(), apiPort: 0, json: true };
    expect(await runCall(options, to)).toBe(0);
    expect(to.printed.stderr).toBe('');
    const summary: unknown = JSON.parse(to.printed.stdout);
    expect(summary).toMatchObject({ endReason: 'caller-hangup', echoSnrDb: 120 });
  });

  it('names a violation and exits 1', async () => {
    const gateway = await stub({
      message: (stream, { event }) => event === 'start' && stream.socket.send('hello'),
    });
    const to = recorder();
    const options = { url: gateway.url, wavPath: await shortWav(), apiPort: 0 };
    expect(await runCall(options, to)).toBe(1);
    expect(to.printed.stdout).toMatch(/VIOLATION\s+not-json: a message is not JSON: "hello"/);
  });

  it('says in one sentence that the REST port is in use', async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => blocker.close(resolve)));
    const address = blocker.address();
    const apiPort = typeof address === 'object' && address !== null ? address.port : 0;
    const to = recorder();
    expect(await runCall({ apiPort }, to)).toBe(1);
    expect(to.printed.stderr).toBe(
      `error: cannot listen on 127.0.0.1:${apiPort}: the port is in use; ` +
        'choose another for the REST stand-in with --api-port\n',
    );
  });

  it('says what a WAV file must be, before it calls anybody', async () => {
    const path = join(await folder(), 'odd.wav');
    await writeWav(path, { rateHz: 11_025, samples: new Int16Array(10) });
    const to = recorder();
    expect(await runCall({ wavPath: path, apiPort: 0 }, to)).toBe(1);
    expect(to.printed.stderr).toMatch(/found 16-bit PCM, 1 channel\(s\), 11025 Hz: needs 16-bit/);
  });
});
