import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AnswerOptions, type CallOptions, call } from '../../load/call.js';
import { callCommand, runCall } from '../../load/call-command.js';
import { isGood } from '../../load/call-summary.js';
import { PlivoApi } from '../../load/plivo-api.js';
import { readAnswer } from '../../load/round/answer-document.js';
import { WebhookSender } from '../../load/round/webhook-sender.js';
import { shownUrl } from '../../load/shown-url.js';
import { ViolationLog } from '../../load/violations.js';
import { writeWav } from '../../src/codec/wav.js';
import { nonceHeader } from '../../src/plivo/signature.js';
import {
  type AnswerServer,
  type Replies,
  type Reply,
  startAnswerServer,
  token,
} from './answer-server.js';
import {
  echo,
  isSignedUpgrade,
  type StubBehaviour,
  type StubGateway,
  startStub,
} from './stub-gateway.js';

const closers: (() => Promise<unknown>)[] = [];
let wavPath = '';

/** A caller with half a second of a rising tone. */
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-answer-'));
  closers.push(() => rm(folder, { recursive: true }));
  wavPath = join(folder, 'short.wav');
  const samples = Int16Array.from({ length: 4_000 }, (_, i) =>
    Math.round(12_000 * Math.sin(2 * Math.PI * (0.05 + i / 80_000) * i)),
  );
  await writeWav(wavPath, { rateHz: 8_000, samples });
});

/** Tests run side by side, so all is closed at the end. */
afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function stub(behaviour: StubBehaviour = echo()): Promise<StubGateway> {
  const gateway = await startStub(behaviour);
  closers.push(() => gateway.close());
  return gateway;
}

async function application(replies: Replies): Promise<AnswerServer> {
  const server = await startAnswerServer(replies);
  closers.push(() => server.close());
  return server;
}

const xml = (inside: string): Reply => ({ body: `<Response>${inside}</Response>` });
const usual = 'bidirectional="true" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000"';
const stream = (url: string, more = ''): string => `<Stream ${usual} ${more}>${url}</Stream>`;

async function callBy(
  server: AnswerServer,
  answer: Partial<AnswerOptions> = {},
  more: CallOptions = {},
) {
  const url = `${server.url}/answer`;
  return call({ wavPath, apiPort: 0, authToken: token, answer: { url, ...answer }, ...more });
}

const names = (summary: { violations: readonly { name: string }[] }) =>
  summary.violations.map(({ name }) => name);
const elements = (summary: Awaited<ReturnType<typeof call>>, afterStream: boolean) =>
  summary.round?.ran.filter((one) => one.afterStream === afterStream).map(({ element }) => element);

/** A gateway that closes each stream as soon as it has started. */
const leaves: StubBehaviour = {
  message: ({ socket }, { event }) => event === 'start' && socket.close(1000),
};

describe.concurrent('a call by its answer URL', () => {
  it('goes the whole round in order, everything signed with both headers', async () => {
    const gateway = await stub(echo('audio/x-l16', 16_000));
    const server: AnswerServer = await application({
      '/voice/answer': () =>
        xml(
          '<Stream bidirectional="true" keepCallAlive="true" contentType="audio/x-l16;rate=16000" ' +
            `statusCallbackUrl="${server.url}/status?a=1&amp;b=2" extraHeaders="tenant=acme,plan=gold">` +
            `\n  ${gateway.url}?run=7&amp;leg=a%20b\n</Stream>`,
        ),
    });
    const summary = await callBy(
      server,
      {
        url: `${server.url}/voice/answer?tenant=acme#rc=2`,
        sipHeaders: [['X-PH-tenant', 'acme']],
      },
      { from: '+15550001111', to: '+15550002222', accountId: 'MATEST' },
    );
    expect(summary.violations).toEqual([]);
    expect(isGood(summary)).toBe(true);
    expect(summary).toMatchObject({ endReason: 'caller-hangup', format: 'l16-16', echoSnrDb: 120 });
    expect(server.told.map(({ method, path }) => `${method} ${path}`)).toEqual([
      ...['POST /voice/answer', 'POST /status', 'POST /status', 'POST /voice/hangup'],
    ]);
    expect(server.told.map(({ fields }) => fields.get('Event'))).toEqual([
      ...['StartApp', 'StartStream', 'StopStream', 'Hangup'],
    ]);
    for (const { signedBy } of server.told) {
      expect(signedBy).toEqual(['x-plivo-signature-v3', 'x-plivo-signature-ma-v3']);
    }
    const [asked, started, , ended] = server.told.map(({ fields }) => Object.fromEntries(fields));
    const facts = {
      ...{ CallUUID: summary.callId, From: '+15550001111', To: '+15550002222' },
      ...{ Direction: 'inbound', ParentAuthID: 'MATEST' },
    };
    expect(asked).toMatchObject({
      ...facts,
      CallStatus: 'in-progress',
      'SIP-H-X-PH-tenant': 'acme',
    });
    expect(asked?.RequestUUID).toMatch(/^[0-9a-f-]{36}$/);
    expect(started).toMatchObject({ ...facts, StreamID: summary.streamId });
    expect(started?.Timestamp).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    expect(started?.ServiceURL).toBe(`${gateway.url}?run=7&leg=a%20b`);
    expect(ended).toMatchObject({
      ...{ ...facts, CallStatus: 'completed', HangupCause: 'NORMAL_CLEARING' },
      ...{ HangupCauseName: 'Normal Hangup', HangupSource: 'Caller' },
    });
    expect(Number(ended?.Duration)).toBeGreaterThanOrEqual(Math.round(summary.seconds));
    expect(Number(ended?.Duration)).toBeLessThan(summary.seconds + 5);
    const [opened] = gateway.streams;
    expect(opened?.url).toBe('/stream?run=7&leg=a%20b');
    expect(isSignedUpgrade(gateway, opened!, token)).toBe(true);
    expect(opened?.messages[0]).toMatchObject({
      start: { callId: summary.callId, accountId: 'MATEST' },
      extra_headers: 'tenant=acme,plan=gold',
    });
    expect(summary.round).toMatchObject({
      answer: { status: 200, tries: 1 },
      streams: [{ endReason: 'caller-hangup', tries: 1 }],
      callbacks: [
        { what: 'StartStream', status: 200 },
        { what: 'StopStream', status: 200 },
      ],
      hangup: { status: 200 },
      notes: [],
    });
    expect(summary.round?.answer.ms).toBeGreaterThan(0);
  });

  it('puts the fields of a GET into the query, and signs them there', async () => {
    const gateway = await stub();
    const server: AnswerServer = await application({
      '/answer': () =>
        xml(
          stream(
            gateway.url,
            `statusCallbackUrl="${server.url}/status" statusCallbackMethod="GET"`,
          ),
        ),
    });
    const url = `${server.url}/answer?run=7`;
    const summary = await callBy(server, { url, method: 'GET', direction: 'outbound' });
    expect(isGood(summary)).toBe(true);
    const [asked] = server.told;
    expect(asked).toMatchObject({ method: 'GET', path: '/answer' });
    expect(asked?.fields.get('run')).toBe('7');
    expect(asked?.fields.get('Direction')).toBe('outbound');
    expect(server.told.map(({ method }) => method)).toEqual(['GET', 'GET', 'GET', 'POST']);
    expect(server.told.every(({ signedBy }) => signedBy.length === 2)).toBe(true);
    expect(server.told.at(-1)?.fields.get('HangupSource')).toBe('Callee');
  });

  it('signs nothing without a token', async () => {
    const server = await application({ '/answer': () => xml('<Hangup/>') });
    await call({ wavPath, apiPort: 0, answer: { url: `${server.url}/answer` } });
    expect(server.told.map(({ signedBy }) => signedBy)).toEqual([[], []]);
  });

  it('announces the format it is told, and says that the answer asks for another', async () => {
    const gateway = await stub(echo('audio/x-l16', 8_000));
    const server = await application({ '/answer': () => xml(stream(gateway.url)) });
    const summary = await callBy(server, {}, { format: 'l16-8' });
    expect(isGood(summary)).toBe(true);
    expect(summary.format).toBe('l16-8');
    expect(summary.round?.notes).toEqual([
      'the stream is l16-8 as told, not mulaw8 as its contentType says',
    ]);
  });
});

describe.concurrent('an answer that Plivo would not take', () => {
  it('is reported when it is not well-formed, and the call ends', async () => {
    const server = await application({
      '/answer': () => xml('<Stream>ws://127.0.0.1:9/stream?a=1&b=2</Stream>'),
    });
    const summary = await callBy(server);
    expect(names(summary)).toEqual(['answer-not-well-formed']);
    expect(summary).toMatchObject({ endReason: 'no-stream', streamId: '', mediaSent: 0 });
    expect(isGood(summary)).toBe(false);
    expect(server.told.at(-1)?.fields.get('HangupCauseCode')).toBe('8011');
  });

  it('is reported when its content type is wrong, and run all the same', async () => {
    const gateway = await stub();
    const server = await application({
      '/answer': () => ({ ...xml(stream(gateway.url)), type: 'text/html; charset=utf-8' }),
    });
    const summary = await callBy(server);
    expect(names(summary)).toEqual(['answer-content-type-wrong']);
    expect(gateway.streams).toHaveLength(1);
    expect(isGood(summary)).toBe(false);
  });

  it('is asked for once more after a 5xx, and not a third time', async () => {
    const gateway = await stub();
    const once = await application({
      '/answer': (_told, count) => (count === 1 ? { status: 503 } : xml(stream(gateway.url))),
    });
    const summary = await callBy(once);
    expect(isGood(summary)).toBe(true);
    expect(summary.round?.answer).toMatchObject({ status: 200, tries: 2 });
    const always = await application({ '/answer': () => ({ status: 500 }) });
    const failed = await callBy(always);
    expect(failed.round?.answer).toMatchObject({ status: 500, tries: 2 });
    expect(names(failed)).toEqual(['webhook-refused']);
    expect(always.events('/answer')).toHaveLength(2);
    expect(always.told.at(-1)?.fields.get('HangupCauseCode')).toBe('7011');
  });

  it('is not asked for again after a 404', async () => {
    const server = await application({ '/answer': () => ({ status: 404 }) });
    expect(names(await callBy(server))).toEqual(['webhook-refused']);
    expect(server.events('/answer')).toHaveLength(1);
  });

  it('is waited for no longer than the time-out, twice', async () => {
    const server = await application({ '/answer': () => 'never' });
    const sender = new WebhookSender({ timeoutMs: 100 });
    const answer = await sender.send('POST', `${server.url}/answer`, [['a', 'b']]);
    await sender.close();
    expect(answer).toMatchObject({ status: null, problem: 'no answer within 0.1 s', tries: 2 });
    expect(server.told).toHaveLength(2);
  });

  it('is no reason to wait when nobody listens', async () => {
    const server = await startAnswerServer({});
    await server.close();
    const summary = await callBy(server);
    expect(names(summary)).toEqual(['webhook-unanswered']);
    expect(summary.round?.answer).toMatchObject({ status: null, problem: 'ECONNREFUSED' });
    expect(summary.round?.hangup.status).toBeNull();
  });
});

describe.concurrent('an answer without a stream', () => {
  it('is over with its <Hangup>, and what stands behind that is not run', async () => {
    const server = await application({
      '/answer': () => xml('<Hangup reason="busy"/><Speak>nobody hears this</Speak>'),
    });
    const summary = await callBy(server);
    expect(summary.endReason).toBe('no-stream');
    expect(summary.violations).toEqual([]);
    expect(summary.round?.ran).toEqual([
      { element: 'Hangup', detail: 'reason="busy"', afterStream: false },
    ]);
    expect(isGood(summary)).toBe(false);
    expect(server.told.at(-1)?.fields.get('HangupSource')).toBe('Answer XML');
  });

  it('is over after its <Speak>, for want of more', async () => {
    const server = await application({ '/answer': () => xml('<Speak>Nobody is here.</Speak>') });
    const summary = await callBy(server);
    expect(summary.endReason).toBe('no-stream');
    expect(elements(summary, false)).toEqual(['Speak']);
    expect(summary.round?.notes).toEqual(['<Speak> is passed over: streams alone are simulated']);
    expect(server.told.at(-1)?.fields.get('HangupCauseName')).toBe('End Of XML Instructions');
  });

  it('is over with its <Dial>', async () => {
    const dial = '<Dial><Number>15550003333</Number></Dial>';
    const server = await application({ '/answer': () => xml(`${dial}<Speak>later</Speak>`) });
    expect(elements(await callBy(server), false)).toEqual(['Dial']);
  });

  it('is followed from document to document, not for ever', async () => {
    const server: AnswerServer = await application({
      '/answer': () => xml(`<Redirect>${server.url}/answer</Redirect>`),
    });
    const summary = await callBy(server);
    expect(names(summary)).toEqual(['xml-redirects-too-many']);
    expect(server.events('/answer')).toEqual(['StartApp', ...Array(5).fill('Redirect')]);
  });
});

describe.concurrent('a stream of an answer', () => {
  it('is tried twice more when it does not connect, each time with a nonce of its own', async () => {
    const nonces: (string | undefined)[] = [];
    const gateway = await stub({
      ...echo(),
      admits: (headers) => nonces.push(headers[nonceHeader]) > 2,
    });
    const server: AnswerServer = await application({
      '/answer': () => xml(stream(gateway.url, `statusCallbackUrl="${server.url}/status"`)),
    });
    const summary = await callBy(server);
    expect(summary.violations).toEqual([]);
    expect(isGood(summary)).toBe(true);
    expect(summary.round?.streams).toMatchObject([{ tries: 3, endReason: 'caller-hangup' }]);
    expect(new Set(nonces).size).toBe(3);
    expect(server.events('/status')).toEqual(['StartStream', 'StopStream']);
  });

  it('is dropped when it does not connect three times, and the XML behind it is run', async () => {
    let upgrades = 0;
    const gateway = await stub({
      admits: () => {
        upgrades += 1;
        return false;
      },
    });
    const server: AnswerServer = await application({
      '/answer': () =>
        xml(`${stream(gateway.url, `statusCallbackUrl="${server.url}/status"`)}<Hangup/>`),
    });
    const summary = await callBy(server);
    expect(upgrades).toBe(3);
    expect(summary.endReason).toBe('connect-failed');
    expect(isGood(summary)).toBe(false);
    expect(server.events('/status')).toEqual(['DroppedStream']);
    expect(server.told[1]?.fields.get('Error')).toMatch(/refused the upgrade with HTTP 401/);
    expect(elements(summary, true)).toEqual(['Hangup']);
  });

  it('is dropped when it breaks', async () => {
    const gateway = await stub({
      message: ({ socket }, { event }) => event === 'start' && socket.terminate(),
    });
    const server: AnswerServer = await application({
      '/answer': () => xml(stream(gateway.url, `statusCallbackUrl="${server.url}/status"`)),
    });
    const summary = await callBy(server);
    expect(summary.endReason).toBe('dropped');
    expect(server.events('/status')).toEqual(['StartStream', 'DroppedStream']);
  });

  it('is followed by the rest of the XML when the gateway closes it', async () => {
    const gateway = await stub(leaves);
    const server: AnswerServer = await application({
      '/answer': () =>
        xml(`<Speak>Hi</Speak>${stream(gateway.url)}<Redirect>${server.url}/next</Redirect>`),
      '/next': () => xml('<Speak>Bye</Speak><Hangup/>'),
    });
    const summary = await callBy(server);
    expect(isGood(summary)).toBe(true);
    expect(summary.endReason).toBe('gateway-closed');
    expect(elements(summary, false)).toEqual(['Speak', 'Stream']);
    expect(elements(summary, true)).toEqual(['Redirect', 'Speak', 'Hangup']);
    const next = server.told.find(({ path }) => path === '/next');
    expect(next).toMatchObject({ method: 'POST', signedBy: { length: 2 } });
    expect(next?.fields.get('Event')).toBe('Redirect');
    expect(next?.fields.get('CallUUID')).toBe(summary.callId);
    expect(summary.round?.documents).toMatchObject([{ what: 'redirect', status: 200 }]);
  });

  it('ends at its streamTimeout, in order, and the XML goes on', async () => {
    const gateway = await stub();
    const server: AnswerServer = await application({
      '/answer': () => {
        const more = `streamTimeout="1" statusCallbackUrl="${server.url}/status"`;
        return xml(`${stream(gateway.url, more)}<Hangup/>`);
      },
    });
    // Without the time-out the caller would hang up after 3.5 s.
    const summary = await callBy(server, {}, { dtmf: '1', dtmfAtMs: 3_000 });
    expect(summary).toMatchObject({ endReason: 'stream-timeout', closeCode: 1000 });
    expect(summary.seconds).toBeGreaterThanOrEqual(1);
    expect(summary.seconds).toBeLessThan(2.5);
    expect(isGood(summary)).toBe(true);
    expect(server.events('/status')).toEqual(['StartStream', 'StopStream']);
    expect(elements(summary, true)).toEqual(['Hangup']);
  });

  it('is silent for the caller if it is not bidirectional', async () => {
    const gateway = await stub();
    const server = await application({
      '/answer': () =>
        xml(
          `<Stream keepCallAlive="true" contentType="audio/x-mulaw;rate=8000">${gateway.url}</Stream>`,
        ),
    });
    const summary = await callBy(server);
    expect(names(summary)).toEqual(['one-way-stream']);
    expect(summary.playAudioReceived).toBe(0);
    expect(summary.round?.notes).toHaveLength(1);
  });

  it('judges every stream of a call, not the last alone', async () => {
    const refusing = await stub({ admits: () => false });
    const gateway = await stub();
    const server = await application({
      '/answer': () => xml(stream(refusing.url) + stream(gateway.url)),
    });
    const summary = await callBy(server);
    expect(summary.endReason).toBe('caller-hangup');
    expect(summary.round?.streams.map(({ endReason }) => endReason)).toEqual([
      ...['connect-failed', 'caller-hangup'],
    ]);
    expect(isGood(summary)).toBe(false);
  });
});

describe.concurrent('a request to the REST API', () => {
  const authorization = `Basic ${Buffer.from(`MATEST:${token}`).toString('base64')}`;

  async function openApi(): Promise<PlivoApi> {
    const api = new PlivoApi({ authId: 'MATEST', authToken: token });
    await api.listen(0);
    closers.push(() => api.close());
    return api;
  }

  it('that transfers the call has its document run when the stream has ended, in place of the rest', async () => {
    const api = await openApi();
    const gateway = await stub({
      async message({ socket }, { start }) {
        if (start === undefined) return;
        const body = JSON.stringify({ legs: 'aleg', aleg_url: `${server.url}/other` });
        const url = `${api.url}/v1/Account/MATEST/Call/${start.callId}/`;
        await fetch(url, { method: 'POST', headers: { authorization }, body });
        expect(server.events('/other')).toEqual([]);
        socket.close(1000);
      },
    });
    const server: AnswerServer = await application({
      '/answer': () => xml(`${stream(gateway.url)}<Hangup/>`),
      '/other': () => xml('<Dial><Number>15550003333</Number></Dial>'),
    });
    const summary = await callBy(server, {}, { api });
    expect(isGood(summary)).toBe(true);
    expect(summary.transferredTo).toBe(`${server.url}/other`);
    expect(elements(summary, true)).toEqual(['Dial']);
    const other = server.told.find(({ path }) => path === '/other');
    expect(other).toMatchObject({ method: 'POST', signedBy: { length: 2 } });
    expect(summary.round?.documents).toMatchObject([{ what: 'transfer', status: 200 }]);
  });

  it('that hangs up ends the call, and the XML with it', async () => {
    const api = await openApi();
    const gateway = await stub({
      async message(_stream, { start }) {
        if (start === undefined) return;
        const url = `${api.url}/v1/Account/MATEST/Call/${start.callId}/`;
        await fetch(url, { method: 'DELETE', headers: { authorization } });
      },
    });
    const server = await application({
      '/answer': () => xml(`${stream(gateway.url)}<Speak>too late</Speak>`),
    });
    const summary = await callBy(server, {}, { api });
    expect(summary).toMatchObject({ endReason: 'gateway-hangup', violations: [] });
    expect(elements(summary, true)).toEqual([]);
    expect(server.told.at(-1)?.fields.get('HangupSource')).toBe('API Request');
  });
});

describe.concurrent('the hang-up webhook', () => {
  it('makes the call a bad one when it is refused', async () => {
    const gateway = await stub();
    const server = await application({
      '/answer': () => xml(stream(gateway.url)),
      '/hangup': () => ({ status: 403 }),
    });
    const summary = await callBy(server);
    expect(summary.round?.hangup).toMatchObject({ status: 403, tries: 1 });
    expect(names(summary)).toEqual(['webhook-refused']);
    expect(isGood(summary)).toBe(false);
  });

  it('goes where it is told to go', async () => {
    const server = await application({ '/answer': () => xml('<Hangup/>') });
    await callBy(server, { hangupUrl: `${server.url}/over?run=7` });
    expect(server.told.map(({ path }) => path)).toEqual(['/answer', '/over']);
  });
});

describe('an answer document', () => {
  function judge(inside: string) {
    const log = new ViolationLog();
    const notes: string[] = [];
    const { body = '' } = xml(inside);
    const answer = { status: 200, problem: null, contentType: 'text/xml', ms: 1, tries: 1 };
    const read = readAnswer(
      { ...answer, body: Buffer.from(inside.startsWith('whole:') ? inside.slice(6) : body) },
      {
        violation: (name, detail) => log.record(name, detail),
        note: (text) => notes.push(text),
      },
    );
    return { read, notes, violations: log.list() };
  }

  it('has nothing wrong with it if it is as the protocol says', () => {
    const { read, notes, violations } = judge(
      '<Stream bidirectional="true" audioTrack="inbound" streamTimeout="60" keepCallAlive="true" ' +
        'contentType="audio/x-l16;rate=24000" statusCallbackUrl="https://h/s" statusCallbackMethod="GET" ' +
        `extraHeaders="${'x'.repeat(508)}=abc" noiseCancellation="true" noiseCancellationLevel="100">` +
        `wss://h/${'x'.repeat(2_040)}</Stream>`,
    );
    expect({ notes, violations }).toEqual({ notes: [], violations: [] });
    expect(read).toMatchObject([
      { kind: 'stream', stream: { format: 'l16-24', timeoutMs: 60_000, statusMethod: 'GET' } },
    ]);
  });

  it.each([
    [stream('wss://h/s', 'url="wss://h"'), 'stream-attribute-unknown'],
    [stream('wss://h/s').replace('"true"', '"yes"'), 'stream-attribute-wrong'],
    [stream('wss://h/s', 'statusCallbackUrl="h/s"'), 'stream-attribute-wrong'],
    [stream('wss://h/s', 'statusCallbackMethod="PUT"'), 'stream-attribute-wrong'],
    [stream('wss://h/s', 'audioTrack="both"'), 'stream-track-forbidden'],
    [stream('wss://h/s', 'streamTimeout="0"'), 'stream-timeout-wrong'],
    [stream('wss://h/s', 'streamTimeout="1.5"'), 'stream-timeout-wrong'],
    [stream('wss://h/s', `extraHeaders="a=${'é'.repeat(256)}"`), 'stream-extra-headers-too-long'],
    [stream('wss://h/s', 'noiseCancellationLevel="59"'), 'stream-noise-level-wrong'],
    [stream('wss://h/s', 'noiseCancellationLevel="101"'), 'stream-noise-level-wrong'],
    [stream('wss://h/s').replace('rate=8000', 'rate=16000'), 'stream-content-type-unknown'],
    [stream('https://h/s'), 'stream-url-wrong'],
    [stream(`wss://h/${'x'.repeat(2_041)}`), 'stream-url-too-long'],
    ['<Redirect>/next</Redirect>', 'xml-redirect-url-wrong'],
    ['<stream>wss://h/s</stream>', 'xml-element-unknown'],
    ['', 'answer-empty'],
    ['<Speak>a<Speak>', 'answer-not-well-formed'],
    ['<Stream a=b>wss://h/s</Stream>', 'answer-not-well-formed'],
    ['whole:', 'answer-not-well-formed'],
    ['whole:<Response/><Response/>', 'answer-not-well-formed'],
    ['whole:<html/>', 'answer-root-wrong'],
    [`<Speak>${'x'.repeat(102_400)}</Speak>`, 'answer-too-large'],
  ])('is judged: %.60s', (inside, name) => {
    expect(judge(inside).violations.map((one) => one.name)).toEqual([name]);
  });

  it('is better with keepCallAlive and a contentType', () => {
    const { notes, violations } = judge('<Stream bidirectional="true">wss://h/s</Stream>');
    expect(violations).toEqual([]);
    expect(notes).toEqual([
      expect.stringMatching(/keepCallAlive is not true/),
      expect.stringMatching(/contentType is missing/),
    ]);
  });
});

describe('the command', () => {
  it('prints the round, and of a token in a stream URL no more than eight characters', async () => {
    const secret = 'abcdefghijklmnopqrstuvwxyz';
    const gateway = await stub();
    const server = await application({
      '/answer': () => xml(stream(`${gateway.url}/${secret}?run=7`)),
    });
    const printed = { stdout: '', stderr: '' };
    const to = {
      stdout: { write: (text: string) => (printed.stdout += text) },
      stderr: { write: (text: string) => (printed.stderr += text) },
    };
    const options = { wavPath, apiPort: 0, answer: { url: `${server.url}/answer` } };
    expect(await runCall(options, to)).toBe(0);
    expect(printed.stdout).toMatch(/^answer {6}POST http:.*\/answer: HTTP 200 in [\d.]+ ms$/m);
    expect(printed.stdout).toMatch(/^ran {9}Stream$/m);
    expect(printed.stdout).toMatch(/^stream {6}ws:.*\/stream\/abcdefgh…\?run=7: caller-hangup$/m);
    expect(printed.stdout).toMatch(/^hang-up {5}http:.*\/hangup: HTTP 200 in [\d.]+ ms$/m);
    expect(printed.stderr).toMatch(/^calling ws:.*\/stream\/abcdefgh…\?run=7;/);
    expect(await runCall({ ...options, json: true }, to)).toBe(0);
    await gateway.close();
    expect(await runCall(options, to)).toBe(1);
    expect(printed.stdout).toMatch(/cannot connect to ws:.*abcdefgh…/);
    expect(printed.stdout + printed.stderr).not.toContain(secret.slice(0, 9));
    expect(gateway.streams[0]?.url).toBe(`/stream/${secret}?run=7`);
  });

  it.each([
    [['--hangup-url', 'http://h/x'], /'--hangup-url' goes with '--answer-url'/],
    [['--sip-header', 'X-PH-a=b'], /'--sip-header' goes with '--answer-url'/],
    [['--answer-url', 'http://h/a', '--url', 'ws://h/s'], /cannot be used with option '--url/],
    [['--answer-url', 'h'], /must begin with http/],
    [['--answer-url', 'http://h/a', '--sip-header', 'tenant=acme'], /like X-PH-tenant=acme/],
    [['--token', ''], /must not be empty/],
  ])('says what does not go together: %j', async (args, message) => {
    let said = '';
    const command = callCommand().exitOverride();
    command.configureOutput({ writeErr: (text) => (said += text) });
    await expect(command.parseAsync(args, { from: 'user' })).rejects.toThrow();
    expect(said).toMatch(message);
  });
});

describe.concurrent('the upgrade of a call without an answer URL', () => {
  it('is signed with the token, over the stream URL with http:// before it', async () => {
    const gateway = await stub();
    const numbers = { from: '+15550001111', to: '+15550002222' };
    const url = `${gateway.url}?tenant=t1&callId=a%20b`;
    await call({ url, wavPath, apiPort: 0, authToken: token, ...numbers });
    const [opened] = gateway.streams;
    expect(isSignedUpgrade(gateway, opened!, token)).toBe(true);
    expect(isSignedUpgrade(gateway, opened!, 'another token')).toBe(false);
    expect(opened?.headers['x-plivo-signature-ma-v3']).toBe(
      opened?.headers['x-plivo-signature-v3'],
    );
  });

  it('is not signed without a token', async () => {
    const gateway = await stub();
    await call({ url: gateway.url, wavPath, apiPort: 0 });
    expect(gateway.streams[0]?.headers[nonceHeader]).toBeUndefined();
  });
});

describe('a URL that is shown', () => {
  it.each([
    ['wss://h/stream/abcdefghij', 'wss://h/stream/abcdefgh…'],
    ['wss://h/ws/abcdefghij?x=/stream/abcdefghij', 'wss://h/ws/abcdefgh…?x=/stream/abcdefghij'],
    ['wss://h/app/stream/acme/abcdefghij#f', 'wss://h/app/stream/acme/abcdefgh…#f'],
    ['wss://h/stream', 'wss://h/stream'],
    ['wss://h/stream/abcdefgh', 'wss://h/stream/abcdefgh'],
    ['wss://stream/abcdefghij', 'wss://stream/abcdefghij'],
  ])('%s has its token shortened', (url, shown) => {
    expect(shownUrl(url)).toBe(shown);
  });
});
