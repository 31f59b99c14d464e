import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { configured, folderWith, problemsIn, problemsOf } from './configured.js';

/** What a message says behind the place, without the file. */
function problemIn(yaml: string, files: Record<string, string> = {}): string {
  const problems = problemsIn(yaml, { files });
  expect(problems).toHaveLength(1);
  return problems[0]!.replace(/ \(gateway\.yaml(, line \d+)?(, column \d+)?\)$/, '');
}

describe('all problems at once', () => {
  it('come in the order of the file, then the environment, then the flags', () => {
    const yaml = 'log:\n  level: loud\nport: abc\nprot: 1\n\nplivo:\n  authId: MA1\n';
    const environment = { PORT: '8080x', SHARDS: '0' };
    expect(problemsIn(yaml, { environment, flags: { adminPort: '70000' } })).toEqual([
      'log.level: found "loud", expected one of trace, debug, info, warn, error, fatal, silent' +
        ' (gateway.yaml, line 2)',
      'port: found "abc", expected a whole number from 0 to 65535 (gateway.yaml, line 3)',
      'prot: unknown setting; did you mean port? (gateway.yaml, line 4)',
      'plivo.authToken: missing, although plivo.authId is set; set both or neither' +
        ' (gateway.yaml, line 7)',
      'port: found "8080x", expected a whole number from 0 to 65535 (environment variable PORT)',
      'shards: found 0, expected auto or a whole number from 1 to 64 (environment variable SHARDS)',
      'admin.port: found 70000, expected a whole number from 0 to 65535 (flag --admin-port)',
    ]);
  });

  it('include values that another source overrides', () => {
    const problems = problemsIn('port: -1', { environment: { PORT: 'x' }, flags: { port: '1' } });
    expect(problems).toHaveLength(2);
  });

  it('name a file outside the current folder by its whole path', () => {
    const elsewhere = join(folderWith({ 'g.yaml': 'port: x' }), 'g.yaml');
    const load = () =>
      loadConfig({ flags: { config: elsewhere }, environment: {}, cwd: folderWith({}) });
    expect(problemsOf(load)[0]).toContain(`(${elsewhere}, line 1)`);
  });
});

describe('unknown settings', () => {
  it.each([
    ['prot: 1', 'prot: unknown setting; did you mean port?'],
    ['playout: { leed: 20ms }', 'playout.leed: unknown setting; did you mean playout.lead?'],
    [
      'plivo: { auth_token: x }',
      'plivo.auth_token: unknown setting; did you mean plivo.authToken?',
    ],
    ['authToken: x', 'authToken: unknown setting; did you mean plivo.authToken?'],
    ['log-level: info', 'log-level: unknown setting; did you mean log.level?'],
    ['colour: red', 'colour: unknown setting'],
    [
      'routes: [{ handler: echo, form: "+1*" }]',
      'routes[0].form: unknown setting; did you mean routes[0].from?',
    ],
    ['__proto__: { port: 1 }', '__proto__: unknown setting'],
    ['constructor: 1', 'constructor: unknown setting'],
    ['admin: { toString: 1 }', 'admin.toString: unknown setting'],
    ['"a\\nb": 1', '"a\\nb": unknown setting'],
    ['? [a]\n: 1', '"[ a ]": unknown setting'],
  ])('in %s', (yaml, expected) => {
    expect(problemIn(yaml)).toBe(expected);
  });
});

describe('wrong values', () => {
  const anAddress = 'expected an IP address or a host name, without port';
  const aPort = 'expected a whole number from 0 to 65535';
  const aUrl = 'expected an http:// or https:// address without user name, query or fragment';

  it.each([
    ['host: "127.0.0.1:80"', `host: found "127.0.0.1:80", ${anAddress}`],
    ['host: ""', `host: found "", ${anAddress}`],
    ['admin: { host: 5 }', `admin.host: found 5, ${anAddress}`],
    ['port: 65536', `port: found 65536, ${aPort}`],
    ['port: -1', `port: found -1, ${aPort}`],
    ['port: 80.5', `port: found 80.5, ${aPort}`],
    ['port: .nan', `port: found .nan, ${aPort}`],
    ['port: "8080"', `port: found "8080", ${aPort}`],
    ['port: true', `port: found true, ${aPort}`],
    ['port:', `port: found nothing, ${aPort}`],
    ['port: [1]', `port: found a list, ${aPort}`],
    ['port: { a: 1 }', `port: found a group of settings, ${aPort}`],
    ['admin: 9464', 'admin: found a number, expected settings, each with a name'],
    ['admin: [1]', 'admin: found a list, expected settings, each with a name'],
    ['metrics: { public: yes }', 'metrics.public: found "yes", expected true or false'],
    ['plivo: { apiUrl: ftp://a }', `plivo.apiUrl: found "ftp://a", ${aUrl}`],
    ['plivo: { apiUrl: api.plivo.com }', `plivo.apiUrl: found "api.plivo.com", ${aUrl}`],
    ['plivo: { apiUrl: http://a?b }', `plivo.apiUrl: found "http://a?b", ${aUrl}`],
    ['shards: 65', 'shards: found 65, expected auto or a whole number from 1 to 64'],
    ['shards: many', 'shards: found "many", expected auto or a whole number from 1 to 64'],
    ['limits: { calls: 0 }', 'limits.calls: found 0, expected a whole number from 1 to 100000'],
    [
      'drain: { atDeadline: stay }',
      'drain.atDeadline: found "stay", expected one of end, handover, leave',
    ],
    [
      'drain: { atDeadline: handover }',
      'drain.atDeadline: handover needs publicUrl and the credentials of an account',
    ],
    ['privacy: none', 'privacy: found "none", expected one of masked, full'],
    ['log: { format: text }', 'log.format: found "text", expected one of auto, pretty, json'],
  ])('%s', (yaml, expected) => {
    expect(problemIn(yaml)).toBe(expected);
  });

  it('cuts a long one', () => {
    expect(problemIn(`host: ${'-'.repeat(500)}`).length).toBeLessThan(150);
  });
});

describe('durations', () => {
  const unit = 'expected a duration with its unit (ms, s, m or h), as in';

  it.each([
    ['playout: { lead: 200 }', `playout.lead: found 200, ${unit} "200ms"`],
    ['drain: { timeout: 30 }', `drain.timeout: found 30, ${unit} "30s"`],
    ['drain: { timeout: 0 }', `drain.timeout: found 0, ${unit} "0s"`],
    ['playout: { queue: 0.5 }', `playout.queue: found 0.5, ${unit} "60s"`],
    [
      'playout: { lead: 10ms }',
      'playout.lead: found "10ms", expected a duration from 20ms to 2s, as in "200ms"',
    ],
    [
      'playout: { lead: 3s }',
      'playout.lead: found "3s", expected a duration from 20ms to 2s, as in "200ms"',
    ],
    [
      'playout: { chunk: 30ms }',
      'playout.chunk: found "30ms", expected a duration from 20ms to 200ms in steps of 20ms, as in "20ms"',
    ],
    [
      'playout: { chunk: 220ms }',
      'playout.chunk: found "220ms", expected a duration from 20ms to 200ms in steps of 20ms, as in "20ms"',
    ],
    [
      'playout: { queue: 11m }',
      'playout.queue: found "11m", expected a duration from 1s to 10m, as in "60s"',
    ],
    [
      'drain: { timeout: 25h }',
      'drain.timeout: found "25h", expected a duration from 0s to 24h, as in "300s"',
    ],
    [
      'drain: { timeout: 1d }',
      'drain.timeout: found "1d", expected a duration from 0s to 24h, as in "300s"',
    ],
    [
      'drain: { timeout: -1s }',
      'drain.timeout: found "-1s", expected a duration from 0s to 24h, as in "300s"',
    ],
    [
      'drain: { timeout: 5:00 }',
      'drain.timeout: found "5:00", expected a duration from 0s to 24h, as in "300s"',
    ],
  ])('%s', (yaml, expected) => {
    expect(problemIn(yaml)).toBe(expected);
  });
});

describe('upstreams', () => {
  const app = 'name: app, protocol: pcm, urls: "ws://a"';
  const anAddress =
    'expected a ws:// or wss:// address, in which {call} {stream} {account} {from} {to} {route} {resumed} {body} stand for facts of the call; or { url, weight }';

  it.each([
    [
      'upstreams: [{ name: app, protocol: pcm, urls: "http://a" }]',
      `upstreams[0].urls: found "http://a", ${anAddress}`,
    ],
    [
      'upstreams: [{ name: app, protocol: pcm, urls: ["ws://a", "ws://b/{caller}"] }]',
      `upstreams[0].urls[1]: found "ws://b/{caller}", ${anAddress}`,
    ],
    [
      'upstreams: [{ name: app, protocol: pcm, urls: "ws://a/#b" }]',
      `upstreams[0].urls: found "ws://a/#b", ${anAddress}`,
    ],
    [
      'upstreams: [{ name: app, protocol: pcm, urls: [{ url: "ws://a", weight: 0 }] }]',
      `upstreams[0].urls[0]: found a group of settings, ${anAddress}`,
    ],
    [
      'upstreams: [{ name: app, protocol: sip, urls: "ws://a" }]',
      'upstreams[0].protocol: found "sip", expected one of plivo, pipecat, pcm',
    ],
    [
      `upstreams: [{ ${app} }, { ${app} }]`,
      'upstreams[1].name: found "app", which upstreams[0] is called already',
    ],
    [
      `upstreams: [{ ${app}, headers: { Authorization: "\${env:NOT_THERE}" } }]`,
      `upstreams[0].headers.Authorization: found "\${env:NOT_THERE}", expected plain text; environment variable NOT_THERE is not set`,
    ],
    [
      'routes: [{ upstream: app }]',
      'routes[0].upstream: found "app", expected an upstream, and there is none',
    ],
    [
      `upstreams: [{ ${app} }]\nroutes: [{ upstream: apps }]`,
      'routes[0].upstream: found "apps", expected one of app',
    ],
    [
      `upstreams: [{ ${app} }]\nroutes: [{ name: a, upstream: app, fallback: b }]`,
      'routes[0].fallback: found "b", expected the name of another route',
    ],
  ])('%s', (yaml, expected) => {
    expect(problemIn(yaml)).toBe(expected);
  });
});

describe('routes', () => {
  const aHandler =
    'expected echo, ivr, or the path of a .js or .mjs file beginning with ./, ../ or /';
  const aNumber =
    'expected a phone number such as "+15551234567", a SIP user such as "sip:alice", either with a * behind its beginning, or anonymous';
  const aName = 'expected up to 40 of the characters a to z, 0 to 9, _ and -';
  const route = (setting: string) => `routes: [{ handler: echo, ${setting} }]`;

  it.each([
    ['routes: echo', 'routes: found "echo", expected a list of routes'],
    ['routes: { handler: echo }', 'routes: found a group of settings, expected a list of routes'],
    ['routes:', 'routes: found nothing, expected a list of routes'],
    [
      'routes: []',
      'routes: found an empty list, expected at least one route; without the setting, echo takes every call',
    ],
    ['routes: [echo]', 'routes[0]: found "echo", expected settings, each with a name'],
    [
      'routes: [{}]',
      'routes[0]: missing: handler, upstream, lookup, play, reject, redirect; one of them says who answers',
    ],
    [
      route('reject: closed'),
      'routes[0].reject: a route leads to one place, and handler is set already',
    ],
    [
      'routes: [{ redirect: "ftp://x" }]',
      'routes[0].redirect: found "ftp://x", expected an http:// or https:// address without user name or fragment',
    ],
    [route('share: 0'), 'routes[0].share: found 0, expected a whole number from 1 to 100'],
    [route('direction: in'), 'routes[0].direction: found "in", expected one of inbound, outbound'],
    [
      route('query: { tenant: 5 }'),
      'routes[0].query: found a group of settings, expected names with a text each, as in `tenant: "acme"`',
    ],
    [
      'routes: [{ handler: ehco }]',
      `routes[0].handler: found "ehco", ${aHandler}; did you mean echo?`,
    ],
    ['routes: [{ handler: ./a.txt }]', `routes[0].handler: found "./a.txt", ${aHandler}`],
    ['routes: [{ handler: 5 }]', `routes[0].handler: found 5, ${aHandler}`],
    [
      'routes: [{ handler: h.js }]',
      'routes[0].handler: found "h.js", expected a path beginning with ./, ../ or /, as in "./h.js"',
    ],
    [
      'routes: [{ handler: ./h.ts }]',
      'routes[0].handler: found "./h.ts", expected JavaScript: compile it first, and name the .js file that comes out',
    ],
    [route('path: /other'), 'routes[0].path: found "/other", expected one of /stream, /ws'],
    [
      route('sampleRate: 11025'),
      'routes[0].sampleRate: found 11025, expected one of 8000, 16000, 22050, 24000, 32000, 44100, 48000 (Hz)',
    ],
    [route('name: My Route'), `routes[0].name: found "My Route", ${aName}`],
    [route('name: ""'), `routes[0].name: found "", ${aName}`],
    [route('name: 7'), `routes[0].name: found 7, ${aName}; quote it, or YAML reads something else`],
    [
      route('to: []'),
      `routes[0].to: found an empty list, ${aNumber}; for any number leave the line out`,
    ],
    [route('to: ["+1555*", abc]'), `routes[0].to[1]: found "abc", ${aNumber}`],
    [route('to: "+1 555 123 4567"'), `routes[0].to: found "+1 555 123 4567", ${aNumber}`],
    [route('to: "+15*67"'), `routes[0].to: found "+15*67", ${aNumber}`],
    [route('to: "*"'), `routes[0].to: found "*", ${aNumber}`],
    [route('from: { a: 1 }'), `routes[0].from: found a group of settings, ${aNumber}`],
  ])('%s', (yaml, expected) => {
    expect(problemIn(yaml)).toBe(expected);
  });

  it.each([
    ['to: +15551234567', 'routes[0].to: found the number +15551234567', '"+15551234567"'],
    ['from: [15551234567]', 'routes[0].from[0]: found the number 15551234567', '"15551234567"'],
    [
      'to: 00155512345678901234567',
      'routes[0].to: found the number 00155512345678901234567',
      '"00155512345678901234567"',
    ],
  ])('asks for quotes around the phone number of %s', (setting, found, fix) => {
    expect(problemIn(route(setting))).toBe(`${found}, expected a text: quote it, as in ${fix}`);
  });

  it('names the missing handler file', () => {
    const problem = problemIn('routes: [{ handler: ./no.js }]');
    expect(problem).toMatch(/expected a handler that can be read: there is no file \/.*\/no\.js$/);
  });

  it('refuses a folder as a handler', () => {
    const problem = problemIn('routes: [{ handler: ./a.js }]', { 'a.js/x': '' });
    expect(problem).toMatch(/expected a handler that can be read: \/.*\/a\.js is a folder$/);
  });

  it('refuses two routes of one name', () => {
    const yaml = 'routes:\n  - {name: a, handler: echo}\n  - {name: a, handler: ivr}';
    expect(problemsIn(yaml)).toEqual([
      'routes[1].name: found "a", which routes[0] is called already (gateway.yaml, line 3)',
    ]);
  });
});

describe('pairs', () => {
  it.each([
    ['tls: { cert: ./c.pem }', 'tls.key: missing, although tls.cert is set; set both or neither'],
    ['tls: { key: ./c.pem }', 'tls.cert: missing, although tls.key is set; set both or neither'],
    [
      'plivo: { authToken: x }',
      'plivo.authId: missing, although plivo.authToken is set; set both or neither',
    ],
  ])('%s', (yaml, expected) => {
    expect(problemIn(yaml, { 'c.pem': '' })).toBe(expected);
  });

  it('blame the source of the half that is there', () => {
    expect(problemsIn('', { environment: { PLIVO_AUTH_ID: 'MA1' } })).toEqual([
      'plivo.authToken: missing, although plivo.authId is set; set both or neither' +
        ' (environment variable PLIVO_AUTH_ID)',
    ]);
  });

  it('are not called incomplete when the file could not be read', () => {
    const environment = { PLIVO_AUTH_TOKEN: 'secret' };
    expect(problemsIn('plivo: { authId: MA1', { environment })).toHaveLength(1);
  });

  it('name the certificate file that is missing or a folder', () => {
    const problems = problemsIn('tls:\n  cert: ./no.pem\n  key: ./d', { files: { 'd/x': '' } });
    expect(problems).toHaveLength(2);
    expect(problems[0]).toMatch(
      /^tls\.cert: found "\.\/no\.pem", expected the path of a PEM file with the certificate: there is no file \/.*\/no\.pem \(gateway\.yaml, line 2\)$/,
    );
    expect(problems[1]).toMatch(/with the private key: \/.*\/d is a folder \(.*line 3\)$/);
  });
});

describe('files that are no configuration', () => {
  it.each([
    [
      '- a\n- b',
      'expected settings, each with a name and a colon, as in "port: 8080" (gateway.yaml)',
    ],
    ['port', 'expected settings, each with a name and a colon, as in "port: 8080" (gateway.yaml)'],
    [
      'port: 1\nport: 2',
      'port stands here a second time in the same group (gateway.yaml, line 2, column 1)',
    ],
    [
      'log: { level: info, level: warn }',
      'level stands here a second time in the same group (gateway.yaml, line 1, column 21)',
    ],
    [
      'port: 1\n---\nport: 2',
      'a second YAML document begins here; only one may (gateway.yaml, line 2, column 1)',
    ],
    [
      'log:\n\tlevel: info',
      'not YAML: indent with spaces, not with tabs (gateway.yaml, line 2, column 1)',
    ],
    [
      'host: a: b',
      'not YAML: Nested mappings are not allowed in compact mappings (gateway.yaml, line 1, column 7)',
    ],
    ['{', 'not YAML: Flow map must end with a } (gateway.yaml, line 1, column 2)'],
    [
      'host: *name',
      'an alias without its anchor; quote a text that begins with * (gateway.yaml, line 1)',
    ],
    [
      'host: !name x',
      'an unknown tag; quote a text that begins with ! (gateway.yaml, line 1, column 7)',
    ],
  ])('%j', (yaml, expected) => {
    expect(problemsIn(yaml)).toEqual([expected]);
  });

  it('refuses a file that is not UTF-8', () => {
    const cwd = folderWith({ 'gateway.yaml': Uint8Array.of(0x61, 0x3a, 0x20, 0xff) });
    expect(problemsOf(() => loadConfig({ flags: {}, environment: {}, cwd }))).toEqual([
      'the file is not UTF-8 (gateway.yaml)',
    ]);
  });

  it('refuses aliases that multiply', () => {
    const lines = ['a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de']) {
      lines.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(', ')}]`);
    }
    expect(problemsIn(lines.join('\n'))).toEqual(['too many aliases (gateway.yaml)']);
  });

  it('survives an anchor that contains itself', () => {
    expect(problemsIn('routes: &r [*r]')).toEqual([
      'routes[0]: found a list, expected settings, each with a name (gateway.yaml, line 1)',
    ]);
  });
});

describe('secrets', () => {
  it.each([
    'plivo: { authId: MA1, authToken: "hunter2 x" }',
    'plivo: { authId: "hunter2 x", authToken: a }',
    'plivo: hunter2',
    'plivo: { authTokn: hunter2 }',
    'plivo: { authToken: hunter2: x }',
    'plivo:\n  authToken: "hunter2\nport: 1',
    'plivo: { authToken: !hunter2 }',
    'plivo: { authToken: *hunter2 }',
    'plivo: { authToken: "a" hunter2 }',
    'plivo:\n  authToken: |hunter2\n',
    'plivo: { apiUrl: "https://me:hunter2@api.plivo.com" }',
    'admin: { token: hunter2 }',
    'admin: { token: "hunter2 is 16 characters long" }',
    'admin: { tokn: hunter2-hunter2-hunter2 }',
    'admin: hunter2',
  ])('are in no message about %j', (yaml) => {
    expect(() => configured(yaml)).toThrow(/the configuration has/);
    expect(problemsIn(yaml).join('\n')).not.toContain('hunter2');
  });

  it('are in no message about the environment', () => {
    const environment = { PLIVO_AUTH_ID: 'MA1', PLIVO_AUTH_TOKEN: 'hunter2 x' };
    expect(problemsIn('', { environment })).toEqual([
      'plivo.authToken: found a text not shown here, expected an Auth Token without spaces' +
        ' (environment variable PLIVO_AUTH_TOKEN)',
    ]);
    expect(problemsIn('', { environment: { ADMIN_TOKEN: 'hunter2-hunter2' } })).toEqual([
      'admin.token: found a text not shown here, expected a token of at least 16 characters,' +
        ' without spaces (environment variable ADMIN_TOKEN)',
    ]);
  });
});
