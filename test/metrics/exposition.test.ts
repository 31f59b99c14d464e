import { gunzipSync } from 'node:zlib';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exposition } from '../../src/metrics/exposition.js';
import { Families } from '../../src/metrics/families.js';

let reads = 0;
let exposition: Exposition;

beforeEach(() => {
  reads = 0;
  const registry = new Registry();
  const registers = [registry];
  new Counter({ name: 'calls_total', help: 'Calls', labelNames: ['route'], registers }).inc(
    { route: 'main' },
    3,
  );
  new Gauge({ name: 'live', help: 'Live', registers }).set(2);
  new Histogram({ name: 'waits_seconds', help: 'Waits', buckets: [1], registers }).observe(0.5);
  const families = new Families(registry);
  families.one('counter', 'frames_total', 'Frames', () => {
    reads += 1;
    return 7;
  });
  families.histogram('way_seconds', 'Ways', () => [
    { labels: {}, value: { les: ['1', '+Inf'], buckets: [4, 1], sum: 6 } },
  ]);
  exposition = new Exposition(registry);
});

const openMetrics = 'application/openmetrics-text;version=1.0.0';

describe('a page of metrics', () => {
  it('is text of Prometheus for whoever asks for nothing else', async () => {
    const { type, encoding, body: bytes } = await exposition.page({});
    const body = String(bytes);
    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(encoding).toBe(undefined);
    expect(body).toContain('# TYPE calls_total counter\ncalls_total{route="main"} 3');
    expect(body).toContain('plivo_gateway_frames_total 7');
    expect(body).not.toContain('# EOF');
  });

  it('is OpenMetrics for whoever asks for it: the same samples, families without _total', async () => {
    const plain = String((await exposition.page({})).body);
    const { type, body: bytes } = await exposition.page({ accept: openMetrics });
    const body = String(bytes);
    expect(type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(body).toContain('# TYPE calls counter\ncalls_total{route="main"} 3\n');
    expect(body).toContain('# TYPE plivo_gateway_frames counter\nplivo_gateway_frames_total 7\n');
    expect(body.endsWith('\n# EOF\n')).toBe(true);
    expect(body).not.toContain('_total_total');
    expect(body).not.toMatch(/\n\n/);
    const samples = (text: string) => text.split('\n').filter((line) => /^[a-z]/.test(line));
    expect(samples(body)).toEqual(samples(plain));
    // The one form has left no mark on the other.
    expect(String((await exposition.page({})).body)).toBe(plain);
  });

  it.each([
    // What Prometheus 2.42 sends.
    [`${openMetrics},application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5`, true],
    ['text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.5', false],
    ['application/openmetrics-text;q=0', false],
    ['*/*', false],
    ['text/html,application/xhtml+xml', false],
    [';;;q=,,', false],
  ])('takes the better of what is accepted: %s', async (accept, isOpenMetrics) => {
    const { body } = await exposition.page({ accept });
    expect(String(body).endsWith('# EOF\n')).toBe(isOpenMetrics);
  });

  it('is compressed for whoever takes that', async () => {
    const plain = await exposition.page({ accept: openMetrics });
    const { encoding, body } = await exposition.page({
      ...{ accept: openMetrics, 'accept-encoding': 'deflate, gzip' },
    });
    expect(encoding).toBe('gzip');
    expect(gunzipSync(body)).toEqual(plain.body);
    for (const refused of ['gzip;q=0', 'br', 'identity']) {
      expect((await exposition.page({ 'accept-encoding': refused })).encoding).toBe(undefined);
    }
  });

  it('is made once for all who ask at once, and anew for who asks after', async () => {
    const ten = Array.from({ length: 10 }, (_, one) =>
      exposition.page(one % 2 === 0 ? {} : { 'accept-encoding': 'gzip' }),
    );
    const pages = await Promise.all(ten);
    expect(reads).toBe(1);
    expect(gunzipSync(pages[1]!.body)).toEqual(pages[0]!.body);
    await exposition.page({});
    expect(reads).toBe(2);
  });
});
