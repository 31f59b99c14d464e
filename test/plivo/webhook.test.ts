import { describe, expect, it } from 'vitest';
import { hangupOf, readForm, streamStatusOf } from '../../src/plivo/webhook.js';

const fields = (text: string) => readForm(text)!;

describe('a form', () => {
  it('is read with its order, duplicates and empty values', () => {
    expect(readForm(Buffer.from('a=1&b=%2B1+2&a=&c'))).toEqual([
      ['a', '1'],
      ['b', '+1 2'],
      ['a', ''],
      ['c', ''],
    ]);
    expect(readForm('')).toEqual([]);
  });

  it('has bounds', () => {
    expect(readForm('a=1&'.repeat(256))).toHaveLength(256);
    expect(readForm('a=1&'.repeat(257))).toBeUndefined();
    expect(readForm(Buffer.alloc(64 * 1024, 'a'))).toHaveLength(1);
    expect(readForm(Buffer.alloc(64 * 1024 + 1, 'a'))).toBeUndefined();
  });

  it('may be anything', () => {
    for (const text of ['%', '%zz=%', '{"CallUUID":"x"}', '===&&&', '\0\u202e']) {
      expect(hangupOf(fields(text))).toBeUndefined();
      expect(streamStatusOf(fields(text))).toBeUndefined();
    }
    expect(hangupOf(readForm(Uint8Array.of(0xff, 0xfe, 0, 0x80))!)).toBeUndefined();
  });
});

describe('a hang-up', () => {
  it.each([
    [
      'CallUUID=c-1&Event=Hangup&HangupCause=NORMAL_CLEARING&CallStatus=completed',
      'NORMAL_CLEARING',
    ],
    ['CallUUID=c-1&CallStatus=no-answer', 'no-answer'],
    ['calluuid=c-1&HANGUPCAUSE=x', 'x'],
    ['CallUUID=c-1', ''],
    [`CallUUID=c-1&HangupCause=${'x'.repeat(1_000)}`, 'x'.repeat(100)],
  ])('is read: %s', (text, cause) => {
    expect(hangupOf(fields(text))).toEqual({ callId: 'c-1', cause });
  });

  it('names its call', () => {
    for (const text of ['Event=Hangup', 'CallUUID=', 'CallUUID=+', `CallUUID=${'x'.repeat(257)}`]) {
      expect(hangupOf(fields(text))).toBeUndefined();
    }
  });
});

describe('a stream status', () => {
  it.each([
    ['StartStream', 'started'],
    ['started', 'started'],
    ['StopStream', 'stopped'],
    ['STOPPED', 'stopped'],
    ['DroppedStream', 'dropped'],
    ['droppedstream', 'dropped'],
    ['Failed', 'dropped'],
    ['DegradedStream', 'degraded'],
    ['PlayedStream', 'other'],
    ['constructor', 'other'],
    ['', 'other'],
  ])('has the event %s: %s', (name, event) => {
    const status = streamStatusOf(fields(`Event=${name}&StreamID=s-1&CallUUID=c-1`));
    expect(status).toEqual({ callId: 'c-1', streamId: 's-1', event, detail: '' });
  });

  it('may come without a stream, but not without a call', () => {
    expect(streamStatusOf(fields('Event=failed&CallUUID=c-1'))).toEqual({
      callId: 'c-1',
      streamId: '',
      event: 'dropped',
      detail: '',
    });
    expect(streamStatusOf(fields('Event=failed&StreamID=s-1'))).toBeUndefined();
  });
});
