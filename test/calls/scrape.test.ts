import { describe, expect, it } from 'vitest';
import { MetricsPage } from './metrics.js';
import type { StreamClient } from './stream-client.js';
import { TestGateway } from './test-gateway.js';
import { sleep, until } from './wait.js';

const handler = `
  audio(call, samples) { call.play(samples); },
  dtmf() { process.exit(1); },
`;
const forms: readonly Record<string, string>[] = [
  { 'accept-encoding': 'identity' },
  { 'accept-encoding': 'gzip' },
  { accept: 'application/openmetrics-text; version=1.0.0' },
];
const packet = 160;
/** Before, amid and after what happens. */
const pagesMin = 4;

/** Ten that scrape without a rest, in all forms, until `end`, which answers what each has seen. */
function scrapers(gateway: TestGateway) {
  let isOver = false;
  const one = async (index: number): Promise<readonly MetricsPage[]> => {
    const pages: MetricsPage[] = [];
    while (!isOver || pages.length < pagesMin) {
      const answer = await gateway.admin('/metrics', { headers: forms[index % forms.length]! });
      expect(answer.status).toBe(200);
      const text = await answer.text();
      expect(text.endsWith('# EOF\n')).toBe(index % forms.length === 2);
      pages.push(new MetricsPage(text));
      await sleep(20);
    }
    return pages;
  };
  const all = Array.from({ length: 10 }, (_, index) => one(index));
  return {
    end: async (): Promise<readonly (readonly MetricsPage[])[]> => {
      isOver = true;
      return Promise.all(all);
    },
  };
}

/** No page has a torn histogram, and no count goes back from one page to the next of the same scraper. */
function expectTrue(seen: readonly (readonly MetricsPage[])[]): void {
  expect(seen).toHaveLength(10);
  for (const pages of seen) {
    let before = new Map<string, number>();
    for (const page of pages) {
      expect(page.torn()).toEqual([]);
      const now = countsOf(page);
      for (const [series, value] of before) {
        expect(now.get(series), series).toBeGreaterThanOrEqual(value);
      }
      before = now;
    }
  }
}

/** All that counts for the whole process: what a thread of its own counts begins anew with another thread. */
function countsOf(page: MetricsPage): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { name, labels, value } of page.samples) {
    if (!/^plivo_gateway_.*_(total|count|bucket)$/.test(name) || 'shard' in labels) continue;
    counts.set(`${name}${JSON.stringify(labels)}`, value);
  }
  return counts;
}

async function talk(client: StreamClient, packets: number): Promise<void> {
  for (let sent = 0; sent < packets; sent += 1) {
    client.say(new Uint8Array(packet).fill(0x55));
    await sleep(20);
  }
  await client.waitForAudio(packet * packets);
}

describe('ten scrapers at once', () => {
  it('during a drain get whole pages, and cost no call a frame', async () => {
    const gateway = await TestGateway.open({ handler, shards: 2 });
    const clients = await Promise.all(Array.from({ length: 8 }, () => gateway.liveCall()));
    const scraping = scrapers(gateway);
    const talks = clients.map((client) => talk(client, 75));
    await sleep(500);
    const drained = gateway.gateway.drain(20_000);
    await Promise.all(talks);
    const seen = await scraping.end();
    const last = await gateway.metrics();
    for (const client of clients) await client.hangUp();
    expect(await drained).toBe(true);
    expectTrue(seen);
    for (const pages of seen) expect(pages.at(-1)!.value('draining')).toBe(1);
    expect(last.value('media_in_total')).toBe(8 * 75);
    expect(last.value('drops_total')).toBe(0);
  });

  it('while a shard dies and is replaced get whole pages, and nothing that was counted is lost', async () => {
    const gateway = await TestGateway.open({ handler, shards: 2 });
    const clients = await Promise.all(Array.from({ length: 4 }, () => gateway.liveCall()));
    await Promise.all(clients.map((client) => talk(client, 10)));
    const scraping = scrapers(gateway);
    clients[0]!.dtmf('1');
    await gateway.untilMetric('shard_restarts_total', {}, 1);
    await until('both shards', async () => (await gateway.metrics()).value('shard_ready') === 2);
    const seen = await scraping.end();
    expectTrue(seen);
    expect((await gateway.metrics()).value('media_in_total')).toBe(4 * 10);
  });
});
