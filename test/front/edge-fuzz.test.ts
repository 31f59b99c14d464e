import { DOMParser } from '@xmldom/xmldom';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Edge } from '../../src/edge.js';
import { readAnswer } from '../../src/front/answer-forward.js';
import { openLog } from '../../src/log.js';
import { signatureV3 } from '../../src/plivo/signature.js';
import { configured } from '../config/configured.js';

const authToken = 'token-of-the-tests';
const config = configured(`
publicUrl: https://voice.example.com
plivo: { authId: MA1, authToken: ${authToken} }
routes: [{ handler: echo }]
`);
const log = openLog({ level: 'silent', format: 'json', privacy: 'full' });
const edge = new Edge(config, log, {
  state: () => ({
    ...{ draining: false, shardReady: true, routes: config.routes, connections: 0, slots: 1e9 },
  }),
  isLive: () => false,
  callEnded: () => {},
  streamStatus: () => {},
  answered: () => {},
  arrived: () => {},
  webhook: () => {},
});

function parse(xml: string) {
  const onError = (level: string, message: string) => {
    if (level !== 'warning') throw new Error(message);
  };
  return new DOMParser({ onError }).parseFromString(xml, 'application/xml').documentElement!;
}

const anything = fc.string({ unit: 'binary', maxLength: 200 });
const names = fc.oneof(
  fc.constantFrom(
    'CallUUID',
    'From',
    'To',
    'Direction',
    'Event',
    'CallStatus',
    'SIP-H-X-PH-a',
    '__proto__',
  ),
  anything,
);
const fields = fc.array(fc.tuple(names, anything), { maxLength: 12 });

/** Bounded: what a property costs is told by the test's own limit. */
const runs = { numRuns: 1_500 };

describe('whatever a signed webhook holds', () => {
  it('is answered with well-formed XML, and a stream URL that opens again with its facts', async () => {
    await fc.assert(
      fc.asyncProperty(fields, fields, async (form, query) => {
        const known = new Map(form);
        const inUrl = new URLSearchParams(
          query.map(([n, v]): [string, string] => [n, v]),
        ).toString();
        const url = `https://voice.example.com/answer${inUrl === '' ? '' : `?${inUrl}`}`;
        const nonce = 'n';
        const body = new URLSearchParams(form.map(([n, v]): [string, string] => [n, v])).toString();
        const signature = signatureV3(
          'POST',
          url,
          [...new URLSearchParams(body)],
          nonce,
          authToken,
        );
        const headers = { 'x-plivo-signature-v3': signature, 'x-plivo-signature-v3-nonce': nonce };
        const reply = await edge.webhooks.answer('answer', {
          ...{ method: 'POST', path: '/answer', query: inUrl, headers, body: Buffer.from(body) },
        });
        expect(reply.type).toBe('application/xml');
        const stream = [...parse(reply.text).childNodes].find(
          ({ nodeName }) => nodeName === 'Stream',
        );
        if (stream === undefined) return;
        const streamUrl = stream.textContent!;
        expect(streamUrl.length).toBeLessThanOrEqual(2_048);
        const checked = edge.tokens.check(streamUrl.replace(/.*\//, ''));
        expect(checked.ok).toBe(true);
        if (checked.ok && known.has('CallUUID')) expect(checked.token.callId).not.toBe('');
      }),
      runs,
    );
  }, 60_000);

  it('is answered without a throw by the others, too', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('hangup' as const, 'stream-status' as const),
        fc.constantFrom('GET' as const, 'POST' as const),
        anything,
        anything,
        (kind, method, query, body) => {
          const headers = { host: body, 'x-plivo-signature-v3': query };
          const request = { method, path: `/${kind}`, query, headers, body: Buffer.from(body) };
          expect([403, 413]).toContain(
            (edge.webhooks.answer(kind, request) as { status: number }).status,
          );
        },
      ),
      runs,
    );
  });
});

describe('whatever an upgrade holds', () => {
  it('is refused without a throw', () => {
    fc.assert(
      fc.property(anything, anything, anything, anything, (token, query, signature, host) => {
        const admission = edge.admissions.admit(
          {
            ...{ path: '/stream', token, query, address: 'x' },
            headers: {
              host,
              'x-plivo-signature-v3': signature,
              'x-plivo-signature-ma-v3': signature,
              'x-plivo-signature-v3-nonce': query,
            },
          },
          { draining: false, shardReady: true, routes: config.routes, connections: 0, slots: 10 },
        );
        expect(admission.admitted).toBe(false);
      }),
      runs,
    );
  });
});

describe('whatever an answer service says', () => {
  it('is read without a throw; what comes out of it is well-formed, with our URL in it', () => {
    const pieces = fc.array(
      fc.oneof(
        fc.constantFrom(
          '<Response>',
          '</Response>',
          '<Stream>',
          '</Stream>',
          '<Stream a="b">',
          '<!--',
          '-->',
        ),
        fc.constantFrom(
          '<![CDATA[',
          ']]>',
          '&amp;',
          '&',
          '<?xml version="1.0"?>',
          '<!DOCTYPE a [',
          ']>',
          'wss://x/?a=b',
        ),
        anything,
      ),
      { maxLength: 12 },
    );
    const whole = pieces.map((parts) => `<Response>${parts.join('')}</Response>`);
    fc.assert(
      fc.property(
        fc.oneof(
          pieces.map((parts) => parts.join('')),
          whole,
        ),
        (text) => {
          const answer = readAnswer(text);
          if (answer.kind === 'other') parse(answer.xml);
          if (answer.kind !== 'stream') return;
          const url = 'wss://voice.example.com/stream/abc?a=1&b=2';
          const root = parse(answer.withStream(url, 'https://voice.example.com/stream-status'));
          expect(root.getElementsByTagName('Stream')[0]?.textContent).toBe(url);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
