import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { addConfigFlags } from '../../src/config/flags.js';
import { loadConfig } from '../../src/config/load.js';
import { checkCommand, printConfig } from '../../src/config/print.js';
import { configFile, settings } from '../../src/config/schema.js';
import { configured, folderWith } from './configured.js';

afterEach(() => {
  vi.unstubAllEnvs();
  process.exitCode = undefined;
});

const yaml = `
port: 81
shards: 3
drain: { timeout: 90s }
plivo: { authId: MA1, authToken: hunter2 }
tls: { cert: ./c.pem, key: ./k.pem }
routes:
  - { handler: ./h.js, to: "+15551234567", path: /ws }
  - { reject: closed, from: [anonymous, "sip:bob*"], direction: inbound, query: { a: "1" }, share: 50 }
  - { redirect: "https://x.example/later?a=b" }
  - { handler: echo }
`;
const files = { 'c.pem': '', 'k.pem': '', 'h.js': '' };

describe('the printed configuration', () => {
  it('is YAML with every effective value, and without the secret', () => {
    const config = configured(yaml, { files });
    const folder = join(config.file!, '..');
    expect(printConfig(config)).toBe(`# effective configuration (${config.file})
host: 0.0.0.0
port: 81
admin:
  host: 127.0.0.1
  port: 9464
tls:
  cert: ${folder}/c.pem
  key: ${folder}/k.pem
plivo:
  authId: MA1
  authToken: "********"
  apiUrl: https://api.plivo.com
accounts: []
dataDir: ${folder}/data
shards: 3
limits:
  calls: 2000
playout:
  lead: 200ms
  chunk: 20ms
  queue: 1m
drain:
  timeout: 90s
hangup:
  lostStreamGrace: 30s
  giveUpAfter: 1h
  fsync: never
  connections: 48
  pipelining: 1
  tick: 50ms
  requests: 300
log:
  level: info
  format: auto
privacy: masked
upstreams: []
routes:
  - name: h
    path: /ws
    to:
      - "+15551234567"
    handler: ${folder}/h.js
    sampleRate: 16000
    onStreamLost: hangup
  - name: reject
    from:
      - anonymous
      - sip:bob*
    direction: inbound
    query:
      a: "1"
    share: 50
    reject: closed
    sampleRate: 16000
    onStreamLost: hangup
  - name: redirect
    redirect: https://x.example/later?a=b
    sampleRate: 16000
    onStreamLost: hangup
  - name: echo
    handler: echo
    sampleRate: 16000
    onStreamLost: hangup
`);
  });

  it('can be read again and means the same', () => {
    const config = configured(yaml, { files });
    const again = configured(printConfig(config).replace('********', 'hunter2'));
    expect({ ...again, file: config.file }).toEqual(config);
  });

  it('says when no file was read', () => {
    const config = loadConfig({ flags: {}, environment: {}, cwd: folderWith({}) });
    expect(printConfig(config)).toMatch(/^# effective configuration \(no file\)\n/);
  });
});

describe('plivo-gateway check', () => {
  async function check(...args: readonly string[]) {
    for (const { env } of settings) if (env) vi.stubEnv(env, undefined);
    let out = '';
    let err = '';
    const command = checkCommand().configureOutput({
      writeOut: (text) => {
        out += text;
      },
      writeErr: (text) => {
        err += text;
      },
    });
    await command.parseAsync(args, { from: 'user' });
    return { out, err, exitCode: process.exitCode ?? 0 };
  }

  it('prints what serve would run with', async () => {
    const file = join(folderWith({ ...files, 'g.yaml': yaml }), 'g.yaml');
    const { out, err, exitCode } = await check('--config', file, '--port', '82');
    expect({ err, exitCode }).toEqual({ err: '', exitCode: 0 });
    expect(out).toContain(`(${file})`);
    expect(out).toContain('\nport: 82\n');
    expect(out).not.toContain('hunter2');
  });

  it('prints the same as JSON', async () => {
    const file = join(folderWith({ ...files, 'g.yaml': yaml }), 'g.yaml');
    const { out, exitCode } = await check('--config', file, '--json');
    expect(exitCode).toBe(0);
    expect(out).not.toContain('hunter2');
    expect(JSON.parse(out)).toMatchObject({
      file,
      port: 81,
      playout: { lead: '200ms' },
      plivo: { authId: 'MA1', authToken: '********' },
      routes: [
        { name: 'h', to: ['+15551234567'] },
        { name: 'reject', query: { a: '1' } },
        { name: 'redirect' },
        { name: 'echo' },
      ],
    });
  });

  it('prints every problem on stderr and fails', async () => {
    const file = join(folderWith({ 'g.yaml': 'port: x\nhots: y\n' }), 'g.yaml');
    const { out, err, exitCode } = await check('--config', file);
    expect({ out, exitCode }).toEqual({ out: '', exitCode: 1 });
    expect(err.split('\n')).toEqual([
      'the configuration has 2 problems:',
      expect.stringContaining('  port: found "x"'),
      expect.stringContaining('  hots: unknown setting; did you mean host?'),
      '',
    ]);
  });
});

describe('the flags of the configuration', () => {
  it('are those of the settings, each with its default and environment variable in the help', () => {
    const command = addConfigFlags(new Command());
    const flags = settings.flatMap(({ flag }) => flag ?? []);
    expect(command.options.map(({ long }) => long)).toEqual([configFile.flag, ...flags]);
    const help = command.helpInformation().replace(/\s+/g, ' ');
    expect(help).toContain('--port <port> Port that takes streams; 0 is any free one');
    expect(help).toContain('(default: 9464; environment: ADMIN_PORT)');
    expect(help).toContain('(default: gateway.yaml; environment: GATEWAY_CONFIG)');
  });

  it('reach the configuration under the names that commander gives them', () => {
    const command = addConfigFlags(new Command());
    const args = ['--admin-host', '10.0.0.1', '--log-level', 'warn', '--shards', '2'];
    const flags = command.parse(args, { from: 'user' }).opts();
    const config = loadConfig({ flags, environment: {}, cwd: folderWith({}) });
    expect(config).toMatchObject({
      admin: { host: '10.0.0.1' },
      log: { level: 'warn' },
      shardCount: 2,
    });
  });
});
