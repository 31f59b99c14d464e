import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Fields, isSigned, signatureV3, verifyV3 } from '../../src/plivo/signature.js';

const token = 'test_auth_token_0001';
const nonce = '05429567804466091622';
const answerUrl = 'https://voice.example.com/answer';
const call: Fields = [
  ['To', '15550002222'],
  ['CallUUID', 'c-1'],
  ['From', '15550001111'],
];

/** What the key and nonce make of a text that was put together by hand. */
const signed = (text: string) =>
  createHmac('sha256', token).update(`${text}.${nonce}`).digest('base64');

describe('a signature', () => {
  it.each([
    [
      'GET',
      'http://voice.example.com/ws?tenant=t1&callId=abc',
      [],
      '50Hn93quwcZaKrEuZgCc892sMZDRrO7JNw7iCtbazM4=',
    ],
    ['GET', answerUrl, [], '1YXBP/2DIV8A3KgMqqIIn+T0lwgzMCMrB34UMqNQkAg='],
    ['POST', answerUrl, call, '1cH1pYKd//gn9OY9vBmxfr9ausp9ZLd5o/VFzstgq8M='],
    [
      'POST',
      `${answerUrl}?run=7`,
      call.filter(([name]) => name !== 'To'),
      'zdNmUJpb0TwpQ5QCgmuKWS8waSAYJCfyF5QcWOKO3OU=',
    ],
    ['POST', `${answerUrl}?run=7`, [], 'qM55V7+iVaLVoL2PuTTKFCMD1arPgJDT9/iyUT2uckI='],
  ] as const)(
    'is that of the protocol reference, section 6.2: %s %s',
    (method, url, params, is) => {
      expect(signatureV3(method, url, params, nonce, token)).toBe(is);
    },
  );

  it.each([
    ['duplicate names sorted by value', 'https://h/p?b=2&a=9&b=1', 'https://h/p?a=9&b=1&b=2'],
    ['capitals before small letters', 'https://h/p?a=1&B=2', 'https://h/p?B=2&a=1'],
    ['empty values kept', 'https://h/p?a&b=', 'https://h/p?a=&b='],
    ['values decoded', 'https://h/p?to=%2B1+2&n=%C3%BC', 'https://h/p?n=ü&to=+1 2'],
    ['an explicit port', 'https://h:443/p?a=1', 'https://h:443/p?a=1'],
    ['no slash added', 'https://h', 'https://h'],
    ['a slash kept', 'https://h/', 'https://h/'],
    ['a slash kept at the end of a path', 'https://h/ws/?a=1', 'https://h/ws/?a=1'],
    ['the case of the host kept', 'https://Voice.Example.COM/p', 'https://Voice.Example.COM/p'],
    ['no fragment', 'https://h/p?a=1#ct=2000', 'https://h/p?a=1'],
    ['no fragment without a query', 'https://h/p#a?b=1', 'https://h/p'],
    ['no empty query', 'https://h/p?', 'https://h/p'],
  ])('of a GET has %s', (_what, url, text) => {
    expect(signatureV3('GET', url, [], nonce, token)).toBe(signed(text));
  });

  it('of a GET takes further fields into the query', () => {
    const signature = signatureV3('GET', 'https://h/p?b=2', [['a', '1']], nonce, token);
    expect(signature).toBe(signed('https://h/p?a=1&b=2'));
  });

  it('of a POST sorts the form, with its duplicates and empty values, and the query', () => {
    const form: Fields = [
      ['b', '2'],
      ['b', '1'],
      ['a', ''],
      ['C', 'x y'],
    ];
    expect(signatureV3('POST', 'https://h:8443/p/', form, nonce, token)).toBe(
      signed('https://h:8443/p/?Cx yab1b2'),
    );
    expect(signatureV3('POST', 'https://h/p?z=1&y=', form, nonce, token)).toBe(
      signed('https://h/p?y=&z=1.Cx yab1b2'),
    );
  });
});

describe('a request', () => {
  const good = signatureV3('POST', answerUrl, call, nonce, token);
  const verify = (headers: Record<string, string>, tokens: readonly string[] = [token]) =>
    verifyV3({ method: 'POST', url: answerUrl, params: call, headers, tokens });
  const nonced = { 'x-plivo-signature-v3-nonce': nonce };

  it('is verified by either header', () => {
    expect(verify({ ...nonced, 'x-plivo-signature-v3': good })).toBe(true);
    expect(verify({ ...nonced, 'x-plivo-signature-ma-v3': good })).toBe(true);
    expect(
      verify({ ...nonced, 'x-plivo-signature-v3': 'no', 'x-plivo-signature-ma-v3': good }),
    ).toBe(true);
  });

  it('is verified by any signature of a list, and by any token', () => {
    expect(verify({ ...nonced, 'x-plivo-signature-v3': `other=, ${good} ,` })).toBe(true);
    expect(verify({ ...nonced, 'x-plivo-signature-v3': good }, ['other', token])).toBe(true);
    expect(verify({ ...nonced, 'x-plivo-signature-v3': good }, ['other'])).toBe(false);
    expect(verify({ ...nonced, 'x-plivo-signature-v3': good }, [])).toBe(false);
  });

  it('is not verified without a signature or nonce, or by another one', () => {
    const refused = [
      {},
      nonced,
      { 'x-plivo-signature-v3': good },
      { 'x-plivo-signature-v3': good, 'x-plivo-signature-v3-nonce': '' },
      { 'x-plivo-signature-v3': good, 'x-plivo-signature-v3-nonce': `${nonce}1` },
      { ...nonced, 'x-plivo-signature-v3': '' },
      { ...nonced, 'x-plivo-signature-v3': ' , ,' },
      { ...nonced, 'x-plivo-signature-v3': good.slice(0, -1) },
      { ...nonced, 'x-plivo-signature-v3': `A${good.slice(1)}` },
    ];
    for (const headers of refused) expect(verify(headers), JSON.stringify(headers)).toBe(false);
    expect(refused.map(isSigned)).toEqual([
      ...Array(4).fill(false),
      true,
      false,
      false,
      true,
      true,
    ]);
  });

  it('is not verified with an empty token, with which anybody can sign', () => {
    const forged = signatureV3('POST', answerUrl, call, nonce, '');
    expect(verify({ ...nonced, 'x-plivo-signature-v3': forged }, [''])).toBe(false);
  });

  it('is not verified if its URL, method or form is another', () => {
    const headers = { ...nonced, 'x-plivo-signature-v3': good };
    const request = { method: 'POST', url: answerUrl, params: call, headers, tokens: [token] };
    const others = [
      { url: 'http://voice.example.com/answer' },
      { url: `${answerUrl}/` },
      { method: 'GET' },
      { params: [...call, ['x', 'y']] },
      { params: [] },
    ];
    for (const other of others) {
      expect(verifyV3({ ...request, ...other } as Parameters<typeof verifyV3>[0])).toBe(false);
    }
  });
});
