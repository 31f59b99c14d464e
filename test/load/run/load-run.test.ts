import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { ScenarioName } from '../../../load/generator/scenarios.js';
import type { LoadOptions } from '../../../load/run/options.js';
import { exitCodeOf, type LoadReport } from '../../../load/run/report.js';
import { parseThreshold } from '../../../load/run/thresholds.js';
import { verifyV3 } from '../../../src/plivo/signature.js';
import {
  echo,
  isSignedUpgrade,
  playAudio,
  type StubBehaviour,
  startStub,
} from '../stub-gateway.js';

// The generator's threads are built files.
const built = fileURLToPath(new URL('../../../dist/load/run/run.js', import.meta.url));
const closers: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closers.splice(0)) await close();
});

async function stub(behaviour: StubBehaviour): Promise<string> {
  const gateway = await startStub(behaviour);
  closers.push(() => gateway.close());
  return gateway.url;
}

function optionsFor(url: string, more: Partial<LoadOptions> = {}): LoadOptions {
  return {
    target: { kind: 'url', url },
    profile: { kind: 'hold', calls: 5, holdMs: 1_500 },
    length: undefined,
    rampPerSecond: 50,
    scenarios: new Map<ScenarioName, number>([['conversation', 1]]),
    format: 'mulaw8',
    wavPath: undefined,
    accountId: 'MATEST',
    extraHeaders: '',
    insecure: false,
    authToken: undefined,
    isEcho: true,
    threads: 2,
    seed: 1,
    thresholds: [],
    apiPort: undefined,
    serverPid: undefined,
    ...more,
  };
}

async function load(options: LoadOptions, interruptAfterMs?: number): Promise<LoadReport> {
  const { LoadRun } = (await import(
    pathToFileURL(built).href
  )) as typeof import('../../../load/run/run.js');
  const run = await LoadRun.start(options);
  if (interruptAfterMs !== undefined) setTimeout(() => run.interrupt(), interruptAfterMs);
  return run.finish();
}

/** A server of bytes: what it does with a connection and its first bytes. */
async function raw(serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/stream`;
}

describe.skipIf(!existsSync(built))('a load run', () => {
  it('holds the calls for as long as it is asked, loses none, and reports every second', async () => {
    const thresholds = ['lost==0', 'turnaround_p99<5s'].map(parseThreshold);
    const report = await load(optionsFor(await stub(echo()), { thresholds }));
    const [stage] = report.stages;
    expect(stage?.counters).toMatchObject({ dialled: 5, connected: 5, failed: 0, lost: 0 });
    expect(stage?.counters.sent).toBeGreaterThan(5 * 50 * 3);
    expect(stage?.counters.returned).toBe(stage?.counters.sent);
    expect(stage?.scenarios).toEqual({
      conversation: expect.objectContaining({ calls: 5, unexpected: 0, ends: { completed: 5 } }),
    });
    expect(report.seconds.some(({ live }) => live === 5)).toBe(true);
    expect(stage?.thresholds.map(({ holds }) => holds)).toEqual([true, true]);
    expect(exitCodeOf({ ...report, stages: [{ ...stage!, void: [] }] })).toBe(0);
  });

  it('takes JSON with blanks for what it is', async () => {
    const spaced = (payload: string) =>
      `{"event": "playAudio", "media": {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": "${payload}"}}`;
    const url = await stub({
      message: ({ socket }, { media }) => {
        if (media !== undefined) socket.send(spaced(media.payload));
      },
    });
    const [stage] = (await load(optionsFor(url))).stages;
    expect(stage?.counters.lost).toBe(0);
    expect(stage?.counters.received).toBe(stage?.counters.sent);
  });

  it('hears nothing in messages that Plivo would not play', async () => {
    const url = await stub({
      message: (stream, { media }) => {
        if (media !== undefined) stream.send({ event: 'media', media: { payload: media.payload } });
      },
    });
    const [stage] = (await load(optionsFor(url))).stages;
    expect(stage?.counters.received).toBe(0);
    expect(stage?.counters.lost).toBe(stage?.counters.sent);
  });

  it('times what is never answered at no less than the time it was waited for', async () => {
    const thresholds = [parseThreshold('turnaround_p99<1s')];
    const report = await load(optionsFor(await stub({}), { thresholds }));
    const [stage] = report.stages;
    expect(stage?.counters.lost).toBe(stage?.counters.sent);
    expect(stage?.distributions.turnaround.p50).toBeGreaterThan(2_000);
    expect(stage?.thresholds[0]?.holds).toBe(false);
  });

  it('shows a stall across the end of the run', async () => {
    let frozenUntil = 0;
    const began = performance.now();
    const url = await stub({
      message: (stream, { media }) => {
        if (media === undefined) return;
        const nowMs = performance.now();
        // It freezes for 1.5 s shortly before the callers hang up.
        if (frozenUntil === 0 && nowMs - began > 3_300) frozenUntil = nowMs + 1_500;
        const answer = () => stream.send(playAudio(media.payload));
        if (nowMs < frozenUntil) setTimeout(answer, frozenUntil - nowMs);
        else answer();
      },
    });
    const [stage] = (
      await load(optionsFor(url, { profile: { kind: 'hold', calls: 2, holdMs: 2_000 } }))
    ).stages;
    expect(stage?.counters.lost).toBe(0);
    expect(stage?.distributions.turnaround.max).toBeGreaterThan(1_000);
  });

  it('waits for the answer of an application that speaks by itself, and times it whole', async () => {
    const url = await stub({
      opened: (stream) => {
        let heard = 0;
        const sound = playAudio(Buffer.alloc(160, 0x10).toString('base64'));
        stream.socket.on('message', (data) => {
          if (!String(data).includes('"media"')) return;
          heard += 1;
          // The first turn is 35 packets long.
          if (heard === 36) setTimeout(() => stream.send(sound), 1_200);
        });
      },
    });
    const profile = { kind: 'hold', calls: 2, holdMs: 4_000 } as const;
    const [stage] = (await load(optionsFor(url, { profile, isEcho: false }))).stages;
    expect(stage?.counters.answered).toBe(2);
    expect(stage?.distributions.response.p50).toBeGreaterThan(1_150);
    expect(stage?.distributions.response.max).toBeLessThan(1_600);
  });

  it('does not call a step good that was cut short', async () => {
    const profile = { kind: 'steps', calls: [1, 2, 3], holdMs: 1_000 } as const;
    const thresholds = [parseThreshold('unexpected==0')];
    const report = await load(optionsFor(await stub(echo()), { profile, thresholds }), 1_500);
    expect(report.stages.length).toBe(1);
    expect(report.isInterrupted).toBe(true);
    expect(report.lastGood).toBe(0);
  });

  it('dials also when there is less than one call a second', async () => {
    const options = optionsFor(await stub(echo()), { rampPerSecond: 0.9 });
    const [stage] = (await load({ ...options, profile: { kind: 'hold', calls: 2, holdMs: 100 } }))
      .stages;
    expect(stage?.counters.connected).toBe(2);
  });

  it('exits 99 when a threshold fails', async () => {
    const thresholds = [parseThreshold('turnaround_p50<0.001ms')];
    expect(exitCodeOf(await load(optionsFor(await stub(echo()), { thresholds })))).toBe(99);
  });

  it('stops at the first step that breaks an objective, and names the last good one', async (context) => {
    let open = 0;
    const url = await stub({
      opened: ({ socket }) => {
        open += 1;
        // No more than four at the same time.
        if (open > 4) socket.close(1013);
        socket.on('close', () => {
          open -= 1;
        });
      },
      ...echo(),
    });
    const profile = { kind: 'steps', calls: [2, 6, 8], holdMs: 700 } as const;
    const thresholds = [parseThreshold('unexpected==0')];
    const report = await load(optionsFor(url, { profile, thresholds }));
    // A generator that came late itself says nothing of the server, and goes no further.
    if (report.stages[0]!.void.length > 0) return context.skip('this machine is too busy');
    expect(report.stages.map(({ calls }) => calls)).toEqual([2, 6]);
    expect(report.lastGood).toBe(2);
    expect(report.stages[1]?.troubles).toHaveProperty(
      'server-closed: the server closed with code 1013',
    );
  }, 40_000);

  it('makes calls by chance at a rate, each as long as it is to be', async () => {
    const profile = { kind: 'arrivals', perSecond: 20, holdMs: 2_500 } as const;
    const length = { kind: 'fixed', ms: 500 } as const;
    const report = await load(optionsFor(await stub(echo()), { profile, length }));
    const { dialled, connected } = report.stages[0]!.counters;
    expect(dialled).toBeGreaterThan(20);
    expect(dialled).toBeLessThan(90);
    expect(connected).toBe(dialled);
    expect(Math.max(...report.seconds.map(({ live }) => live))).toBeLessThan(30);
  });

  it('ends its calls in order when it is interrupted, and still reports', async () => {
    const codes: number[] = [];
    const url = await stub({
      opened: ({ socket }) => socket.on('close', (code) => codes.push(code)),
      ...echo(),
    });
    const profile = { kind: 'hold', calls: 5, holdMs: 60_000 } as const;
    const report = await load(optionsFor(url, { profile }), 1_500);
    expect(report.isInterrupted).toBe(true);
    expect(report.stages[0]?.scenarios.conversation?.ends).toEqual({ completed: 5 });
    expect(codes).toEqual([1000, 1000, 1000, 1000, 1000]);
  });

  it('counts an application that speaks by itself by its responses', async () => {
    const tone = playAudio(Buffer.alloc(160, 0x31).toString('base64'));
    const url = await stub({
      message: (stream, { event }) => {
        if (event === 'media' && Math.random() < 0.5) stream.send(tone);
      },
    });
    const report = await load(optionsFor(url, { isEcho: false }));
    const [stage] = report.stages;
    expect(stage?.counters).toMatchObject({ lost: 0, returned: 0 });
    expect(stage?.counters.answered).toBeGreaterThan(0);
    expect(stage?.distributions.turnaround.count).toBe(0);
    expect(stage?.distributions.response.count).toBeGreaterThan(0);
  });

  describe.concurrent('against a server that is none', () => {
    const hold = { kind: 'hold', calls: 3, holdMs: 500 } as const;
    it.each([
      ['is not there', async () => 'ws://127.0.0.1:9/stream', /^connect failed: refused$/],
      [
        'answers 503',
        () => raw((socket) => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n')),
        /^connect failed: HTTP 503$/,
      ],
      [
        'closes at once',
        () => raw((socket) => socket.destroy()),
        /^connect failed: (reset|closed at once)$/,
      ],
      [
        'sends garbage',
        () => raw((socket) => socket.write('\u0000\u0001 nothing\r\n\r\n')),
        /^connect failed: garbage$/,
      ],
      [
        'upgrades with a wrong key',
        () =>
          raw((socket) =>
            socket.write('HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n'),
          ),
        /^connect failed: garbage$/,
      ],
      ['says nothing', () => raw(() => {}), /^connect failed: timeout$|^completed/],
    ])(
      '%s: says so by kind, and exits 1',
      async (_, open, kind) => {
        const report = await load(optionsFor(await open(), { profile: hold, rampPerSecond: 20 }));
        const [stage] = report.stages;
        expect(stage?.counters.connected).toBe(0);
        for (const trouble of Object.keys(stage?.troubles ?? {})) expect(trouble).toMatch(kind);
        expect(exitCodeOf(report)).toBe(1);
      },
      40_000,
    );

    it('closes after the upgrade, or speaks nonsense then', async () => {
      const url = await stub({ opened: ({ socket }) => socket.close(1011) });
      const closed = await load(optionsFor(url, { profile: hold }));
      expect(Object.keys(closed.stages[0]!.troubles)).toEqual([
        'server-closed: the server closed with code 1011',
      ]);
      const nonsense = await stub({
        message: ({ socket }, { event }) => {
          if (event === 'media') socket.send('no JSON at all');
        },
      });
      const report = await load(optionsFor(nonsense, { profile: hold }));
      expect(report.violations.map(({ name }) => name)).toEqual(['not-json']);
      expect(report.stages[0]?.counters.lost).toBeGreaterThan(0);
    }, 40_000);
  });

  it('begins calls with a signed answer webhook, and tells of stream and hang-up', async () => {
    const token = 'token-of-the-test';
    const told: { path: string; fields: URLSearchParams; isSigned: boolean }[] = [];
    const gateway = await startStub(echo());
    closers.push(() => gateway.close());
    const server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        const fields = new URLSearchParams(body);
        const url = `${base}${request.url}`;
        const isSigned = verifyV3({
          ...{ method: 'POST', url, params: [...fields], tokens: [token] },
          headers: request.headers as Record<string, string>,
        });
        told.push({ path: request.url ?? '', fields, isSigned });
        response.setHeader('content-type', 'application/xml');
        response.end(
          `<Response><Stream bidirectional="true" contentType="audio/x-mulaw;rate=8000" ` +
            `extraHeaders="a=b" statusCallbackUrl="${base}/status">${gateway.url}</Stream></Response>`,
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    closers.push(() => server.close());
    const report = await load(
      optionsFor('', {
        target: {
          kind: 'answer',
          answerUrl: `${base}/answer?run=7`,
          hangupUrl: `${base}/hangup`,
        },
        authToken: token,
        profile: { kind: 'hold', calls: 2, holdMs: 500 },
      }),
    );
    expect(report.stages[0]?.counters).toMatchObject({ dialled: 2, connected: 2, lost: 0 });
    expect(told.every(({ isSigned }) => isSigned)).toBe(true);
    const events = (path: string): (string | null)[] =>
      told.filter((one) => one.path === path).map(({ fields }) => fields.get('Event'));
    expect(events('/answer?run=7')).toEqual(['StartApp', 'StartApp']);
    expect(events('/status').toSorted()).toEqual([
      ...['StartStream', 'StartStream', 'StopStream', 'StopStream'],
    ]);
    expect(events('/hangup')).toEqual(['Hangup', 'Hangup']);
    const calls = new Set(told.map(({ fields }) => fields.get('CallUUID')));
    expect(calls.size).toBe(2);
    expect(gateway.streams.map((stream) => isSignedUpgrade(gateway, stream, token))).toEqual([
      ...[true, true],
    ]);
  });
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const piece of request) body += String(piece);
  return body;
}
