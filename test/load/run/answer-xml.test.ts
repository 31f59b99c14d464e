import { describe, expect, it } from 'vitest';
import { readAnswerXml } from '../../../load/run/answer-xml.js';

const answer = (stream: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Speak>Hi</Speak>${stream}</Response>`;

describe("an answer's XML", () => {
  it('is read as Plivo reads it', () => {
    const stream = `<!-- <Stream>wss://old.example.com</Stream> -->
      <Stream bidirectional="true" contentType='audio/x-mulaw;rate=8000'
        statusCallbackUrl="https://voice.example.com/status?a=1&amp;b=2"
        extraHeaders="tenant=acme,plan=gold">
        wss://voice.example.com/ws?run=7&amp;leg=&#x61;
      </Stream>`;
    expect(readAnswerXml(answer(stream))).toMatchObject({
      url: 'wss://voice.example.com/ws?run=7&leg=a',
      format: 'mulaw8',
      extraHeaders: 'tenant=acme,plan=gold',
      statusUrl: 'https://voice.example.com/status?a=1&b=2',
      isBidirectional: true,
    });
    expect(readAnswerXml(answer('<Stream>ws://h/s</Stream>')).isBidirectional).toBe(false);
  });

  it('means L16 at 8 kHz if it names no format, and nothing we can play if it names another', () => {
    expect(readAnswerXml(answer('<Stream>ws://h/s</Stream>')).format).toBe('l16-8');
    const stream = '<Stream contentType="audio/x-l16;rate=48000">ws://h/s</Stream>';
    expect(readAnswerXml(answer(stream)).format).toBeUndefined();
  });

  it.each([
    [answer('<Hangup/>'), /has no <Stream>/],
    ['not found', /not well-formed/],
    [answer('<Stream>wss://h/s?a=1&b=2</Stream>'), /not well-formed/],
    [answer('<Stream>https://voice.example.com</Stream>'), /holds no ws or wss URL/],
  ])('leads nowhere: %s', (xml, why) => {
    expect(() => readAnswerXml(xml)).toThrow(why);
  });
});
