import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { openToken, tokenKey } from '../../src/plivo/stream-token.js';
import { temporaryFolder } from '../calls/test-gateway.js';

type Mint = (facts: object, secret: string) => string;

it('docs/plivo.md has a recipe for tokens that the gateway takes', async () => {
  const page = readFileSync(new URL('../../docs/plivo.md', import.meta.url), 'utf8');
  const [, recipe = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
  const file = join(await temporaryFolder(), 'recipe.mjs');
  await writeFile(file, recipe);
  const { streamToken } = (await import(pathToFileURL(file).href)) as { streamToken: Mint };
  const facts = { callId: 'c-1', from: '+1555', to: '1666', query: { tenant: 'häns' } };
  const secret = 'a-secret-of-the-tests';
  const opened = openToken(streamToken(facts, secret), [tokenKey(secret)]);
  expect(opened).toMatchObject({ ok: true, token: { ...facts, account: '', route: '' } });
  const { issuedMs, expiresMs } = (opened as Extract<typeof opened, { ok: true }>).token;
  expect(expiresMs - issuedMs).toBe(60_000);
  expect(openToken(streamToken(facts, 'another-secret'), [tokenKey(secret)]).ok).toBe(false);
});
