import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { RecordOutcome } from '../../src/calls/record-sinks.js';
import { RecordWebhook } from '../../src/calls/record-webhook.js';
import {
  recordAttemptsMax,
  recordWebhookConnections,
  recordWebhookWaitingMax,
} from '../../src/limits.js';
import { openLog } from '../../src/log.js';
import { until } from '../calls/wait.js';
import { aRecord } from './a-record.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Got {
  readonly callId: string;
  readonly headers: IncomingMessage['headers'];
}

/** A service that answers as it is told, given how many requests it has had. */
async function service(answer: (response: ServerResponse, request: number) => void) {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += chunk));
    request.on('end', () => {
      const { callId } = JSON.parse(text) as { callId: string };
      got.push({ callId, headers: request.headers });
      answer(response, got.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  closers.push(async () => server.closeAllConnections());
  const { port } = server.address() as AddressInfo;
  return { got, url: `http://127.0.0.1:${port}/calls?from=gateway` };
}

const status = (code: number) => (response: ServerResponse) => response.writeHead(code).end();

function open(url: string) {
  const counts: Record<RecordOutcome, number> = { written: 0, failed: 0, dropped: 0 };
  const logged: string[] = [];
  const lines = { write: (line: string) => logged.push(line) };
  const webhook = new RecordWebhook({
    url,
    headers: { authorization: 'Bearer of-the-tests' },
    log: openLog({ level: 'info', format: 'json', privacy: 'masked' }, lines),
    count: (outcome) => {
      counts[outcome] += 1;
    },
    retryMs: 1,
  });
  closers.push(() => webhook.close(0));
  return { webhook, counts, logged };
}

describe('the webhook of call records', () => {
  it('is POSTed each record as JSON, with the configured headers', async () => {
    const { url, got } = await service(status(204));
    const { webhook, counts, logged } = open(url);
    for (let count = 0; count < 50; count += 1) webhook.write(aRecord(`call-${count}`));
    await until('all written', () => counts.written === 50);
    expect(new Set(got.map(({ callId }) => callId)).size).toBe(50);
    expect(got[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      authorization: 'Bearer of-the-tests',
    });
    expect(logged).toEqual([]);
    expect(webhook.waiting).toBe(0);
  });

  it.each([500, 503, 429, 408])('tries again after %i, until it is taken', async (code) => {
    const { url, got } = await service((response, request) =>
      status(request < 4 ? code : 200)(response),
    );
    const { webhook, counts, logged } = open(url);
    webhook.write(aRecord('a'));
    await until('written', () => counts.written === 1);
    expect(got.map(({ callId }) => callId)).toEqual(['a', 'a', 'a', 'a']);
    expect(logged).toHaveLength(2);
    expect(logged[0]).toContain(`it answered with status ${code}`);
    expect(logged[1]).toContain('again');
  });

  it('tries again when nobody is there, and gives up after its attempts', async () => {
    const { webhook, counts } = open('http://127.0.0.1:9/');
    webhook.write(aRecord('a'));
    await until('given up', () => counts.failed === 1);
    expect(counts.written).toBe(0);
  });

  it('sends no more than its attempts', async () => {
    const { url, got } = await service(status(500));
    const { webhook, counts } = open(url);
    webhook.write(aRecord('a'));
    await until('given up', () => counts.failed === 1);
    expect(got).toHaveLength(recordAttemptsMax);
  });

  it.each([400, 401, 404])('gives up at once after %i, as the same would follow', async (code) => {
    const { url, got } = await service(status(code));
    const { webhook, counts } = open(url);
    webhook.write(aRecord('a'));
    await until('given up', () => counts.failed === 1);
    expect(got).toHaveLength(1);
  });

  it('keeps no more than its bound while the service hangs, and counts what it drops', async () => {
    const { url } = await service(() => {});
    const { webhook, counts, logged } = open(url);
    for (let count = 0; count < recordWebhookWaitingMax + 25; count += 1) {
      webhook.write(aRecord(`call-${count}`));
    }
    expect(webhook.waiting).toBe(recordWebhookWaitingMax);
    expect(counts.dropped).toBe(25);
    await webhook.close(50);
    expect(counts.failed).toBe(recordWebhookWaitingMax);
    expect(webhook.waiting).toBe(0);
    expect(logged.at(-1)).toContain('were not delivered');
  });

  it('has no more requests under way than it may', async () => {
    let open_ = 0;
    let most = 0;
    const { url } = await service((response) => {
      open_ += 1;
      most = Math.max(most, open_);
      setTimeout(() => {
        open_ -= 1;
        response.end();
      }, 5);
    });
    const { webhook, counts } = open(url);
    for (let count = 0; count < 60; count += 1) webhook.write(aRecord(`call-${count}`));
    await until('all written', () => counts.written === 60);
    expect(most).toBe(recordWebhookConnections);
  });

  it('delivers what waits when the gateway ends, a record in its back-off too', async () => {
    let isUp = false;
    const { url } = await service((response) => status(isUp ? 200 : 500)(response));
    const { webhook, counts } = open(url);
    webhook.write(aRecord('a'));
    await until('a failure', () => webhook.waiting === 1 && counts.failed === 0);
    isUp = true;
    await webhook.close(2_000);
    expect(counts).toEqual({ written: 1, failed: 0, dropped: 0 });
  });
});
