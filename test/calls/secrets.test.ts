import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { freePort } from '../../load/bench/children.js';
import { PlivoApi } from '../../load/plivo-api.js';
import { signatureV3 } from '../../src/plivo/signature.js';
import { StreamClient } from './stream-client.js';
import { refusedUpgrade, temporaryFolder } from './test-gateway.js';
import { until } from './wait.js';

const cli = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url));

/** None of these may stand anywhere that a person or a program can read. */
const secrets = {
  authToken: 'CANARYauthTOKEN0000000000000000001',
  previousAuthToken: 'CANARYpreviousTOKEN000000000000002',
  subToken: 'CANARYsubaccountTOKEN0000000000003',
  tokenSecret: 'CANARYstreamtokenSECRET00000000004',
  adminToken: 'CANARYadminTOKEN000000000000000005',
  header: 'CANARYupstreamAUTHORIZATION0000006',
};
const digits = '4929123456789012';
const caller = '15558675309';

let gateway: ChildProcess;
let api: PlivoApi;
let output = '';
let answers = '';
const ports = { public: 0, admin: 0 };
/** What was sent in headers and paths, and is as secret as what it was made with. */
const sent = new Set<string>();

const handler = `export default {
  start(call) { if (call.query.bad) throw new Error('a handler fails'); },
  dtmf(call, digit) { if (digit === '#') call.cancel(); },
};`;

beforeAll(async () => {
  const folder = await temporaryFolder();
  ports.public = await freePort();
  ports.admin = await freePort();
  api = new PlivoApi({ authId: 'MA1', authToken: secrets.authToken });
  await api.listen(0);
  const settings = {
    accounts: [{ name: 'sub', authId: 'SA1', authToken: secrets.subToken }],
    upstreams: [
      {
        ...{ name: 'bots', protocol: 'pcm', urls: ['ws://127.0.0.1:9/?from={from}'] },
        headers: { Authorization: `Bearer ${secrets.header}` },
        connectTimeout: '200ms',
      },
    ],
    routes: [
      { name: 'bots', to: '1666', upstream: 'bots' },
      { name: 'own', handler: './handler.mjs' },
    ],
  };
  await writeFile(join(folder, 'gateway.yaml'), stringify(settings));
  await writeFile(join(folder, 'handler.mjs'), handler);
  gateway = spawn(process.execPath, [cli, 'serve', '--log-level', 'trace'], {
    cwd: folder,
    env: {
      ...{ HOST: '127.0.0.1', PORT: String(ports.public), ADMIN_PORT: String(ports.admin) },
      ...{ SHARDS: '1', PUBLIC_URL: 'https://voice.example.com', PLIVO_API_URL: api.url },
      ...{ PLIVO_AUTH_ID: 'MA1', PLIVO_AUTH_TOKEN: secrets.authToken },
      PLIVO_AUTH_TOKEN_PREVIOUS: secrets.previousAuthToken,
      ...{ STREAM_TOKEN_SECRET: secrets.tokenSecret, ADMIN_TOKEN: secrets.adminToken },
    },
  });
  for (const stream of [gateway.stdout, gateway.stderr]) {
    stream?.on('data', (chunk) => {
      output += String(chunk);
    });
  }
  await until('the gateway ready', () => output.includes('; ready'), 20_000);
});
afterAll(async () => {
  gateway.kill('SIGKILL');
  await api.close();
});

/** Sends a webhook, and keeps what is answered, but for the stream URL, which is for Plivo alone. */
async function webhook(path: string, more: Record<string, string>, token = secrets.authToken) {
  const form = { CallUUID: randomUUID(), From: caller, To: '1777', ...more };
  const nonce = randomUUID();
  const signature = signatureV3(
    'POST',
    `https://voice.example.com${path}`,
    Object.entries(form),
    nonce,
    token,
  );
  sent.add(signature);
  const response = await fetch(`http://127.0.0.1:${ports.public}${path}`, {
    method: 'POST',
    headers: { 'X-Plivo-Signature-V3': signature, 'X-Plivo-Signature-V3-Nonce': nonce },
    body: new URLSearchParams(form),
  });
  const text = await response.text();
  const [, streamToken] = /\/stream\/([A-Za-z0-9_-]+)</.exec(text) ?? [];
  if (streamToken !== undefined) sent.add(streamToken);
  answers += text.replace(streamToken ?? '', '');
  return { callId: form.CallUUID, streamToken: streamToken ?? '' };
}

const url = (path: string) => `ws://127.0.0.1:${ports.public}${path}`;

async function admin(path: string, method = 'GET', token = secrets.adminToken, body?: object) {
  const response = await fetch(`http://127.0.0.1:${ports.admin}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const [, made] = /\/stream\/([A-Za-z0-9_-]{50,})"/.exec(text) ?? [];
  if (made !== undefined) sent.add(made);
  answers += text.replace(made ?? '', '');
  return response.status;
}

it('no secret stands in a log line, a metric, an answer or an error, whatever goes wrong', async () => {
  // What goes well.
  const { callId, streamToken } = await webhook('/answer', {});
  const client = await StreamClient.open(url(`/stream/${streamToken}`));
  client.start({ callId });
  for (const digit of digits) client.dtmf(digit);
  await until('the call started', () => output.includes(callId));
  for (const path of [
    '/metrics',
    '/api/calls',
    '/api/upstreams',
    '/api/hangups',
    '/readyz',
    '/x',
  ]) {
    await admin(path);
  }
  await admin('/api/stream-url', 'POST', secrets.adminToken, { callId: 'c', from: caller });
  await admin('/api/reload', 'POST');

  // What does not.
  api.failAll({ status: 500 });
  client.dtmf('#');
  await until('a hang-up failed', () => api.requests.length > 0);
  api.failAll(undefined);
  const bad = await webhook('/answer?bad=1', {});
  const thrown = await StreamClient.open(url(`/stream/${bad.streamToken}`));
  thrown.start({ callId: bad.callId });
  await thrown.waitForClose(15_000);
  const lost = await webhook('/answer', { To: '1666' }, secrets.subToken);
  const upstream = await StreamClient.open(url(`/stream/${lost.streamToken}`));
  upstream.start({ callId: lost.callId });
  await until(
    'an upstream failed',
    () => output.includes(lost.callId) && /upstream-failed/.test(output),
  );
  await webhook('/hangup', { HangupCause: 'X' }, secrets.previousAuthToken);
  await webhook('/hangup', {}, 'another-token');
  await webhook('/stream-status', { Event: 'DroppedStream', Error: 'x' });
  await webhook('/answer', { Event: 'Hangup' });
  const nonce = randomUUID();
  const wrong = signatureV3('GET', 'http://voice.example.com/ws', [], nonce, secrets.authToken);
  sent.add(wrong);
  await refusedUpgrade(url('/stream?x=1'), {
    'X-Plivo-Signature-V3': wrong,
    'X-Plivo-Signature-V3-Nonce': nonce,
    Authorization: `Basic ${secrets.header}`,
  });
  const ended = `/stream/${streamToken}`;
  await webhook('/hangup', { CallUUID: callId });
  await refusedUpgrade(url(ended));
  await refusedUpgrade(url(`/stream/${streamToken}x`));
  expect(await admin('/metrics', 'GET', `${secrets.adminToken}x`)).toBe(401);
  api.failAll({ status: 401 });
  await admin(`/api/calls/${lost.callId}`, 'DELETE');
  gateway.kill('SIGTERM');
  await until('the drain begun', () => output.includes('draining'));
  gateway.kill('SIGTERM');
  await once(gateway, 'exit');

  const all = output + answers;
  // The run was one: these had to be told.
  for (const told of [
    'call started',
    'refused a stream',
    'refused a webhook',
    'handler',
    'plivo_gateway_',
  ]) {
    expect(all).toContain(told);
  }
  const encoded = Object.values(secrets).flatMap((secret) => [
    secret,
    Buffer.from(secret).toString('base64').slice(4, -4),
    Buffer.from(`MA1:${secret}`).toString('base64'),
  ]);
  expect(sent.size).toBeGreaterThan(8);
  for (const secret of [...encoded, ...sent, digits, caller]) {
    expect(all.includes(secret), secret).toBe(false);
  }
}, 60_000);
