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
admin: { token: hunter2-of-the-admin }
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
  token: "********"
metrics:
  public: false
tls:
  cert: ${folder}/c.pem
  key: ${folder}/k.pem
plivo:
  authId: MA1
  authToken: "********"
  apiUrl: https://api.plivo.com
signatures:
  upgrade: enforce
answer:
  whenBusy: hangup
accounts: []
dataDir: ${folder}/data
shards: 3
limits:
  calls: 2000
  watchdog: 1s
playout:
  lead: 200ms
  chunk: 20ms
  queue: 1m
drain:
  timeout: 90s
  atDeadline: end
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
callRecords:
  log: true
upstreams: []
routes:
  - name: h
    path: /ws
    to:
      - "+15551234567"
    handler: ${folder}/h.js
    sampleRate: 16000
    onStreamLost: hangup
    contentType: audio/x-mulaw;rate=8000
    afterStream: hangup
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
    contentType: audio/x-mulaw;rate=8000
    afterStream: hangup
  - name: redirect
    redirect: https://x.example/later?a=b
    sampleRate: 16000
    onStreamLost: hangup
    contentType: audio/x-mulaw;rate=8000
    afterStream: hangup
  - name: echo
    handler: echo
    sampleRate: 16000
    onStreamLost: hangup
    contentType: audio/x-mulaw;rate=8000
    afterStream: hangup
`);
  });

  it('can be read again and means the same', () => {
    const config = configured(yaml, { files });
    const text = printConfig(config)
      .replace('token: "********"', 'token: hunter2-of-the-admin')
      .replace('authToken: "********"', 'authToken: hunter2');
    const again = configured(text);
    expect({ ...again, file: config.file }).toEqual(config);
  });

  it('means the same with every kind of target, and all that is said of answers', () => {
    const text = `
plivo: { authId: MA1, authToken: hunter2, previousAuthToken: hunter2 }
answer:
  forward: https://x.example/answer?a=b
  whenBusy: { speak: "all lines are <busy>" }
  tokenSecret: hunter2-hunter2-hunter2
signatures: { upgrade: observe }
trustProxy: [10.0.0.0/8, "::1"]
callRecords:
  log: false
  file: ./calls.jsonl
  webhook: https://x.example/calls?a=b
  headers: { authorization: hunter2 }
upstreams:
  - { name: bots, protocol: pcm, urls: [{ url: "ws://x:1/", weight: 2 }], discover: dns, health: /h, readyTimeout: 5s }
routes:
  - name: a
    upstream: bots
    fallback: c
    meanwhile: ./w.wav
    contentType: audio/x-l16;rate=16000
    streamTimeout: 1h
    extraHeaders: { tenant: acme, plan: gold }
    noiseCancellation: 60
    afterStream: { dial: "+15551234567" }
  - { name: b, lookup: "http://x.example/route", fallback: c, afterStream: { redirect: "https://x.example/" } }
  - { name: c, play: ./w.wav }
`;
    const config = configured(text, { files: { 'w.wav': '' } });
    const printed = printConfig(config);
    expect(printed).not.toContain('hunter2');
    const again = configured(
      printed
        .replace('tokenSecret: "********"', 'tokenSecret: hunter2-hunter2-hunter2')
        .replaceAll('********', 'hunter2'),
    );
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
