import type { TemplatedApp } from 'uWebSockets.js';
import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { BlockList } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { generate } from 'selfsigned';
import { beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { loadConfig } from '../../src/config/load.js';
import { expiryWarning, readCertificate } from '../../src/front/certificate.js';
import { ClientAddress } from '../../src/front/client-address.js';
import { loadNative } from '../../src/front/native.js';
import { Server, type SocketEvents } from '../../src/front/server.js';
import { openGateway } from '../../src/gateway.js';
import { openLog } from '../../src/log.js';
import { StreamClient } from './stream-client.js';
import { TestGateway } from './test-gateway.js';

const dayMs = 86_400_000;
const name = [{ name: 'commonName', value: '127.0.0.1' }];

interface Pair {
  readonly cert: string;
  readonly key: string;
}

async function pair(fromDays = -1, untilDays = 100): Promise<Pair> {
  const { cert, private: key } = await generate(name, {
    notBeforeDate: new Date(Date.now() + fromDays * dayMs),
    notAfterDate: new Date(Date.now() + untilDays * dayMs),
  });
  return { cert, key };
}

let first: Pair;
let second: Pair;
let old: Pair;
let gateway: TestGateway;
const logged: Record<string, unknown>[] = [];

beforeAll(async () => {
  [first, second, old] = await Promise.all([pair(), pair(-1, 10), pair(-20, -2)]);
  gateway = await TestGateway.open({
    settings: { tls: { cert: './cert.pem', key: './key.pem' } },
    files: { 'cert.pem': first.cert, 'key.pem': first.key },
    logged,
  });
});

const write = ({ cert, key }: Pair) =>
  Promise.all([
    writeFile(join(gateway.folder, 'cert.pem'), cert),
    writeFile(join(gateway.folder, 'key.pem'), key),
  ]);

/** What a new connection is shown. */
function served(port = gateway.gateway.port): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

async function reload() {
  const answer = await gateway.admin('/api/reload', { method: 'POST' });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

/** A call over TLS. */
async function call(): Promise<StreamClient> {
  const url = `wss://127.0.0.1:${gateway.gateway.port}/stream`;
  const socket = new WebSocket(url, { rejectUnauthorized: false, perMessageDeflate: false });
  const client = await StreamClient.over(socket);
  client.start();
  return client;
}

it('new sockets get a changed certificate, and live calls go on over the old one', async () => {
  const before = await served();
  const live = await call();
  live.media(new Uint8Array(160).fill(1));
  const heardBefore = (await live.waitForAudio(160)).length;
  await write(second);
  const { status, body } = await reload();
  if (status !== 200) throw new Error(JSON.stringify(body));
  expect({ status, certificate: body.certificate, afterRestart: body.afterRestart }).toEqual({
    ...{ status: 200, certificate: true, afterRestart: [] },
  });
  expect(await served()).not.toBe(before);
  for (let i = 0; i < 10; i += 1) live.media(new Uint8Array(160).fill(i));
  await live.waitForAudio(heardBefore + 8 * 160);
  const later = await call();
  later.media(new Uint8Array(160).fill(1));
  await later.waitForAudio(1);
  for (const client of [live, later]) await client.hangUp();
  const seconds = (await gateway.metrics()).value('certificate_expiry_timestamp_seconds');
  expect(Math.abs(seconds - (Date.now() + 10 * dayMs) / 1_000)).toBeLessThan(3_600);
  const warning = /^certificate .*cert\.pem expires on \d{4}-\d\d-\d\d; renew it, then reload$/;
  expect(logged.filter(({ msg }) => warning.test(String(msg)))).toHaveLength(1);
});

it('files at another path are taken up too; TLS itself goes off by a restart alone', async () => {
  await write(first);
  await reload();
  const before = await served();
  await writeFile(join(gateway.folder, 'other-cert.pem'), second.cert);
  await writeFile(join(gateway.folder, 'other-key.pem'), second.key);
  await gateway.configure({
    settings: { tls: { cert: './other-cert.pem', key: './other-key.pem' } },
  });
  expect((await reload()).body).toMatchObject({ certificate: true, afterRestart: [] });
  const after = await served();
  expect(after).not.toBe(before);
  await gateway.configure({});
  expect((await reload()).body).toMatchObject({ certificate: false, afterRestart: ['tls'] });
  expect(await served()).toBe(after);
  await gateway.configure({ settings: { tls: { cert: './cert.pem', key: './key.pem' } } });
  expect((await reload()).body).toMatchObject({ certificate: true, afterRestart: [] });
  expect(await served()).toBe(before);
});

it('routes can be reloaded while the certificate in use has expired', async () => {
  const expired = await TestGateway.open({
    settings: { tls: { cert: './cert.pem', key: './key.pem' } },
    files: { 'cert.pem': old.cert, 'key.pem': old.key },
    logged,
  });
  expect(await expired.gateway.reload()).toMatchObject({ ok: true, certificate: false });
  // At the start, and by the reload.
  const lines = logged.filter(({ msg }) => /cert\.pem expired on .*renew it/.test(String(msg)));
  expect(lines).toHaveLength(2);
});

it('a certificate is warned of in its last 14 days', () => {
  const certFile = join(gateway.folder, 'cert.pem');
  const certificate = readCertificate({ certFile, keyFile: join(gateway.folder, 'key.pem') });
  const { expiresMs } = certificate;
  expect(expiryWarning(certificate, expiresMs - 14 * dayMs)).toBeUndefined();
  expect(expiryWarning(certificate, expiresMs - 14 * dayMs + 1)).toMatch(/expires on/);
  expect(expiryWarning(certificate, expiresMs)).toMatch(/expired on/);
});

it('a port that cannot be listened on anew keeps the old certificate, or says that none listens', async () => {
  const native = await loadNative();
  let failures = 0;
  const failing = (app: TemplatedApp): TemplatedApp => {
    const listen = app.listen.bind(app) as (...all: unknown[]) => TemplatedApp;
    const instead = (...all: unknown[]): TemplatedApp => {
      if (failures === 0) return listen(...all);
      failures -= 1;
      (all.at(-1) as (socket: false) => void)(false);
      return app;
    };
    return Object.assign(app, { listen: instead });
  };
  const library = { ...native, SSLApp: (options: object) => failing(native.SSLApp(options)) };
  await write(first);
  const tls = {
    certFile: join(gateway.folder, 'cert.pem'),
    keyFile: join(gateway.folder, 'key.pem'),
  };
  const server = new Server(
    library as typeof native,
    { host: '127.0.0.1', port: 0, tls },
    {} as SocketEvents,
    new ClientAddress(new BlockList()),
  );
  const port = await server.listen();
  const before = await served(port);
  await write(second);
  const renew = server.prepareCertificate(tls);
  failures = 1;
  await expect(renew()).rejects.toThrow(/new certificate .*cert\.pem; the old one stays/);
  expect(await served(port)).toBe(before);
  expect(await server.prepareCertificate(tls)()).toBe(true);
  expect(await served(port)).not.toBe(before);
  await write(first);
  failures = 2;
  await expect(server.prepareCertificate(tls)()).rejects.toThrow(/nor with the old one.*restart/);
  await expect(served(port)).rejects.toThrow(/ECONNREFUSED/);
});

it('an unchanged certificate changes nothing', async () => {
  await write(first);
  await reload();
  const before = await served();
  expect((await reload()).body.certificate).toBe(false);
  expect(await served()).toBe(before);
});

it.each<[string, () => Promise<unknown>, RegExp]>([
  [
    'that is missing',
    async () => rmSync(join(gateway.folder, 'cert.pem')),
    /there is no file|cannot be read/,
  ],
  [
    'that is no PEM',
    () => writeFile(join(gateway.folder, 'cert.pem'), 'nonsense'),
    /cert\.pem.*not a certificate/,
  ],
  [
    'whose key is no PEM',
    () => writeFile(join(gateway.folder, 'key.pem'), 'x'),
    /key\.pem.*not a private key/,
  ],
  [
    'of another key',
    () => writeFile(join(gateway.folder, 'key.pem'), second.key),
    /does not belong to the key/,
  ],
  ['that has expired', () => write(old), /expired on \d{4}-\d\d-\d\d; renew it/],
])(
  'a certificate %s is refused with a reason; the old one stays',
  async (_what, spoil, expected) => {
    await write(first);
    await reload();
    const before = await served();
    await spoil();
    const { status, body } = await reload();
    expect(status).toBe(422);
    expect(String(body.problem)).toMatch(expected);
    expect(await served()).toBe(before);
  },
);

it('however often it was renewed, the port is the gateway’s alone, and closes with it', async () => {
  for (const next of [second, first, second]) {
    await write(next);
    expect((await reload()).body.certificate).toBe(true);
  }
  const environment = {
    ...{ HOST: '127.0.0.1', PORT: String(gateway.gateway.port), ADMIN_PORT: '0', SHARDS: '1' },
    ...{ LOG_LEVEL: 'silent', DATA_DIR: join(gateway.folder, 'other') },
  };
  const config = loadConfig({ flags: {}, environment, cwd: gateway.folder });
  const log = openLog({ ...config.log, privacy: 'masked' });
  await expect(openGateway(config, log)).rejects.toThrow(/the port is in use/);
  await gateway.gateway.destroy();
  await expect(served()).rejects.toThrow(/ECONNREFUSED/);
});
