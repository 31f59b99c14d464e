import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { stringify } from 'yaml';
import { freePort } from '../load/bench/children.js';
import { PlivoApi } from '../load/plivo-api.js';
import { authId, authToken, TestGateway, temporaryFolder } from './calls/test-gateway.js';

const cli = fileURLToPath(new URL('../dist/src/cli.js', import.meta.url));
const number = '+15551234567';

interface Finding {
  readonly what: string;
  readonly state: string;
  readonly detail: string;
  readonly remedy?: string;
}

/** A gateway, and what the doctor says beside it when it is told something else. */
let api: PlivoApi;
let gateway: TestGateway;
let publicPort = 0;

beforeAll(async () => {
  api = new PlivoApi({ authId, authToken });
  api.account.addNumber('15551234567', { answer: 'https://old/answer', hangup: '' });
  api.account.addNumber('15550000001');
  await api.listen(0);
  // Its public URL has to be known before it listens.
  publicPort = await freePort();
  gateway = await TestGateway.open({
    api,
    environment: {
      ...{ SIGNATURES_UPGRADE: 'enforce', PORT: String(publicPort) },
      PUBLIC_URL: `http://127.0.0.1:${publicPort}`,
    },
  });
  return () => api.close();
});

async function application(): Promise<WebSocketServer> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  return server;
}

const portOf = (server: WebSocketServer) => (server.address() as AddressInfo).port;

interface Asked {
  readonly settings?: object;
  readonly environment?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
}

async function doctor({ settings = {}, environment = {}, flags = [] }: Asked = {}) {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'gateway.yaml'), stringify({ limits: { calls: 10 }, ...settings }));
  const env = {
    ...{ PATH: process.env.PATH ?? '', PLIVO_API_URL: api.url },
    ...{ PLIVO_AUTH_ID: authId, PLIVO_AUTH_TOKEN: authToken },
    PUBLIC_URL: `http://127.0.0.1:${publicPort}`,
    ADMIN_PORT: String(gateway.gateway.adminPort),
    ...environment,
  };
  const run = (more: readonly string[]) =>
    new Promise<{ code: number; out: string }>((resolve) => {
      const args = [cli, 'doctor', ...flags, ...more];
      execFile(process.execPath, args, { cwd: folder, env }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), out: out + err }),
      );
    });
  const { code, out } = await run(['--json']);
  const { findings } = JSON.parse(out) as { findings: Finding[] };
  const of = (what: string) => findings.find((finding) => finding.what.startsWith(what))!;
  const failed = findings.filter(({ state }) => state === 'fail').map(({ what }) => what);
  return { code, findings, of, failed, asText: () => run([]) };
}

describe('doctor', () => {
  it('finds nothing to mend in a good set-up, and says so for people', async () => {
    const bot = await application();
    const port = portOf(bot);
    const upstreams = [
      { name: 'bots', protocol: 'pcm', urls: [`ws://127.0.0.1:${port}/?c={call}`] },
    ];
    const { code, findings, asText } = await doctor({ settings: { upstreams } });
    expect(findings.map(({ what, state }) => `${state} ${what}`)).toEqual([
      ...['ok Node', 'ok C library', 'ok open files', 'ok account default', 'ok gateway'],
      ...['warn public address', 'ok webhooks', 'ok stream', 'ok upstream bots'],
    ]);
    expect(code).toBe(0);
    const text = await asText();
    expect(text.code).toBe(0);
    expect(text.out).toMatch(/^ok +stream +one frame went out and came back in \d+ ms$/m);
    expect(text.out).toMatch(/all is well\n$/);
    bot.close();
  });

  it('leaves no call and no hang-up behind', async () => {
    expect((await doctor()).code).toBe(0);
    await gateway.untilMetric('calls_active', {}, 0);
    const page = await gateway.metrics();
    expect(page.value('hangups_pending')).toBe(0);
    expect(api.requests.filter(({ method }) => method === 'DELETE')).toEqual([]);
  });

  it('without a running gateway says to start it, and goes on', async () => {
    const { code, of, failed } = await doctor({ environment: { ADMIN_PORT: '9' } });
    expect({ code, failed }).toEqual({ code: 1, failed: ['gateway'] });
    expect(of('gateway').remedy).toMatch(/start it/);
    expect(of('stream').state).toBe('skipped');
    expect(of('account').state).toBe('ok');
  });

  it('with wrong credentials says where the right ones are, and that Plivo’s signatures would fail', async () => {
    const { failed, of } = await doctor({ environment: { PLIVO_AUTH_TOKEN: 'wrong-token' } });
    expect(failed).toEqual(['account default', 'webhooks']);
    expect(of('account').detail).toContain('401');
    expect(of('webhooks').remedy).toMatch(/Auth Token/);
  });

  it('with a public address that leads elsewhere says so', async () => {
    const other = await TestGateway.open({
      api,
      environment: { SIGNATURES_UPGRADE: 'enforce', PUBLIC_URL: `http://127.0.0.1:${publicPort}` },
    });
    // The gateway that is asked is not the one behind the address.
    const elsewhere = await doctor({
      environment: { ADMIN_PORT: String(other.gateway.adminPort) },
    });
    expect(elsewhere.failed).toEqual(['stream']);
    expect(elsewhere.of('stream').detail).toMatch(/another gateway/);
    const web = await doctor({ environment: { PUBLIC_URL: api.url } });
    expect(web.failed).toEqual(['webhooks']);
    expect(web.of('webhooks').detail).toMatch(/status 404, and not as a gateway/);
    const nobody = await doctor({ environment: { PUBLIC_URL: 'https://127.0.0.1:9' } });
    expect(nobody.failed).toEqual(['certificate', 'webhooks']);
    const unset = await doctor({ environment: { PUBLIC_URL: '' } });
    expect(unset.failed).toEqual(['public address']);
  });

  it('names applications that do not answer, refuse, or are busy', async () => {
    const busy = await application();
    busy.on('connection', (socket) => socket.close(1013));
    const upstreams = [
      { name: 'down', protocol: 'pcm', urls: ['ws://127.0.0.1:9/'] },
      { name: 'odd', protocol: 'pcm', urls: [`ws://127.0.0.1:${publicPort}/nothing`] },
      {
        name: 'busy',
        protocol: 'pcm',
        urls: [`ws://127.0.0.1:${portOf(busy)}/`],
      },
    ];
    const { failed, of } = await doctor({ settings: { upstreams } });
    expect(failed).toEqual(['upstream down', 'upstream odd']);
    expect(of('upstream odd').detail).toMatch(/404/);
    expect(of('upstream busy')).toMatchObject({ state: 'warn' });
    busy.close();
  });

  it('says that the machine has too few open files for the calls', async () => {
    const { failed, of } = await doctor({ settings: { limits: { calls: 100_000 }, shards: 8 } });
    expect(failed).toEqual(['open files']);
    expect(of('open files').remedy).toMatch(/ulimit -n 100200/);
  });
});

describe('doctor --number', () => {
  it('shows what is wrong with its application, and mends it with --fix', async () => {
    const before = await doctor({ flags: ['--number', number] });
    expect(before.failed).toEqual([`number ${number}`]);
    expect(before.of('number').detail).toMatch(/answer_url is https:\/\/old\/answer/);
    expect(before.of('number').remedy).toMatch(/--fix/);
    const fixed = await doctor({ flags: ['--number', number, '--fix'] });
    expect(fixed.failed).toEqual([]);
    const [application] = api.account.applications.values();
    expect(application).toMatchObject({
      answer_url: `http://127.0.0.1:${publicPort}/answer`,
      hangup_url: `http://127.0.0.1:${publicPort}/hangup`,
    });
    expect((await doctor({ flags: ['--number', number] })).of('number').detail).toMatch(
      /leads here/,
    );
  });

  it('gives an application to a number that has none', async () => {
    const flags = ['--number', '15550000001'];
    expect((await doctor({ flags })).of('number').detail).toMatch(/no application/);
    expect((await doctor({ flags: [...flags, '--fix'] })).failed).toEqual([]);
    expect((await doctor({ flags })).failed).toEqual([]);
  });

  it('of another account is not found', async () => {
    const { of } = await doctor({ flags: ['--number', '+15559999999'] });
    expect(of('number')).toMatchObject({ state: 'fail', detail: 'is not one of this account' });
  });
});
