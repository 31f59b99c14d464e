import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { settings } from '../../src/config/schema.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(join(root, 'Dockerfile'), 'utf8').replace(/\\\n/g, ' ');
const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
const of = (word: string) =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
const defaultOf = (path: string) => settings.find((setting) => setting.path === path)?.default;

describe('the Dockerfile', () => {
  it('copies what is there, and what the build makes', () => {
    const sources = of('COPY').filter((line) => !line.startsWith('--from'));
    const copied = sources.flatMap((line) => line.split(/\s+/).slice(0, -1));
    expect(copied).toContain('src');
    expect(copied.filter((name) => !existsSync(join(root, name)))).toEqual([]);
    // Everything that tsc compiles.
    const { include } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as {
      include: string[];
    };
    expect(include.map((name) => name.split('/')[0]).every((name) => copied.includes(name!))).toBe(
      true,
    );
    const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
    expect(copied.filter((name) => ignored.includes(name))).toEqual([]);
  });

  it('keeps a binary that there is, for Node 22 on both processors', () => {
    expect(of('FROM').every((line) => line.startsWith('node:22-bookworm-slim'))).toBe(true);
    const bin = /const bin = '([^']+)'/.exec(text)![1]!;
    const files = readdirSync(join(root, bin));
    expect(files).toContain('uws_linux_x64_127.node');
    expect(files).toContain('uws_linux_arm64_127.node');
    // The name is put together in the same way for this Node.
    const { platform, arch, versions } = process;
    expect(files).toContain(`uws_${platform}_${arch}_${versions.modules}.node`);
  });

  it('sets variables that are settings', () => {
    const names = of('ENV').flatMap((line) =>
      [...line.matchAll(/(\w+)=/g)].map(([, name]) => name),
    );
    const known = settings.map(({ env }) => env);
    expect(names.filter((name) => name !== 'NODE_ENV' && !known.includes(name))).toEqual([]);
    expect(names).toContain('ADMIN_HOST');
  });

  it('checks the health that there is, and opens the ports that are', () => {
    const [health] = of('HEALTHCHECK');
    expect(health).toContain(`http://127.0.0.1:${defaultOf('admin.port')}/livez`);
    expect(of('EXPOSE')).toEqual([`${defaultOf('port')} ${defaultOf('admin.port')}`]);
    expect(of('STOPSIGNAL')).toEqual(['SIGTERM']);
  });

  it('runs the program as nobody special', () => {
    const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
    };
    expect(of('ENTRYPOINT')).toEqual([`["node", "${bin['plivo-gateway']}"]`]);
    // npx ends at SIGTERM and SIGHUP without passing them on.
    const deploying = readFileSync(join(root, 'docs/deploy.md'), 'utf8');
    const start = /^ExecStart=(.*)$/m.exec(deploying)![1];
    const program = `node_modules/plivo-stream-gateway/${bin['plivo-gateway']}`;
    expect(start).toBe(`/usr/bin/node ${program} serve`);
    expect(of('USER')).toEqual(['node']);
    expect(text.indexOf('USER node')).toBeGreaterThan(text.lastIndexOf('RUN '));
  });
});
