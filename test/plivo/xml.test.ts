import { DOMParser, type Element } from '@xmldom/xmldom';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { actionXml, type CallAction, emptyXml, streamXml } from '../../src/plivo/xml.js';

/** An independent reader. */
function read(xml: string) {
  const onError = (level: string, message: string) => {
    // It warns of U+FFFD, which is a character like others.
    if (level !== 'warning') throw new Error(`${level}: ${message}`);
  };
  return new DOMParser({ onError }).parseFromString(xml, 'application/xml').documentElement!;
}

const answer = {
  url: 'wss://voice.example.com/stream/abc',
  contentType: 'audio/x-mulaw;rate=8000',
  statusCallbackUrl: 'https://voice.example.com/stream-status',
  after: { kind: 'hangup' },
} as const;

describe('the XML of an answer', () => {
  it('streams in both directions, keeps the call alive, and names what it is asked for', () => {
    const root = read(
      streamXml({
        ...answer,
        streamTimeoutSeconds: 3_600,
        extraHeaders: 'tenant=acme,plan=gold',
        noiseCancellationLevel: 90,
      }),
    );
    const [stream, after] = [...root.childNodes] as unknown as [Element, Element];
    expect(root.nodeName).toBe('Response');
    expect(stream.textContent).toBe(answer.url);
    const attributes = Object.fromEntries(
      [...stream.attributes].map(({ name, value }) => [name, value]),
    );
    expect(attributes).toEqual({
      bidirectional: 'true',
      keepCallAlive: 'true',
      contentType: 'audio/x-mulaw;rate=8000',
      streamTimeout: '3600',
      statusCallbackUrl: answer.statusCallbackUrl,
      statusCallbackMethod: 'POST',
      extraHeaders: 'tenant=acme,plan=gold',
      noiseCancellation: 'true',
      noiseCancellationLevel: '90',
    });
    expect(after.nodeName).toBe('Hangup');
  });

  it('leaves out what nobody asked for', () => {
    const xml = streamXml(answer);
    for (const name of ['streamTimeout', 'extraHeaders', 'noise']) expect(xml).not.toContain(name);
  });

  it.each<[CallAction, string]>([
    [{ kind: 'hangup' }, '<Hangup/>'],
    [{ kind: 'speak', text: 'all <busy>' }, '<Speak>all &#60;busy&#62;</Speak><Hangup/>'],
    [{ kind: 'dial', to: '+15551230000' }, '<Dial><Number>+15551230000</Number></Dial>'],
    [{ kind: 'dial', to: 'sip:a@b' }, '<Dial><User>sip:a@b</User></Dial>'],
    [
      { kind: 'redirect', url: 'https://a/?b=1&c=2' },
      '<Redirect method="POST">https://a/?b=1&#38;c=2</Redirect>',
    ],
  ])('without a stream does %j', (action, expected) => {
    expect(actionXml(action)).toBe(
      `<?xml version="1.0" encoding="UTF-8"?>\n<Response>${expected}</Response>\n`,
    );
  });

  it('for a call that is over is empty', () => {
    expect(read(emptyXml).childNodes.length).toBe(0);
  });

  it('is well-formed and gives every text back, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const root = read(
          streamXml({
            ...answer,
            ...{ url: text, statusCallbackUrl: text, extraHeaders: `x${text}` },
            after: { kind: 'speak', text },
          }),
        );
        const [stream, speak] = [...root.childNodes] as unknown as [Element, Element];
        // XML has no place for these at all.
        const expected = text.replace(/(?![\t\n\r\u007f-\u009f])\p{Cc}|[\ufffe\uffff]/gu, '\ufffd');
        expect(stream.textContent).toBe(expected);
        expect(stream.getAttribute('statusCallbackUrl')).toBe(expected);
        expect(speak.textContent).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('has lone halves of characters replaced', () => {
    expect(actionXml({ kind: 'speak', text: 'a\ud83db\udc00' })).toContain('a\ufffdb\ufffd');
  });
});
