import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { autoShards } from '../../src/config/kinds.js';
import { loadConfig } from '../../src/config/load.js';
import { configured, folderWith, problemsOf } from './configured.js';

const nothing = { flags: {}, environment: {} };

describe('without any configuration', () => {
  it('has every default and one route that echoes', () => {
    const cwd = folderWith({});
    expect(loadConfig({ ...nothing, cwd })).toEqual({
      file: undefined,
      host: '0.0.0.0',
      port: 8080,
      admin: { host: '127.0.0.1', port: 9464, token: undefined },
      metrics: { public: false },
      tls: undefined,
      plivo: { apiUrl: 'https://api.plivo.com', credentials: undefined },
      accounts: [],
      hangup: {
        lostStreamGraceMs: 30_000,
        giveUpMs: 3_600_000,
        fsync: 'never',
        connections: 48,
        pipelining: 1,
        tickMs: 50,
        requestsMax: 300,
      },
      dataDir: join(cwd, 'data'),
      publicUrl: undefined,
      signatures: { upgrade: 'enforce' },
      answer: { whenBusy: { kind: 'hangup' }, tokenSecrets: [] },
      trustProxy: [],
      shardCount: autoShards(),
      limits: { calls: 2_000, watchdogMs: 1_000 },
      playout: { leadMs: 200, chunkMs: 20, queueMs: 60_000 },
      drain: { timeoutMs: 300_000, atDeadline: 'end' },
      log: { level: 'info', format: 'auto' },
      privacy: 'masked',
      callRecords: { log: true, file: undefined, webhook: undefined, headers: {} },
      capture: { folder: undefined },
      upstreams: [],
      routes: [
        {
          name: 'default',
          to: [],
          from: [],
          query: {},
          handler: { kind: 'builtin', name: 'echo' },
          sampleRate: 16_000,
          onStreamLost: 'hangup',
          stream: { contentType: 'audio/x-mulaw;rate=8000', after: { kind: 'hangup' } },
        },
      ],
    });
  });

  it.each([
    ['an empty file', ''],
    ['a file of comments', '# nothing\n'],
    ['an empty document', '---\n'],
    ['groups whose settings are all commented out', 'admin:\n  #port: 1\ntls:\nlog:\n'],
  ])('takes %s as no settings', (_, yaml) => {
    const cwd = folderWith({});
    expect(configured(yaml)).toEqual({
      ...loadConfig({ ...nothing, cwd }),
      file: expect.stringContaining('gateway.yaml'),
      dataDir: expect.stringMatching(/data$/),
    });
  });

  it('leaves one core to the front, and takes between 1 and 64 shards', () => {
    expect([1, 2, 8, 65, 200].map((cores) => autoShards(cores))).toEqual([1, 1, 7, 64, 64]);
  });
});

describe('the file', () => {
  it('is gateway.yaml in the current folder when none is named', () => {
    const cwd = folderWith({ 'gateway.yaml': 'port: 81' });
    const { file, port } = loadConfig({ ...nothing, cwd });
    expect({ file, port }).toEqual({ file: join(cwd, 'gateway.yaml'), port: 81 });
  });

  it('is the one of --config, else the one of GATEWAY_CONFIG, instead of gateway.yaml', () => {
    const cwd = folderWith({ 'gateway.yaml': 'port: 81', 'a.yaml': 'port: 82', b: 'port: 83' });
    const environment = { GATEWAY_CONFIG: 'a.yaml' };
    expect(loadConfig({ flags: {}, environment, cwd }).port).toBe(82);
    expect(loadConfig({ flags: { config: 'b' }, environment, cwd }).port).toBe(83);
    expect(loadConfig({ flags: {}, environment: { GATEWAY_CONFIG: '' }, cwd }).port).toBe(81);
  });

  it('must exist when it is named', () => {
    const cwd = folderWith({});
    const missing = (flags: object, environment: object) =>
      problemsOf(() => loadConfig({ flags: { ...flags }, environment: { ...environment }, cwd }));
    expect(missing({ config: 'x.yaml' }, {})).toEqual([
      `there is no file ${join(cwd, 'x.yaml')} (flag --config)`,
    ]);
    expect(missing({}, { GATEWAY_CONFIG: 'x.yaml' })).toEqual([
      `there is no file ${join(cwd, 'x.yaml')} (environment variable GATEWAY_CONFIG)`,
    ]);
    expect(missing({ config: '.' }, {})).toEqual([`${cwd} is a folder (flag --config)`]);
  });

  it('may use anchors, aliases and merged groups', () => {
    const yaml = [
      'routes:',
      '  - &first { handler: echo, sampleRate: 8000, to: &ours ["+1555*"] }',
      '  - { <<: *first, handler: ivr }',
      '  - { handler: echo, from: *ours }',
    ].join('\n');
    expect(configured(yaml).routes).toMatchObject([
      { name: 'echo', sampleRate: 8_000, to: ['+1555*'] },
      { name: 'ivr', sampleRate: 8_000, to: ['+1555*'] },
      { name: 'echo-2', from: ['+1555*'] },
    ]);
  });
});

describe('sources', () => {
  const yaml = 'host: file.example\nadmin: { port: 1 }\nlog: { level: warn }\n';

  it('go flags over environment over file over defaults', () => {
    const environment = { HOST: 'environment.example', ADMIN_PORT: '2', ADMIN_HOST: '10.0.0.2' };
    const flags = { host: 'flag.example', adminHost: '10.0.0.3' };
    expect(configured(yaml)).toMatchObject({ host: 'file.example', port: 8080 });
    expect(configured(yaml, { environment })).toMatchObject({
      host: 'environment.example',
      admin: { host: '10.0.0.2', port: 2 },
      log: { level: 'warn' },
    });
    expect(configured(yaml, { environment, flags })).toMatchObject({
      host: 'flag.example',
      admin: { host: '10.0.0.3', port: 2 },
      log: { level: 'warn' },
    });
  });

  it('are every environment variable and flag of the settings', () => {
    const environment = {
      ...{ HOST: '::1', PORT: '1', ADMIN_HOST: 'a', ADMIN_PORT: '2', SHARDS: '3' },
      ...{ PLIVO_AUTH_ID: 'MA1', PLIVO_AUTH_TOKEN: '12345', PLIVO_API_URL: 'http://127.0.0.1:9/' },
      ...{ LOG_LEVEL: 'debug', LOG_FORMAT: 'json', ADMIN_TOKEN: '1234567890123456' },
    };
    expect(configured('', { environment })).toMatchObject({
      host: '::1',
      port: 1,
      admin: { host: 'a', port: 2, token: '1234567890123456' },
      shardCount: 3,
      plivo: {
        apiUrl: 'http://127.0.0.1:9',
        credentials: { authId: 'MA1', authToken: '12345' },
      },
      log: { level: 'debug', format: 'json' },
    });
    const flags = { host: 'b', port: '0', adminHost: 'c', adminPort: '0', shards: 'auto' };
    expect(configured('', { environment, flags: { ...flags, logLevel: 'trace' } })).toMatchObject({
      host: 'b',
      port: 0,
      admin: { host: 'c', port: 0 },
      shardCount: autoShards(),
      log: { level: 'trace', format: 'json' },
    });
  });

  it('ignore empty environment variables, and flags of other commands', () => {
    const environment = { PORT: '', PLIVO_AUTH_ID: '', PLIVO_AUTH_TOKEN: '' };
    const config = configured('port: 81', { environment, flags: { json: true, port: undefined } });
    expect(config.port).toBe(81);
    expect(config.plivo.credentials).toBeUndefined();
  });

  it('complete a pair of settings from two sources', () => {
    const environment = { PLIVO_AUTH_TOKEN: 'secret' };
    const config = configured('plivo: { authId: MA1 }', { environment });
    expect(config.plivo.credentials).toEqual({ authId: 'MA1', authToken: 'secret' });
  });
});

describe('the result', () => {
  it('is frozen to the last route and can go to a thread', () => {
    const config = configured('routes: [{ handler: ivr, to: "+1555*" }]');
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.admin)).toBe(true);
    expect(Object.isFrozen(config.routes[0]?.to)).toBe(true);
    expect(Object.isFrozen(config.routes[0]?.handler)).toBe(true);
    expect(structuredClone(config)).toEqual(config);
  });

  it.each([
    ['playout: { lead: 20ms }', { playout: { leadMs: 20 } }],
    ['playout: { lead: 2s, chunk: 200ms, queue: 10m }', { playout: { leadMs: 2_000 } }],
    ['drain: { timeout: 0s }', { drain: { timeoutMs: 0, atDeadline: 'end' } }],
    ['drain: { timeout: 24h }', { drain: { timeoutMs: 86_400_000, atDeadline: 'end' } }],
    ['shards: 64', { shardCount: 64 }],
    ['port: 65535', { port: 65_535 }],
    ['privacy: full', { privacy: 'full' }],
    ['admin: { token: abcdefghijklmnop }', { admin: { token: 'abcdefghijklmnop' } }],
    ['metrics: { public: true }', { metrics: { public: true } }],
  ])('takes the bounds: %s', (yaml, expected) => {
    expect(configured(yaml)).toMatchObject(expected);
  });

  it('has absolute paths of certificate and key', () => {
    const cwd = folderWith({
      'etc/g.yaml': 'tls: { cert: c.pem, key: ../k.pem }',
      'etc/c.pem': '',
      'k.pem': '',
    });
    expect(loadConfig({ flags: { config: 'etc/g.yaml' }, environment: {}, cwd }).tls).toEqual({
      certFile: join(cwd, 'etc/c.pem'),
      keyFile: join(cwd, 'k.pem'),
    });
  });
});

describe('routes', () => {
  const files = { 'handlers/My Bot.mjs': '', 'echo.js': '', '----.js': '' };

  it('find handler files beside the configuration file', () => {
    const cwd = folderWith({ 'etc/g.yaml': 'routes: [{ handler: ../h.js }]', 'h.js': '' });
    const config = loadConfig({ flags: { config: 'etc/g.yaml' }, environment: {}, cwd });
    expect(config.routes[0]?.handler).toEqual({ kind: 'module', file: join(cwd, 'h.js') });
  });

  it('are named after their handlers, each differently', () => {
    const handlers = ['echo', './handlers/My Bot.mjs', 'echo', './echo.js', './----.js', 'ivr'];
    const items = handlers.map((handler) => `  - { handler: ${handler} }`);
    const yaml = `routes:\n${items.join('\n')}\n  - { handler: ivr, name: echo-2 }`;
    expect(configured(yaml, { files }).routes.map(({ name }) => name)).toEqual([
      ...['echo', 'my-bot', 'echo-3', 'echo-4', 'handler', 'ivr', 'echo-2'],
    ]);
  });

  it('keep path, numbers and rate, and leave out what is not set', () => {
    const route = '{ path: /ws, to: "+15551234567", from: ["1555*", "+44*"], handler: ivr }';
    expect(configured(`routes: [${route}]`).routes).toEqual([
      {
        name: 'ivr',
        path: '/ws',
        to: ['+15551234567'],
        from: ['1555*', '+44*'],
        query: {},
        handler: { kind: 'builtin', name: 'ivr' },
        sampleRate: 16_000,
        onStreamLost: 'hangup',
        stream: { contentType: 'audio/x-mulaw;rate=8000', after: { kind: 'hangup' } },
      },
    ]);
    expect(configured('routes: [{ handler: echo }]').routes[0]).not.toHaveProperty('path');
  });
});
