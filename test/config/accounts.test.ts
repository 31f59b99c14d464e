import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { printConfig } from '../../src/config/print.js';
import { configured, folderWith, problemsIn, problemsOf } from './configured.js';

const sales = 'name: sales, authId: SA1';
const plain = (kind: string, where: string) => `$\{${kind}:${where}}`;
const reference = (kind: string, where: string) => `"${plain(kind, where)}"`;
const withToken = (token: string) => `accounts: [{ ${sales}, authToken: ${token} }]`;

describe('accounts', () => {
  it('begin with that of the plivo section, and take its API unless they have their own', () => {
    const yaml = `
plivo: { authId: MA1, authToken: one, apiUrl: "http://127.0.0.1:1/" }
accounts:
  - { ${sales}, authToken: two }
  - { name: other, authId: SA2, authToken: three, apiUrl: "http://127.0.0.1:2" }
routes:
  - { handler: echo, account: other }
  - { handler: ivr, account: default, onStreamLost: leave }
`;
    const { accounts, routes } = configured(yaml);
    expect(accounts).toEqual([
      {
        name: 'default',
        credentials: { authId: 'MA1', authToken: 'one' },
        apiUrl: 'http://127.0.0.1:1',
      },
      {
        name: 'sales',
        credentials: { authId: 'SA1', authToken: 'two' },
        apiUrl: 'http://127.0.0.1:1',
      },
      {
        name: 'other',
        credentials: { authId: 'SA2', authToken: 'three' },
        apiUrl: 'http://127.0.0.1:2',
      },
    ]);
    expect(routes).toMatchObject([
      { account: 'other', onStreamLost: 'hangup' },
      { account: 'default', onStreamLost: 'leave' },
    ]);
  });

  it('are printed without their tokens, and read back as the same', () => {
    const config = configured(withToken('hunter2'));
    const text = printConfig(config);
    expect(text).not.toContain('hunter2');
    const again = configured(text.replace('********', 'hunter2'));
    expect(again.accounts).toEqual(config.accounts);
  });

  it.each([
    ['a name twice', '- { name: a, authId: A1, authToken: x }', 'accounts[0] is called already'],
    ['the name default', '- { name: default, authId: B1, authToken: x }', 'choose another'],
    ['one account twice', '- { name: b, authId: A1, authToken: x }', 'same account as accounts[0]'],
    ['the account of plivo', '- { name: b, authId: MA1, authToken: x }', 'as plivo.authId'],
    ['no token', '- { name: b, authId: B1 }', 'accounts[1].authToken: missing'],
  ])('cannot have %s', (_, second, words) => {
    const yaml = `plivo: { authId: MA1, authToken: x }\naccounts:\n  - { name: a, authId: A1, authToken: x }\n  ${second}\n`;
    const problems = problemsIn(yaml);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(words);
    expect(problems[0]).toMatch(/gateway\.yaml, line 4/);
  });

  it('that a route names must exist', () => {
    const route = 'routes: [{ handler: echo, account: slaes }]';
    expect(problemsIn(route)[0]).toMatch(/found "slaes", expected an account, and there is none/);
    expect(problemsIn(`${withToken('x')}\n${route}`)[0]).toMatch(/expected one of sales/);
    const environment = { PLIVO_AUTH_ID: 'MA1', PLIVO_AUTH_TOKEN: 'x' };
    const own = 'routes: [{ handler: echo, account: default }]';
    expect(configured(own, { environment }).routes[0]?.account).toBe('default');
  });
});

describe('a secret by reference', () => {
  it('is taken from a variable, or from a file beside the configuration', () => {
    const environment = { SALES_TOKEN: 'of-the-variable' };
    const fromVariable = configured(withToken(reference('env', 'SALES_TOKEN')), { environment });
    expect(fromVariable.accounts[0]?.credentials.authToken).toBe('of-the-variable');
    const cwd = folderWith({
      'etc/g.yaml': withToken(reference('file', 'secrets/sales')),
      'etc/secrets/sales': 'of-the-file\n',
    });
    const fromFile = loadConfig({ flags: { config: 'etc/g.yaml' }, environment: {}, cwd });
    expect(fromFile.accounts[0]?.credentials.authToken).toBe('of-the-file');
  });

  it('works in the environment as well, relative to the working directory', () => {
    const cwd = folderWith({ 'etc/g.yaml': '', token: 'of-the-file' });
    const environment = {
      GATEWAY_CONFIG: 'etc/g.yaml',
      PLIVO_AUTH_ID: 'MA1',
      PLIVO_AUTH_TOKEN: plain('file', 'token'),
    };
    const { plivo } = loadConfig({ flags: {}, environment, cwd });
    expect(plivo.credentials?.authToken).toBe('of-the-file');
    const admin = { ADMIN_TOKEN: plain('file', 'token'), ...environment };
    expect(problemsOf(() => loadConfig({ flags: {}, environment: admin, cwd }))).toEqual([
      expect.stringMatching(
        /^admin\.token: .* at least 16 characters, without spaces; .*token holds/,
      ),
    ]);
    writeFileSync(join(cwd, 'token'), 'of-the-file-but-longer');
    const long = loadConfig({ flags: {}, environment: admin, cwd });
    expect(long.admin.token).toBe('of-the-file-but-longer');
  });

  it.each([
    ['env', 'NOT_SET', 'environment variable NOT_SET is not set'],
    ['file', 'missing', 'there is no file'],
    ['file', 'long', 'is too long'],
    ['file', 'wrong', 'wrong holds something else'],
    ['env', 'WRONG', 'environment variable WRONG holds something else'],
    ['vault', 'x', `a reference is ${plain('env', 'NAME')} or`],
  ])('to %s:%s is refused with the reason', (kind, where, words) => {
    const problems = problemsIn(withToken(reference(kind, where)), {
      environment: { WRONG: 'hunter2 with spaces' },
      files: { long: 'x'.repeat(5_000), wrong: 'hunter2\nand more' },
    });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(words);
    expect(problems[0]).toContain('accounts[0].authToken');
    expect(problems[0]).not.toContain('hunter2');
  });

  it.each([
    'accounts: hunter2',
    'accounts: [hunter2]',
    'accounts: { authToken: hunter2 }',
    'accounts: [{ name: a, authId: "hunter2 x", authToken: "hunter2 x" }]',
  ])('or a plain one is in no message about %j', (yaml) => {
    const problems = problemsIn(yaml);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join('\n')).not.toContain('hunter2');
  });
});

describe('the data directory', () => {
  it('is relative to the file that names it, or else to the working directory', () => {
    const cwd = folderWith({ 'etc/g.yaml': 'dataDir: ../kept', 'gateway.yaml': '' });
    const config = { GATEWAY_CONFIG: 'etc/g.yaml' };
    const dataDir = (flags: object, environment: object) =>
      loadConfig({ flags: { ...flags }, environment: { ...environment }, cwd }).dataDir;
    expect(dataDir({}, {})).toBe(join(cwd, 'data'));
    expect(dataDir({}, config)).toBe(join(cwd, 'kept'));
    expect(dataDir({}, { ...config, DATA_DIR: 'here' })).toBe(join(cwd, 'here'));
    expect(dataDir({ dataDir: './there' }, { ...config, DATA_DIR: 'here' })).toBe(
      join(cwd, 'there'),
    );
    expect(dataDir({}, { DATA_DIR: '/var/lib/gateway' })).toBe('/var/lib/gateway');
  });
});
