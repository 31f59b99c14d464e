import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CallOptions, call } from '../../load/call.js';
import type { CallSummary } from '../../load/call-summary.js';
import { PlivoApi } from '../../load/plivo-api.js';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const speech = path('test/fixtures/speech.wav');

const api = new PlivoApi();
let server: ChildProcess;
let url = '';
let printed = '';

/** Compiles the examples as a user would, and starts the server on a free port. */
beforeAll(async () => {
  await promisify(execFile)(path('node_modules/.bin/tsc'), ['-p', path('examples')]);
  await api.listen(0);
  server = spawn(process.execPath, [path('examples/dist/ws-server.js')], {
    env: {
      PORT: '0',
      PLIVO_AUTH_ID: 'MAEXAMPLE0000000000A',
      PLIVO_AUTH_TOKEN: 'secret',
      PLIVO_API_URL: api.url,
    },
  });
  server.stderr!.pipe(process.stderr);
  await new Promise<void>((listening, failed) => {
    server.once('exit', (code) => failed(new Error(`the example ended with ${code}`)));
    server.stdout!.on('data', (text: Buffer) => {
      printed += text.toString();
      const port = /port: (\d+)/.exec(printed)?.[1];
      if (port === undefined) return;
      url = `ws://127.0.0.1:${port}/`;
      listening();
    });
  });
}, 60_000);

afterAll(async () => {
  server?.kill();
  await api.close();
});

function conversation(options: CallOptions): Promise<CallSummary> {
  return call({ url, wavPath: speech, api, ...options });
}

describe('the example server', () => {
  it('repeats real speech in every format of a stream, cleanly and at once', async () => {
    const calls = await Promise.all([
      conversation({ format: 'mulaw8' }),
      conversation({ format: 'l16-8' }),
      conversation({ format: 'l16-16' }),
    ]);
    for (const summary of calls) {
      expect(summary.violations).toEqual([]);
      // On a busy machine the caller may have gone before the last echoes came.
      expect(summary.playAudioReceived).toBeGreaterThan(summary.mediaSent - 5);
      expect(summary.endReason).toBe('caller-hangup');
    }
    const [mulaw, narrow, wide] = calls;
    // µ-law is coded twice on its way; L16 at 8 kHz is filtered twice, at 16 kHz it passes
    // untouched.
    expect(mulaw!.echoSnrDb).toBeGreaterThan(30);
    expect(narrow!.echoSnrDb).toBeGreaterThan(30);
    expect(wide!.echoSnrDb).toBe(120);
    for (const summary of [mulaw!, narrow!]) expect(summary.echoDelayMs).toBeLessThan(6);
  }, 60_000);

  it('hangs up when the caller presses #', async () => {
    const summary = await conversation({ dtmf: '12#', dtmfAtMs: 200, dtmfGapMs: 100 });
    expect(summary).toMatchObject({ endReason: 'gateway-hangup', violations: [] });
    expect(printed).toContain("outcome: 'confirmed'");
  }, 60_000);
});
