import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../src/config/duration.js';
import { nearestName } from '../../src/config/nearest.js';
import { settings } from '../../src/config/schema.js';

describe('the list of settings', () => {
  it('has every setting with its default, environment variable and flag', () => {
    const rows = settings.map(({ path, env, flag, default: usual }) =>
      [path, usual ?? '', env ?? '', flag ?? ''].join(' | '),
    );
    expect(rows).toEqual([
      'host | 0.0.0.0 | HOST | --host',
      'port | 8080 | PORT | --port',
      'admin.host | 127.0.0.1 | ADMIN_HOST | --admin-host',
      'admin.port | 9464 | ADMIN_PORT | --admin-port',
      'admin.token |  | ADMIN_TOKEN | ',
      'metrics.public | false |  | ',
      'tls.cert |  |  | ',
      'tls.key |  |  | ',
      'plivo.authId |  | PLIVO_AUTH_ID | ',
      'plivo.authToken |  | PLIVO_AUTH_TOKEN | ',
      'plivo.previousAuthToken |  | PLIVO_AUTH_TOKEN_PREVIOUS | ',
      'plivo.apiUrl | https://api.plivo.com | PLIVO_API_URL | ',
      'accounts | none |  | ',
      'accounts[].name | required |  | ',
      'accounts[].authId | required |  | ',
      'accounts[].authToken | required |  | ',
      'accounts[].previousAuthToken |  |  | ',
      'accounts[].apiUrl | plivo.apiUrl |  | ',
      'publicUrl |  | PUBLIC_URL | ',
      'signatures.upgrade | enforce | SIGNATURES_UPGRADE | ',
      'answer.forward |  |  | ',
      'answer.whenBusy | hangup |  | ',
      'answer.tokenSecret | the Auth Tokens | STREAM_TOKEN_SECRET | ',
      'trustProxy | none |  | ',
      'dataDir | ./data | DATA_DIR | --data-dir',
      'shards | auto | SHARDS | --shards',
      'limits.calls | 2000 |  | ',
      'limits.watchdog | 1s |  | ',
      'playout.lead | 200ms |  | ',
      'playout.chunk | 20ms |  | ',
      'playout.queue | 60s |  | ',
      'drain.timeout | 300s |  | ',
      'drain.atDeadline | end |  | ',
      'hangup.lostStreamGrace | 30s |  | ',
      'hangup.giveUpAfter | 1h |  | ',
      'hangup.fsync | never |  | ',
      'hangup.connections | 48 |  | ',
      'hangup.pipelining | 1 |  | ',
      'hangup.tick | 50ms |  | ',
      'hangup.requests | 300 |  | ',
      'log.level | info | LOG_LEVEL | --log-level',
      'log.format | auto | LOG_FORMAT | ',
      'privacy | masked |  | ',
      'callRecords.log | true |  | ',
      'callRecords.file |  |  | ',
      'callRecords.webhook |  |  | ',
      'callRecords.headers | none |  | ',
      'capture.folder |  |  | ',
      'upstreams | none |  | ',
      'upstreams[].name | required |  | ',
      'upstreams[].protocol | required |  | ',
      'upstreams[].urls | required |  | ',
      'upstreams[].discover | list |  | ',
      'upstreams[].health | none |  | ',
      'upstreams[].balance | least-calls |  | ',
      'upstreams[].callsPerAddress | 0 |  | ',
      'upstreams[].sampleRate | 16000 |  | ',
      'upstreams[].headers | none |  | ',
      'upstreams[].ca | those of Node |  | ',
      'upstreams[].connectTimeout | 3s |  | ',
      'upstreams[].readyTimeout | 0s |  | ',
      'routes | echo for every call |  | ',
      "routes[].name | the handler's name |  | ",
      'routes[].path | both |  | ',
      'routes[].to | any |  | ',
      'routes[].from | any |  | ',
      'routes[].direction | both |  | ',
      'routes[].query | any |  | ',
      'routes[].share | all |  | ',
      'routes[].handler | this or another target |  | ',
      'routes[].upstream |  |  | ',
      'routes[].lookup |  |  | ',
      'routes[].onUpstreamLost | fallback |  | ',
      'routes[].fallback | none: hang up |  | ',
      'routes[].autoHangUp | true |  | ',
      'routes[].meanwhile | silence |  | ',
      'routes[].play |  |  | ',
      'routes[].reject |  |  | ',
      'routes[].redirect |  |  | ',
      'routes[].sampleRate | 16000 |  | ',
      'routes[].account | by the Auth ID that Plivo sends |  | ',
      'routes[].onStreamLost | hangup |  | ',
      'routes[].contentType | audio/x-mulaw;rate=8000 |  | ',
      'routes[].streamTimeout | 24h, by Plivo |  | ',
      'routes[].extraHeaders | none |  | ',
      'routes[].noiseCancellation | none |  | ',
      'routes[].afterStream | hangup |  | ',
    ]);
  });

  it('describes each in one line that a table can hold', () => {
    for (const { path, description } of settings) {
      expect(description, path).toMatch(/^[^\n|]{10,90}$/);
    }
  });
});

describe('durations', () => {
  it.each([
    ['0s', 0],
    ['20ms', 20],
    ['1500ms', 1_500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
  ])('%s is written and read back', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
    expect(formatDuration(ms)).toBe(text);
  });

  it.each(['', '5', 's', '1.5s', '-1s', '5 s', '5S', '5sec', '1h30m', ' 5s', '9999999999s'])(
    '%j is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});

describe('the nearest name', () => {
  const names = ['port', 'host', 'sampleRate', 'authToken'];

  it.each([
    ['prot', 'port'],
    ['ports', 'port'],
    ['PORT', 'port'],
    ['sample_rate', 'sampleRate'],
    ['samplerat', 'sampleRate'],
    ['auth-tokens', 'authToken'],
  ])('to %s is %s', (found, name) => {
    expect(nearestName(found, names)).toBe(name);
  });

  it.each(['', 'x', 'sort-of', 'a'.repeat(1_000)])('to %j is none', (found) => {
    expect(nearestName(found, names)).toBeUndefined();
  });
});
