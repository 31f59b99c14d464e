import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { freePort } from '../../load/bench/children.js';
import { knownAtPlivo, openApi, TestGateway } from '../calls/test-gateway.js';
import { until } from '../calls/wait.js';

const program = fileURLToPath(new URL('../../examples/pcm_echo.py', import.meta.url));
/** The first one may be without it, and Debian's beside it have it. */
const python = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import websockets']).status === 0,
);
const ends: (() => void)[] = [];
afterAll(() => {
  for (const end of ends) end();
});

describe('the Python application of docs/upstreams.md', () => {
  it('is the one in the examples', () => {
    const page = readFileSync(new URL('../../docs/upstreams.md', import.meta.url), 'utf8');
    const [, shown] = /```python\n([\s\S]*?)```/.exec(page) ?? [];
    expect(shown).toBe(readFileSync(program, 'utf8'));
  });

  it.skipIf(python === undefined)(
    'answers a call, says back what was said, and ends it on #',
    async () => {
      const port = await freePort();
      const child = spawn(python ?? 'python3', [program, String(port)]);
      ends.push(() => child.kill());
      let printed = '';
      child.stdout.on('data', (text: Buffer) => {
        printed += text.toString('utf8');
      });
      await until('the program listens', () => printed.includes('listening'));
      const api = await openApi();
      const gateway = await TestGateway.open({
        api,
        settings: {
          upstreams: [{ name: 'app', protocol: 'pcm', urls: `ws://127.0.0.1:${port}` }],
        },
        routes: [{ name: 'main', upstream: 'app' }],
      });
      const client = await gateway.call({}, '/stream?from=15550001111');
      const plivo = knownAtPlivo(api, client);
      await until('the call', () => printed.includes(`call ${client.callId} from 15550001111`));
      client.say(new Uint8Array(160 * 20).fill(0x20));
      const back = await client.waitForAudio(160 * 18);
      expect(
        back.subarray(160 * 4, 160 * 16).filter((byte) => byte !== 0xff).length,
      ).toBeGreaterThan(1_000);
      client.dtmf('#');
      const last = await client.waitFor('checkpoint');
      client.played(String(last.name));
      await until('the hang-up', () => plivo.hungUp === 1);
    },
  );
});
