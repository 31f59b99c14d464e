import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { conformance } from '../../load/conformance/command.js';
import { rules } from '../../load/conformance/rules.js';
import { TestGateway } from '../calls/test-gateway.js';

const plain = fileURLToPath(new URL('../../dist/load/bench/plain.js', import.meta.url));

describe('conformance', () => {
  it.concurrent('finds that the gateway honours every rule', async () => {
    const gateway = await TestGateway.open();
    const url = gateway.url();
    const results = await conformance({ url, insecure: false, patienceMs: 5_000 });
    expect(results.filter(({ honoured }) => !honoured)).toEqual([]);
    expect(results).toHaveLength(rules.length);
  }, 120_000);

  it.concurrent('finds what the program breaks that one writes first', async () => {
    const child = fork(plain, ['mulaw8'], { stdio: 'ignore' });
    try {
      const { port } = await new Promise<{ port: number }>((resolve) => {
        child.once('message', (message) => resolve(message as { port: number }));
      });
      const url = `ws://127.0.0.1:${port}/stream`;
      const results = await conformance({ url, insecure: false, patienceMs: 1_000 });
      const broken = results.filter(({ honoured }) => !honoured).map(({ name }) => name);
      expect(broken).toEqual(
        expect.arrayContaining(['l16-16', 'media-first', 'not-json', 'binary']),
      );
      const honoured = results.filter((one) => one.honoured).map(({ name }) => name);
      expect(honoured).toEqual(expect.arrayContaining(['answers', 'play-format', 'ping', 'close']));
    } finally {
      child.kill();
    }
  }, 120_000);
});
