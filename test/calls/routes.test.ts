import { beforeAll, describe, expect, it } from 'vitest';
import type { PlivoApi } from '../../load/plivo-api.js';
import { knownAtPlivo, openApi, refusedUpgrade, requestsFor, TestGateway } from './test-gateway.js';
import { until } from './wait.js';

let api: PlivoApi;
let gateway: TestGateway;
beforeAll(async () => {
  api = await openApi();
  gateway = await TestGateway.open({
    api,
    handler: `start(call) { tell(call, 'start', call.route); }`,
    routes: [
      { name: 'hidden', from: 'anonymous', query: { hide: 'no' }, reject: 'show your number' },
      { name: 'moved', direction: 'outbound', redirect: 'http://answer.example/moved?a=1' },
      { name: 'acme', query: { tenant: 'acme' }, handler: 'HANDLER' },
      { name: 'canary', path: '/ws', share: 50, handler: 'HANDLER' },
      { name: 'main', path: '/ws', handler: 'HANDLER' },
    ],
  });
});

describe('a route', () => {
  it('that rejects hangs the call up, and says why it ended', async () => {
    const client = await gateway.call({}, '/stream?from=anonymous&hide=no');
    const plivo = knownAtPlivo(api, client);
    await until('the hang-up', () => plivo.hungUp === 1);
    expect((await client.waitForClose()).code).toBe(1000);
    const ended = { reason: 'route-reject', fault: 'operator', route: 'hidden' };
    const page = await gateway.untilMetric('calls_ended_total', ended, 1);
    expect(page.value('calls_started_total', { route: 'hidden' })).toBe(1);
  });

  it('that redirects hands the call to the document, and does not hang it up', async () => {
    const client = await gateway.call({}, '/stream?direction=outbound');
    const plivo = knownAtPlivo(api, client);
    await until('the transfer', () => plivo.transferredTo !== undefined);
    expect(plivo.transferredTo).toBe('http://answer.example/moved?a=1');
    expect((await client.waitForClose()).code).toBe(1000);
    expect(requestsFor(api, client)).toEqual([]);
  });

  it('that cannot redirect hangs the call up rather than leave it in silence', async () => {
    // Nobody at Plivo knows this call: its transfer is refused.
    const client = await gateway.call({}, '/stream?direction=outbound');
    await until('the hang-up', () => requestsFor(api, client).length === 1);
    await client.waitForClose(8_000);
  });

  it('is chosen by the query, and by chance', async () => {
    const acme = await gateway.call({}, '/stream?tenant=acme');
    expect(await gateway.untilTold(acme, 'start')).toEqual(['acme']);
    const routes = new Set<unknown>();
    for (let i = 0; i < 40 && routes.size < 2; i += 1) {
      const client = await gateway.call({}, '/ws');
      for (const route of await gateway.untilTold(client, 'start')) routes.add(route);
      await client.hangUp();
    }
    expect([...routes].toSorted()).toEqual(['canary', 'main']);
  });

  it('there is none for is a 404', async () => {
    const refused = await refusedUpgrade(gateway.url('/stream?tenant=other'));
    expect(refused.status).toBe(404);
  });
});
