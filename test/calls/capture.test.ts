import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { call } from '../../load/call.js';
import { PlivoApi } from '../../load/plivo-api.js';
import { readCapture } from '../../load/replay/read-capture.js';
import { capturesMax } from '../../src/limits.js';
import type { StreamClient } from './stream-client.js';
import { TestGateway, temporaryFolder } from './test-gateway.js';
import { until } from './wait.js';

const api = new PlivoApi();
await api.listen(0);
afterAll(() => api.close());

const settings = { capture: { folder: './captures' } };
const handler = `
  audio(call, samples) { call.play(samples); },
  dtmf(call, digit) { tell(call, 'dtmf', digit); },
`;

interface CaptureAnswer {
  readonly status: number;
  readonly body: { readonly file: string; readonly error?: string };
}

async function ask(
  gateway: TestGateway,
  method: 'POST' | 'DELETE' | 'PUT',
  callId: string,
): Promise<CaptureAnswer> {
  const answer = await gateway.admin(`/api/calls/${callId}/capture`, { method });
  return { status: answer.status, body: (await answer.json()) as CaptureAnswer['body'] };
}

type Line = Readonly<Record<string, unknown>>;
const linesOf = async (file: string): Promise<Line[]> =>
  (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

async function echo(client: StreamClient, frames: number): Promise<void> {
  const before = client.audio().length;
  for (let i = 0; i < frames; i += 1) client.say(new Uint8Array(160).fill(0x30 + i));
  await client.waitForAudio(before + 160 * frames);
}

describe('a capture', () => {
  it('holds every message of its call, both ways, from when it was asked for', async () => {
    const gateway = await TestGateway.open({ handler, settings });
    const [client, other] = [await gateway.liveCall(), await gateway.liveCall()];
    await echo(client, 2);
    const heardBefore = client.heard.length;
    const begun = await ask(gateway, 'POST', client.callId);
    expect(begun.status).toBe(201);
    expect((await gateway.metrics()).value('captures_active')).toBe(1);
    const story = (await (await gateway.admin(`/api/calls/${client.callId}`)).json()) as object;
    expect(story).toMatchObject({ capture: { file: begun.body.file } });
    await Promise.all([echo(client, 5), echo(other, 5)]);
    client.dtmf('7');
    client.send(new Uint8Array([1, 2, 3]));
    await gateway.untilTold(client, 'dtmf');
    const ended = await ask(gateway, 'DELETE', client.callId);
    expect(ended).toMatchObject({ status: 200, body: { file: begun.body.file } });
    const [header, ...lines] = await linesOf(begun.body.file);
    expect(header).toMatchObject({
      ...{ capture: 'plivo-gateway', version: 1, callId: client.callId, route: 'calls' },
    });
    expect(JSON.parse(header!.start as string)).toMatchObject({ event: 'start' });
    const end = lines.pop();
    expect(end).toMatchObject({ end: 'stopped', messages: lines.length });
    const of = (from: string) => lines.filter((line) => line.from === from);
    const came = of('plivo').map(
      ({ text }) => JSON.parse((text as string) ?? 'null') as Line | null,
    );
    expect(came.filter((message) => message?.event === 'media')).toHaveLength(5);
    expect(came.filter((message) => message?.event === 'dtmf')).toHaveLength(1);
    expect(of('plivo').map(({ base64 }) => base64)).toContain(
      Buffer.from([1, 2, 3]).toString('base64'),
    );
    expect(of('gateway').map(({ text }) => (JSON.parse(text as string) as Line).event)).toEqual(
      client.heard.slice(heardBefore).map(({ event }) => event),
    );
    const times = lines.map(({ ms }) => ms as number);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect((await stat(begun.body.file)).mode & 0o777).toBe(0o600);
    expect(begun.body.file).not.toContain('+');
    const page = await gateway.metrics();
    expect(page.value('captures_active')).toBe(0);
    expect(page.value('captures_total', { end: 'stopped' })).toBe(1);
  });

  it('ends with its call, and with the gateway', async () => {
    const gateway = await TestGateway.open({ handler, settings });
    const [first, second] = [await gateway.liveCall(), await gateway.liveCall()];
    const files = await Promise.all(
      [first, second].map(async ({ callId }) => (await ask(gateway, 'POST', callId)).body.file),
    );
    await first.hangUp();
    await gateway.untilMetric('captures_active', {}, 1);
    await gateway.gateway.destroy();
    const ends = await Promise.all(files.map(async (file) => (await linesOf(file)).at(-1)?.end));
    expect(ends).toEqual(['call-ended', 'call-ended']);
  });

  it('is refused for a call that is not there, twice, by the wrong method, and beyond the bound', async () => {
    const gateway = await TestGateway.open({ handler, settings });
    const client = await gateway.liveCall();
    expect((await ask(gateway, 'POST', 'nobody')).status).toBe(404);
    expect((await ask(gateway, 'DELETE', client.callId)).status).toBe(404);
    expect((await ask(gateway, 'PUT', client.callId)).status).toBe(405);
    expect((await ask(gateway, 'POST', client.callId)).status).toBe(201);
    expect((await ask(gateway, 'POST', client.callId)).status).toBe(409);
    for (let i = 1; i < capturesMax; i += 1) {
      expect((await ask(gateway, 'POST', (await gateway.liveCall()).callId)).status).toBe(201);
    }
    const tooMany = await ask(gateway, 'POST', (await gateway.liveCall()).callId);
    expect(tooMany.status).toBe(429);
    expect(tooMany.body.error).toContain(String(capturesMax));
  });

  it('is off where no folder is named, and says what to set', async () => {
    const gateway = await TestGateway.open({ handler });
    const client = await gateway.liveCall();
    const answer = await ask(gateway, 'POST', client.callId);
    expect(answer.status).toBe(409);
    expect(answer.body.error).toContain('capture.folder');
  });

  it('that cannot be written costs the call nothing', async () => {
    const gateway = await TestGateway.open({ handler, settings });
    const client = await gateway.liveCall();
    // A file where the folder should be; and one that is gone when the file is opened.
    await writeFile(join(gateway.folder, 'captures'), '');
    const answer = await ask(gateway, 'POST', client.callId);
    expect(answer.status).toBe(500);
    expect(answer.body.error).toContain('captures');
    await rm(join(gateway.folder, 'captures'));
    await mkdir(join(gateway.folder, 'captures'));
    const before = client.audio().length;
    if (process.getuid?.() !== 0) await chmod(join(gateway.folder, 'captures'), 0o500);
    await ask(gateway, 'POST', client.callId);
    await echo(client, 3);
    expect(client.audio().length).toBe(before + 480);
  });

  it('of a call that changes its worker goes on', async () => {
    const dies = `${handler} start(call) { tell(call, 'start'); }, played(call) { process.exit(1); },`;
    const gateway = await TestGateway.open({
      handler: dies.replace("tell(call, 'dtmf', digit);", "call.checkpoint('end');"),
      settings,
    });
    const client = await gateway.liveCall();
    const { file } = (await ask(gateway, 'POST', client.callId)).body;
    client.dtmf('1');
    const name = await until('a checkpoint', () => client.of('checkpoint')[0]?.name);
    client.played(name);
    await until('the next worker', () => gateway.toldOf(client, 'start').length === 2);
    await echo(client, 3);
    await ask(gateway, 'DELETE', client.callId);
    const events = (await linesOf(file)).flatMap(({ from, text }) =>
      from === 'gateway' ? [(JSON.parse(text as string) as Line).event] : [],
    );
    expect(events).toEqual(['checkpoint', 'playAudio', 'playAudio', 'playAudio']);
  });
});

describe('a replay', () => {
  it('has the gateway hear the same again, and press the same keys', async () => {
    const gateway = await TestGateway.open({ handler, settings });
    const url = gateway.url();
    let file = '';
    const first = await call({
      ...{ url, api, dtmf: '5#', dtmfAtMs: 600, dtmfGapMs: 300, extraHeaders: 'tenant=acme' },
      onCaller: (caller) => {
        void until('the call', async () => {
          const answer = await ask(gateway, 'POST', caller.callId);
          file = answer.body.file;
          return answer.status === 201;
        });
      },
    });
    expect(first.echoSnrDb).toBeGreaterThan(40);
    const replay = await readCapture(file);
    expect(replay).toMatchObject({ format: 'mulaw8', extraHeaders: 'tenant=acme' });
    const second = await call({ url, api, replayPath: file });
    expect(second.callId).not.toBe(first.callId);
    expect(second.violations).toEqual([]);
    expect(second.echoSnrDb).toBeGreaterThan(40);
    expect(second.mediaSent).toBeGreaterThanOrEqual(replay.speech.payloads.length);
    const digits = gateway.told
      .filter(({ what }) => what === 'dtmf')
      .map(({ values }) => values[0]);
    expect(digits).toEqual(['5', '#', '5', '#']);
  });

  it('keeps the pauses in which the caller’s packets came', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'pauses.ndjson');
    const start = {
      ...{ event: 'start', sequenceNumber: 1, extra_headers: '' },
      start: {
        ...{ callId: 'c', streamId: 's', accountId: 'a', tracks: ['inbound'] },
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8_000 },
      },
    };
    const media = (chunk: number) => ({
      ...{ event: 'media', sequenceNumber: chunk + 1, streamId: 's', extra_headers: '' },
      media: {
        ...{ track: 'inbound', timestamp: '1', chunk },
        payload: Buffer.alloc(160, 0x40).toString('base64'),
      },
    });
    const header = { capture: 'plivo-gateway', version: 1, start: JSON.stringify(start) };
    const at = [100, 120, 400, 400];
    const lines = at.map((ms, i) => ({ ms, from: 'plivo', text: JSON.stringify(media(i + 1)) }));
    await writeFile(file, [header, ...lines].map((line) => JSON.stringify(line)).join('\n'));
    const { speech } = await readCapture(file);
    expect(speech.atMs).toEqual([0, 20, 300, 300]);
    expect(speech.samples).toHaveLength(640);
  });

  it.each([
    ['is not there', undefined, /cannot read/],
    ['is something else', 'a\nb', /line 1 .* does not begin a capture/],
    ['is of the future', '{"capture":"plivo-gateway","version":2}', /line 1 .* version 2/],
    ['has no start', '{"capture":"plivo-gateway","version":1}', /line 1 .* no start message/],
    ['is empty', '', /line 1 .* does not begin/],
  ])('of a file that %s is refused with its line', async (_what, content, message) => {
    const folder = await temporaryFolder();
    const file = join(folder, 'file.ndjson');
    if (content !== undefined) await writeFile(file, content);
    await expect(readCapture(file)).rejects.toThrow(message);
    expect(await readdir(folder)).toHaveLength(content === undefined ? 0 : 1);
  });
});
