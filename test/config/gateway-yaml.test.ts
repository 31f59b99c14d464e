import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.js';
import { settings } from '../../src/config/schema.js';
import { folderWith } from './configured.js';

const shipped = readFileSync(new URL('../../gateway.yaml', import.meta.url), 'utf8');
/** Every setting switched on: comments have one space behind the #, settings none or more. */
const uncommented = shipped.replace(/^( *)#(?! \S)(?=.*\S)/gm, '$1');
const nothing = { flags: {}, environment: {} };

describe('the shipped gateway.yaml', () => {
  it('changes nothing as it stands', () => {
    const withFile = loadConfig({ ...nothing, cwd: folderWith({ 'gateway.yaml': shipped }) });
    const without = loadConfig({ ...nothing, cwd: folderWith({}) });
    const absent = { file: undefined, dataDir: '' };
    expect({ ...withFile, ...absent }).toEqual({ ...without, ...absent });
  });

  it('is right with every commented setting switched on', () => {
    const cwd = folderWith({
      'gateway.yaml': uncommented,
      'tls/cert.pem': '',
      'tls/key.pem': '',
      'handlers/support.js': '',
      'handlers/next.js': '',
      'sounds/ringing.wav': '',
      'sounds/sorry.wav': '',
      'secrets/sales-token': 'a-secret\n',
    });
    const environment = { STREAM_TOKEN_SECRET: 'a-secret-of-the-tests' };
    const config = loadConfig({ flags: {}, environment, cwd });
    expect(config.tls?.certFile).toBe(join(cwd, 'tls/cert.pem'));
    expect(config.admin.token).toBeDefined();
    expect(config.plivo.credentials).toBeDefined();
    expect(config.accounts[1]?.credentials.authToken).toBe('a-secret');
    expect(config.upstreams).toEqual([
      expect.objectContaining({
        name: 'bots',
        callsMax: 20,
        discover: 'dns',
        health: '/health',
        readyMs: 10_000,
        caFile: join(cwd, 'tls/cert.pem'),
        addresses: [expect.objectContaining({ weight: 1 }), expect.objectContaining({ weight: 2 })],
      }),
    ]);
    expect(config.routes).toEqual([
      expect.objectContaining({ name: 'menu', to: ['+15551234567'] }),
      {
        name: 'support',
        path: '/ws',
        to: ['+15552223333', '+15552224444'],
        from: ['+1212*', '+44*'],
        query: {},
        handler: { kind: 'module', file: join(cwd, 'handlers/support.js') },
        sampleRate: 24_000,
        account: 'sales',
        onStreamLost: 'leave',
        stream: {
          contentType: 'audio/x-l16;rate=16000',
          timeoutMs: 3_600_000,
          extraHeaders: 'tenant=acme',
          noiseCancellation: 85,
          after: { kind: 'redirect', url: 'https://voice.example.com/survey' },
        },
      },
      expect.objectContaining({
        name: 'hidden',
        from: ['anonymous'],
        handler: { kind: 'reject', why: 'callers have to show their number' },
      }),
      expect.objectContaining({
        name: 'campaign',
        direction: 'outbound',
        query: { tenant: 'acme' },
        handler: { kind: 'redirect', url: 'https://voice.example.com/campaign' },
      }),
      expect.objectContaining({ name: 'canary', share: 10 }),
      expect.objectContaining({
        name: 'bots',
        handler: {
          kind: 'upstream',
          name: 'bots',
          onUpstreamLost: 'fallback',
          fallback: 'sorry',
          autoHangUp: true,
          meanwhile: join(cwd, 'sounds/ringing.wav'),
        },
      }),
      expect.objectContaining({
        name: 'asked',
        handler: expect.objectContaining({ kind: 'lookup', url: 'http://10.0.0.9/route' }),
      }),
      expect.objectContaining({
        name: 'sorry',
        handler: { kind: 'play', file: join(cwd, 'sounds/sorry.wav') },
      }),
      expect.objectContaining({ name: 'default', to: [], from: [] }),
    ]);
  });

  it('shows every setting, and beside it the variable and the flag that set it', () => {
    const tree: unknown = parse(uncommented);
    for (const { path, env, flag } of settings) {
      expect(valuesAt(tree, path), path).not.toHaveLength(0);
      const notes = [env, flag].filter((name) => name !== undefined).join(', ');
      expect(shipped, path).toContain(notes);
    }
  });
});

/** The values at a path in which `[]` stands for every item of a list. */
function valuesAt(tree: unknown, path: string): readonly unknown[] {
  let values: readonly unknown[] = [tree];
  for (const part of path.split('.')) {
    const name = part.replace('[]', '');
    values = values
      .map((value) => (value as Record<string, unknown>)[name])
      .filter((value) => value !== undefined);
    if (part.endsWith('[]')) values = values.flat();
  }
  return values;
}
