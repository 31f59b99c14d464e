import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import type { CallRecord } from '../../src/calls/call-record.js';
import type { CallStoryView } from '../../src/calls/call-story.js';
import { ask, publicUrl, signed } from './edge-client.js';
import { StreamClient } from './stream-client.js';
import { knownAtPlivo, openApi, TestGateway } from './test-gateway.js';
import { until } from './wait.js';

/** Speaks at once, and ends the call at the digit #. */
const handler = `
  start(call) { call.play(tone(100, 16000), 16000); },
  dtmf(call, digit) { if (digit === '#') call.end(); },
`;

const posted: CallRecord[] = [];
const logged: Record<string, unknown>[] = [];
const service = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk) => (text += chunk));
  request.on('end', () => {
    posted.push(JSON.parse(text) as CallRecord);
    response.end();
  });
});

let api: PlivoApi;
let gateway: TestGateway;
beforeAll(async () => {
  api = await openApi();
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const { port } = service.address() as AddressInfo;
  gateway = await TestGateway.open({
    ...{ handler, api, logged },
    settings: {
      publicUrl,
      callRecords: { file: './records/calls.jsonl', webhook: `http://127.0.0.1:${port}/calls` },
    },
    environment: { SIGNATURES_UPGRADE: 'enforce' },
  });
});
afterAll(() => {
  service.closeAllConnections();
  service.close();
});

async function story(callId: string): Promise<CallStoryView | undefined> {
  const answer = await gateway.admin(`/api/calls/${callId}`);
  return answer.ok ? ((await answer.json()) as CallStoryView) : undefined;
}

const written = (callId: string): Promise<CallRecord> =>
  until('a record', () => posted.find((record) => record.callId === callId));

/** A call from its answer on. */
async function answered(callId = randomUUID()): Promise<StreamClient> {
  const { streamPath } = await ask(gateway, { callId });
  const client = await StreamClient.open(gateway.url(streamPath));
  client.start({ callId });
  await until('audio', () => client.heard.some(({ event }) => event === 'playAudio'));
  return client;
}

function hangupWebhook(callId: string, cause: string): Promise<Response> {
  const form = { CallUUID: callId, Event: 'Hangup', HangupCause: cause };
  return fetch(`http://127.0.0.1:${gateway.gateway.port}/hangup`, {
    method: 'POST',
    headers: signed('POST', `${publicUrl}/hangup`, Object.entries(form)),
    body: new URLSearchParams(form),
  });
}

describe('a call that the application ends', () => {
  it('has one record, the same in the file, at the webhook and in the API', async () => {
    const client = await answered();
    const { callId, streamId } = client;
    knownAtPlivo(api, client);
    expect((await story(callId))?.state).toBe('live');
    client.dtmf('#');
    const record = await written(callId);
    expect(record).toMatchObject({
      ...{ version: 1, callId, streamId, route: 'calls', answeredBy: 'calls', streams: 1 },
      ...{ from: '155******11', to: '155******22', admittedBy: 'token' },
      ...{ endReason: 'app-end', fault: 'application', closeCode: 1000 },
      hangup: { reason: 'app-end', outcome: 'confirmed', attempts: 1 },
    });
    expect(record.mediaOut).toBeGreaterThanOrEqual(5);
    expect(record.seconds).toBeGreaterThan(0);
    expect(record.voice?.setupMs).toBeGreaterThan(0);
    expect(Date.parse(record.endedAt) - Date.parse(record.startedAt)).toBeGreaterThan(0);

    const file = await readFile(join(gateway.folder, 'records', 'calls.jsonl'), 'utf8');
    const lines = file.split('\n').filter((line) => line.includes(callId));
    expect(lines.map((line) => JSON.parse(line) as CallRecord)).toEqual([record]);
    const { state, record: shown, timeline } = (await story(callId))!;
    expect(state).toBe('ended');
    expect(shown).toEqual(record);
    const happened = timeline.map(({ what }) => what);
    expect(happened.slice(0, 3)).toEqual(['upgrade', 'start', 'first-audio']);
    for (const what of ['digit', 'hangup-asked', 'hangup-confirmed', 'stream-ended']) {
      expect(happened.filter((known) => known === what)).toHaveLength(1);
    }
    // Digits are PINs.
    expect(JSON.stringify(timeline)).not.toContain('#');

    const ends = logged.filter((line) => line.msg === 'call ended' && line.callId === callId);
    expect(ends).toHaveLength(1);
    expect(ends[0]).toMatchObject({
      ...{ route: 'calls', reason: 'app-end', fault: 'application', hangup: 'confirmed' },
      ...{ seconds: record.seconds, mediaIn: record.mediaIn, mediaOut: record.mediaOut },
    });
  });

  it("carries the cause of Plivo's webhook, which comes after the stream", async () => {
    const first = await answered();
    await first.hangUp();
    await hangupWebhook(first.callId, 'Normal Hangup');
    await written(first.callId);
    expect((await story(first.callId))?.record.hangupCause).toBe('Normal Hangup');
    // From now on it is waited for.
    const second = await answered();
    await second.hangUp();
    await until('the end', async () => (await story(second.callId))?.state === 'ending');
    await hangupWebhook(second.callId, 'Busy Line');
    expect((await written(second.callId)).hangupCause).toBe('Busy Line');
  });

  it('is counted for each place that its record went to', async () => {
    const client = await answered();
    const before = await gateway.metrics();
    await client.hangUp();
    await hangupWebhook(client.callId, 'Normal Hangup');
    for (const sink of ['log', 'file', 'webhook']) {
      const labels = { sink, outcome: 'written' };
      const count = before.value('call_records_total', labels) + 1;
      await gateway.untilMetric('call_records_total', labels, count);
    }
    expect((await gateway.metrics()).value('call_records_waiting')).toBe(0);
  });
});

describe('a call that nobody knows', () => {
  it('is 404', async () => {
    expect((await gateway.admin(`/api/calls/${randomUUID()}`)).status).toBe(404);
  });
});

describe('calls that were told to stream here', () => {
  it('are counted by what came', async () => {
    const before = await gateway.metrics();
    const grown = async (outcome: string) =>
      (await gateway.metrics()).value('answered_calls_total', { outcome }) -
      before.value('answered_calls_total', { outcome });
    const client = await answered();
    expect(await grown('stream')).toBe(1);
    const gone = randomUUID();
    await ask(gateway, { callId: gone });
    await hangupWebhook(gone, 'Normal Hangup');
    expect(await grown('ended-first')).toBe(1);
    expect(await grown('no-stream')).toBe(0);
    await client.hangUp();
  });
});

describe('a gateway that drains', () => {
  it('writes the records of the calls that it ends', async () => {
    const last = await TestGateway.open({
      ...{ handler, api },
      settings: { callRecords: { file: './calls.jsonl' } },
    });
    const client = await last.liveCall();
    knownAtPlivo(api, client);
    await last.gateway.drain(0);
    const [line] = (await readFile(join(last.folder, 'calls.jsonl'), 'utf8')).split('\n');
    expect(JSON.parse(line!)).toMatchObject({
      ...{ callId: client.callId, endReason: 'drain-deadline', fault: 'operator' },
      hangup: { outcome: 'confirmed' },
    });
  });
});
