import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../load/bench/children.js';
import type { PlivoApi } from '../../load/plivo-api.js';
import { StreamClient } from '../calls/stream-client.js';
import { openApi, refusedUpgrade, TestGateway, temporaryFolder } from '../calls/test-gateway.js';
import { sleep, until } from '../calls/wait.js';
import { Application } from './application.js';

const cli = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));

let api: PlivoApi;
beforeAll(async () => {
  api = await openApi();
});

const handler = `
  start(call) { tell(call, 'start', call.route, call.sampleRate); },
  dtmf(call, digit) { tell(call, 'dtmf', digit); },
`;
const before = { handler, routes: [{ name: 'old', path: '/stream', handler: 'HANDLER' }] };

async function reloaded(gateway: TestGateway) {
  const answer = await gateway.admin('/api/reload', { method: 'POST' });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

describe('a reload', () => {
  it('leads new calls by the new routes; live ones keep theirs', async () => {
    const app = await Application.open();
    const gateway = await TestGateway.open({ ...before, api, shards: 2 });
    const first = await gateway.liveCall();
    const upstreams = [{ name: 'app', protocol: 'pcm', urls: app.url }];
    const routes = [
      { name: 'new', path: '/ws', upstream: 'app' },
      { name: 'rest', handler: 'HANDLER', sampleRate: 24_000 },
    ];
    await gateway.configure({ handler, routes, settings: { upstreams, port: 1 } });
    const { status, body } = await reloaded(gateway);
    expect(status).toBe(200);
    expect(body).toEqual({
      ...{ ok: true, revision: 1, routes: ['new', 'rest'], upstreams: ['app'] },
      certificate: false,
      // Its environment variable wins.
      afterRestart: [],
    });
    const second = await gateway.call({}, '/ws');
    const call = await app.untilCall();
    expect(await call.untilEvent('start')).toMatchObject({ route: 'new', callId: second.callId });
    const third = await gateway.call();
    expect(await gateway.untilTold(third, 'start')).toEqual(['rest', 24_000]);
    first.dtmf('1');
    expect(await gateway.untilTold(first, 'dtmf')).toEqual(['1']);
    for (const client of [first, second, third]) await client.hangUp();
    await gateway.untilMetric('calls_ended_total', { route: 'old', reason: 'stream-closed' }, 1);
    const page = await gateway.metrics();
    expect(page.value('calls_started_total', { route: 'new' })).toBe(1);
    expect(page.value('reloads_total', { outcome: 'ok' })).toBe(1);
  });

  it('that a shard missed while it was replaced reaches it', async () => {
    const deadly = `start(call) { tell(call, 'start', call.route); if (call.query.die) process.exit(3); }`;
    const gateway = await TestGateway.open({ ...before, handler: deadly, api });
    await gateway.configure({ handler: deadly, routes: [{ name: 'new', handler: 'HANDLER' }] });
    expect((await reloaded(gateway)).status).toBe(200);
    const dying = await gateway.call({}, '/stream?die=1');
    await dying.waitForClose(30_000);
    const next = await until('a call', () => gateway.call().catch(() => undefined), 20_000);
    expect(await gateway.untilTold(next, 'start')).toEqual(['new']);
    await next.hangUp();
  }, 60_000);

  const bad: [string, object, RegExp][] = [
    ['whose file is wrong', { routes: [{ name: 'x', handler: 'ech' }] }, /did you mean echo/],
    ['without a handler', { routes: [{ name: 'x', handler: './none.mjs' }] }, /no file/],
    [
      'whose handler cannot be loaded',
      { routes: [{ name: 'x', handler: './broken.mjs' }] },
      /route x: handler .*broken\.mjs/,
    ],
    [
      'with an account that was not there',
      {
        settings: { accounts: [{ name: 'b', authId: 'MB', authToken: 't' }] },
        routes: [{ name: 'x', handler: 'echo', account: 'b' }],
      },
      /account b is new; accounts take effect after a restart/,
    ],
  ];
  it.each(bad)('%s changes nothing and says why', async (_what, options, expected) => {
    const gateway = await TestGateway.open({ ...before, api, files: { 'broken.mjs': 'export {' } });
    await gateway.configure({ handler, ...options });
    const { status, body } = await reloaded(gateway);
    expect(status).toBe(422);
    expect(body).toMatchObject({ ok: false });
    expect(String(body.problem)).toMatch(expected);
    const client = await gateway.call();
    expect(await gateway.untilTold(client, 'start')).toEqual(['old', 16_000]);
    await client.hangUp();
    expect((await refusedUpgrade(gateway.url('/ws'))).status).toBe(404);
    await gateway.untilMetric('reloads_total', { outcome: 'failed' }, 1);
  });

  it('names the settings that wait for a restart', async () => {
    const gateway = await TestGateway.open({ ...before, api });
    await gateway.configure({ ...before, settings: { limits: { calls: 5 }, privacy: 'full' } });
    const { body } = await reloaded(gateway);
    expect(body.afterRestart).toEqual(['limits', 'privacy']);
  });

  it('brings a shard back whose handler can be loaded no more', async () => {
    const deadly = `start(call) { tell(call, 'start'); process.exit(3); }`;
    const gateway = await TestGateway.open({ handler: deadly, api });
    await writeFile(join(gateway.folder, 'handler.mjs'), 'export default 1;');
    const dying = await gateway.call();
    await dying.waitForClose(30_000);
    await gateway.configure({ routes: [{ name: 'good', handler: 'echo' }] });
    const { status, body } = await reloaded(gateway);
    expect({ status, ok: body.ok }).toEqual({ status: 200, ok: true });
    const call = async () => (await gateway.admin('/readyz')).status === 200;
    await until('a shard', call, 20_000);
    const client = await gateway.call();
    client.media(new Uint8Array(160));
    await client.waitFor('playAudio');
    await client.hangUp();
  }, 60_000);

  it('that took too long takes no calls later on', async () => {
    const gateway = await TestGateway.open({ handler: 'start() {}', api });
    const slow = `await new Promise((done) => setTimeout(done, 11_500));
      export default { start(call) { call.cancel(); } };`;
    await writeFile(join(gateway.folder, 'slow.mjs'), slow);
    await gateway.configure({ routes: [{ name: 'slow', handler: './slow.mjs' }] });
    const beganMs = performance.now();
    const late = await reloaded(gateway);
    expect(late.status).toBe(422);
    expect(String(late.body.problem)).toMatch(/within 10 s/);
    await gateway.configure({ routes: [{ name: 'good', handler: 'echo' }] });
    expect((await reloaded(gateway)).status).toBe(200);
    await sleep(beganMs + 13_000 - performance.now());
    const client = await gateway.call();
    client.media(new Uint8Array(160));
    await client.waitFor('playAudio');
    expect(client.isOpen).toBe(true);
    await client.hangUp();
  }, 60_000);

  it('that is refused shows none of its upstreams', async () => {
    const upstreams = [{ name: 'app', protocol: 'pcm', urls: 'ws://127.0.0.1:1/kept' }];
    const routes = [{ name: 'x', upstream: 'app' }];
    const files = { 'broken.mjs': 'export {' };
    const gateway = await TestGateway.open({ api, files, settings: { upstreams }, routes });
    await gateway.configure({
      settings: { upstreams: [{ ...upstreams[0], urls: 'ws://u:secret@127.0.0.1:1/refused' }] },
      routes: [...routes, { name: 'y', handler: './broken.mjs' }],
    });
    expect((await reloaded(gateway)).status).toBe(422);
    const shown = async () => (await gateway.admin('/api/upstreams')).text();
    expect(await shown()).toContain('/kept');
    expect(await shown()).not.toContain('/refused');
    await gateway.configure({
      settings: { upstreams: [{ ...upstreams[0], urls: 'ws://u:secret@127.0.0.1:1/taken' }] },
      routes,
    });
    expect((await reloaded(gateway)).status).toBe(200);
    expect(await shown()).toContain('ws://127.0.0.1:1/taken');
    expect(await shown()).not.toContain('secret');
  });

  it('is asked for with POST', async () => {
    const gateway = await TestGateway.open(before);
    expect((await gateway.admin('/api/reload')).status).toBe(405);
  });

  it('many times in a row ends with the last one', async () => {
    const gateway = await TestGateway.open({ ...before, api });
    const answers: Promise<unknown>[] = [];
    for (let i = 0; i < 8; i += 1) {
      await gateway.configure({ handler, routes: [{ name: `r${i}`, handler: 'HANDLER' }] });
      answers.push(reloaded(gateway));
    }
    await Promise.all(answers);
    const client = await gateway.call();
    expect((await gateway.untilTold(client, 'start'))[0]).toBe('r7');
    await client.hangUp();
  });
});

describe('SIGHUP', () => {
  it('reloads, and a bad file is told and changes nothing', async () => {
    const folder = await temporaryFolder();
    const port = await freePort();
    const file = join(folder, 'gateway.yaml');
    const yaml = (route: string) =>
      `host: 127.0.0.1\nport: ${port}\nadmin: { port: 0 }\nshards: 1\nlog: { format: json }\nroutes: [${route}]\n`;
    await writeFile(file, yaml('{ name: one, path: /stream, handler: echo }'));
    const child = spawn(process.execPath, [cli, 'serve', '--config', file], { cwd: folder });
    try {
      let printed = '';
      child.stdout.on('data', (text: Buffer) => {
        printed += text.toString('utf8');
      });
      const url = `ws://127.0.0.1:${port}/ws`;
      await until('it is ready', () => printed.includes('; ready'), 20_000);
      expect((await refusedUpgrade(url)).status).toBe(404);
      await writeFile(file, yaml('{ name: two, path: /ws, handler: echo }'));
      child.kill('SIGHUP');
      await until('it has reloaded', () => printed.includes('"routes":["two"]'));
      await writeFile(file, yaml('{ name: two, handler: ech }'));
      child.kill('SIGHUP');
      await until('it says why not', () => printed.includes('did you mean echo?'));
      const client = await StreamClient.call(url);
      client.media(new Uint8Array(160));
      await client.waitFor('playAudio');
      await client.hangUp();
    } finally {
      child.kill('SIGKILL');
    }
  }, 60_000);
});
