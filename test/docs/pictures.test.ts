import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { metricsPage } from '../../load/docs/metrics-page.js';
import { plots, responsePlot } from '../../load/docs/response-plot.js';
import { measuredTable, pairs, withTable } from '../../load/docs/sound-table.js';
import { telephonePairs } from '../codec/workspace.js';

const docs = new URL('../../docs/', import.meta.url);
const page = await readFile(new URL('codec.md', docs), 'utf8');

describe('docs/codec.md', () => {
  it.each(plots)('shows $file as the kernel makes it now', async ({ file, ...pair }) => {
    expect(page).toContain(`](${file})`);
    expect(await readFile(new URL(file, docs), 'utf8')).toBe(responsePlot(pair));
  });

  it('states of every pair of telephony what is measured now', () => {
    expect(pairs.map(({ sourceRate, targetRate }) => [sourceRate, targetRate])).toEqual(
      telephonePairs,
    );
    expect(page).toBe(withTable(page, measuredTable()));
  });

  it('can only be given a table between its marks', () => {
    expect(() => withTable('no marks', '')).toThrow('<!-- end of measured -->');
  });
});

describe('docs/metrics.md', () => {
  it('lists every metric as the gateway describes it now', async () => {
    expect(await readFile(new URL('metrics.md', docs), 'utf8')).toBe(await metricsPage());
  });
});
