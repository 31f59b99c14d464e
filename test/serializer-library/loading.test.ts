import { execFile } from 'node:child_process';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

/**
 * Writes the URL of every module that is loaded from here on, by whatever way, to the standard
 * output.
 */
const watch = `
  import { register } from 'node:module';
  const hooks = \`
    import { writeSync } from 'node:fs';
    export async function load(url, context, next) {
      writeSync(1, url + '\\\\n');
      return next(url, context);
    }\`;
  register('data:text/javascript,' + encodeURIComponent(hooks));
`;

/** Runs a program in a fresh Node, at the root of the package; answers its lines. */
async function lines(program: string, ...flags: string[]): Promise<string[]> {
  const args = [...flags, '--input-type=module', '--eval', program];
  const { stdout } = await run(process.execPath, args, { cwd: root });
  return stdout.split('\n').filter((line) => line !== '');
}

/** Our own modules by their path in the build, others as they are called. */
function named(url: string): string {
  return url.startsWith('file:') ? relative(`${root}/dist/src`, fileURLToPath(url)) : url;
}

/** And `node:module`, which the watch itself has loaded before. */
const library = [
  'codec/filters.js',
  'codec/kernel.js',
  'codec/resampler.js',
  'codec/rounding.js',
  'errors.js',
  'limits.js',
  'node:assert/strict',
  'node:fs',
  'node:util/types',
  'plivo/messages.js',
  'serializer.js',
  'serializer/audio.js',
  'serializer/control.js',
  'serializer/drops.js',
  'serializer/kernel-pool.js',
  'serializer/media-scan.js',
  'serializer/options.js',
  'serializer/stream-codec.js',
  'serializer/wire-message.js',
];

describe('plivo-stream-gateway/serializer', () => {
  it('loads its own few modules and no package, while audio passes too', async () => {
    const loaded = await lines(`${watch}
      const { PlivoFrameSerializer } = await import('plivo-stream-gateway/serializer');
      const params = { autoHangUp: false };
      const serializer = new PlivoFrameSerializer({ streamId: 's', params });
      const media = { payload: Buffer.alloc(160).toString('base64') };
      const frame = serializer.deserialize(JSON.stringify({ event: 'media', media }));
      if (serializer.serialize(frame) === null) throw new Error('no message');
    `);
    expect(loaded.map(named).toSorted()).toEqual(library);
  });

  it('loads its HTTP client with the first hang-up', async () => {
    const loaded = await lines(`${watch}
      const { PlivoFrameSerializer } = await import('plivo-stream-gateway/serializer');
      const ids = { streamId: 's', callId: '..', authId: 'a', authToken: 't' };
      const serializer = new PlivoFrameSerializer(ids);
      process.stdout.write('hang up\\n');
      serializer.serialize({ type: 'EndFrame' });
      await serializer.hangup;
    `);
    const before = loaded.slice(0, loaded.indexOf('hang up')).map(named);
    const after = loaded.slice(loaded.indexOf('hang up') + 1).map(named);
    expect(before.toSorted()).toEqual(library);
    expect(after).toEqual(
      expect.arrayContaining(['serializer/hang-up.js', 'hangup/plivo-client.js', 'plivo/rest.js']),
    );
    expect(after.some((name) => name.includes('undici'))).toBe(true);
    const others = /piscina|pino|uWebSockets|uws|zod|prom-client|commander|yaml|\/ws\/|\.node$/;
    expect([...before, ...after].filter((name) => others.test(name))).toEqual([]);
  });

  it('keeps no process alive', async () => {
    const program = `
      import { PlivoFrameSerializer } from 'plivo-stream-gateway/serializer';
      new PlivoFrameSerializer({ streamId: 's', params: { autoHangUp: false } });
      process.stdout.write('done');
    `;
    expect(await lines(program)).toEqual(['done']);
  });

  it('gives back what serializers held that nobody closed', async () => {
    const program = `
      import { setTimeout as sleep } from 'node:timers/promises';
      import { PlivoFrameSerializer } from 'plivo-stream-gateway/serializer';
      import { kernelCount, seatsPerKernel } from './dist/src/serializer/kernel-pool.js';
      for (let round = 0; round < 10; round += 1) {
        for (let i = 0; i < seatsPerKernel; i += 1) {
          new PlivoFrameSerializer({ streamId: 's', params: { autoHangUp: false } }).flush();
        }
        globalThis.gc();
        await sleep(20);
      }
      process.stdout.write(String(kernelCount()));
    `;
    const [kernels] = await lines(program, '--expose-gc');
    expect(Number(kernels)).toBeLessThanOrEqual(3);
  });
});
