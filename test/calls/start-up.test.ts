import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { freePort } from '../../load/bench/children.js';
import { loadConfig } from '../../src/config/load.js';
import { GatewayError } from '../../src/errors.js';
import { type Gateway, openGateway } from '../../src/gateway.js';
import { openLog } from '../../src/log.js';
import { StreamClient } from './stream-client.js';
import { temporaryFolder } from './test-gateway.js';
import { sleep, until } from './wait.js';

const gateways: Gateway[] = [];
const servers: Server[] = [];
afterAll(async () => {
  for (const gateway of gateways) await gateway.destroy();
  for (const server of servers) server.close();
});

async function open(settings: object, environment: Record<string, string> = {}): Promise<Gateway> {
  const cwd = await temporaryFolder();
  await writeFile(join(cwd, 'gateway.yaml'), stringify(settings));
  const config = loadConfig({
    flags: {},
    environment: {
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: '0',
      SHARDS: '1',
      LOG_LEVEL: 'silent',
      ...environment,
    },
    cwd,
  });
  const gateway = await openGateway(config, openLog({ ...config.log, privacy: config.privacy }));
  gateways.push(gateway);
  return gateway;
}

async function failure(opening: Promise<unknown>): Promise<GatewayError> {
  const thrown = await opening.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(thrown).toBeInstanceOf(GatewayError);
  return thrown as GatewayError;
}

/** A port that somebody else has. */
function taken(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
    servers.push(server);
  });
}

/** A gateway with a handler module of this text. */
async function openWith(module: string): Promise<Gateway> {
  const folder = await temporaryFolder();
  const file = join(folder, 'my-handler.mjs');
  await writeFile(file, module);
  return open({ routes: [{ name: 'calls', handler: file }] });
}

describe('a gateway whose port is taken', () => {
  it.each(['PORT', 'ADMIN_PORT'])('says so, naming %s and the remedy', async (variable) => {
    const port = await taken();
    const error = await failure(open({}, { [variable]: String(port) }));
    expect(error).toMatchObject({ code: 'LISTEN', fault: 'operator' });
    expect(error.message).toContain(String(port));
    expect(error.message).toContain(variable);
  });

  it('by another gateway says so, and the other one goes on', async () => {
    const first = await open({});
    const error = await failure(open({}, { PORT: String(first.port) }));
    expect(error.code).toBe('LISTEN');
    expect(error.message).toContain(String(first.port));
    const client = await StreamClient.call(`ws://127.0.0.1:${first.port}/stream`);
    client.media(new Uint8Array(160));
    await client.waitFor('playAudio');
    await client.hangUp();
  });

  it('leaves nothing behind: the ports it had are free for the next one', async () => {
    const port = await taken();
    const spare = await taken();
    servers.pop()?.close();
    await failure(open({}, { PORT: String(port), ADMIN_PORT: String(spare) }));
    const next = await open({}, { ADMIN_PORT: String(spare) });
    expect(next.adminPort).toBe(spare);
    const free = await freePort();
    const again = await open({}, { PORT: String(free) });
    expect(again.port).toBe(free);
  });

  it('leaves no thread, timer or listener running', async () => {
    const port = await taken();
    const resources = (): string => process.getActiveResourcesInfo().toSorted().join();
    await failure(open({}, { PORT: String(port) }));
    await sleep(100);
    const before = resources();
    for (let i = 0; i < 3; i += 1) await failure(open({}, { PORT: String(port), SHARDS: '2' }));
    await until('nothing new running', () => resources().length <= before.length, 3_000);
  });
});

describe.concurrent('a handler module that cannot be used', () => {
  it.each([
    ['throws at import', 'throw new Error("no database");', 'no database'],
    ['is no JavaScript', 'export default {', 'my-handler.mjs'],
    ['imports what is not there', 'import "./missing.js"; export default {};', 'missing.js'],
    ['has no default export', 'export const other = {};', 'default export'],
    ['exports a function', 'export default () => {};', 'object'],
    ['exports null', 'export default null;', 'object'],
    ['has no callback', 'export default { begin() {} };', 'none of the callbacks'],
    ['has a callback that is no function', 'export default { audio: 7 };', 'audio'],
    ['rejects at import', 'await Promise.reject(new Error("no database"));', 'no database'],
  ])('because it %s stops the start and is named', async (_name, module, reason) => {
    const error = await failure(openWith(module));
    expect(error).toMatchObject({ code: 'HANDLER_LOAD', fault: 'application' });
    expect(error.message).toContain('my-handler.mjs');
    expect(error.message).toContain(reason);
    expect(error.message).toContain('route calls');
  });

  it.each([
    ['ends the process at import', 'process.exit(3);'],
    [
      'throws later than at import',
      'setTimeout(() => { throw new Error("x"); }); await new Promise((r) => setTimeout(r, 50)); export default { start() {} };',
    ],
    [
      'leaves a promise rejected at import',
      'Promise.reject(new Error("x")); await new Promise((r) => setTimeout(r, 50)); export default { start() {} };',
    ],
  ])('because it %s stops the start with an error of ours', async (_name, module) => {
    const error = await failure(openWith(module));
    expect(['HANDLER_LOAD', 'SHARD_START']).toContain(error.code);
  });

  it('because it never finishes loading stops the start after 5 s', async () => {
    const error = await failure(
      openWith('await new Promise((r) => setTimeout(r, 60000)); export default { start() {} };'),
    );
    expect(error.code).toBe('SHARD_START');
    expect(error.message).toContain('5 s');
  });

  it('because it is not there stops the start before anything runs', async () => {
    const error = await failure(open({ routes: [{ handler: './missing.mjs' }] }));
    expect(error.code).toBe('CONFIG');
    expect(error.message).toContain('missing.mjs');
  });

  it('does not keep a later gateway from opening', async () => {
    const gateway = await openWith('export const handler = { start(call) { call.leave(); } };');
    const client = await StreamClient.call(`ws://127.0.0.1:${gateway.port}/stream`);
    expect(await client.waitForClose()).toEqual({ code: 1000, reason: 'app-leave' });
  });
});
