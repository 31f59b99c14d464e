import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PlivoApi } from '../../load/plivo-api.js';
import { PlivoFrameSerializer } from '../../src/serializer.js';
import { callId, credentials, open, payloadOf, speech, streamId, tone } from './library.js';

// Rows of the parity table in docs/serializer.md, each under the row's own words: docs.test.ts
// compares the two. What a row says of Pipecat is from the project's notes; the tests hold what it
// says of this class.

const api = new PlivoApi();

function openToHangUp(id = callId): PlivoFrameSerializer {
  return new PlivoFrameSerializer({
    streamId,
    ...credentials,
    callId: id,
    params: { apiUrl: api.url },
  });
}

beforeAll(() => api.listen(0));
afterAll(() => api.close());

describe('the hang-up', () => {
  it('`EndFrame` and `CancelFrame` hang up the call, once', async () => {
    for (const type of ['EndFrame', 'CancelFrame'] as const) {
      const hangUp = vi.fn(() => true);
      api.add('once', { hangUp, transfer: () => false });
      const serializer = openToHangUp('once');
      expect(serializer.hangup).toBeUndefined();
      expect(serializer.serialize({ type })).toBeNull();
      serializer.serialize({ type: 'EndFrame' });
      serializer.serialize({ type: 'CancelFrame' });
      expect(await serializer.hangup).toEqual({
        outcome: 'confirmed',
        attempts: 1,
        status: 204,
        detail: '',
      });
      expect(hangUp).toHaveBeenCalledOnce();
    }
  });

  it('without `autoHangUp` they do nothing', () => {
    const serializer = open();
    expect(serializer.serialize({ type: 'EndFrame' })).toBeNull();
    expect(serializer.hangup).toBeUndefined();
  });

  it('a call that has ended already is a success', async () => {
    const serializer = openToHangUp('unknown-to-plivo');
    serializer.serialize({ type: 'EndFrame' });
    expect(await serializer.hangup).toMatchObject({ outcome: 'already-ended', status: 404 });
  });

  it('a failed hang-up is tried again', async () => {
    const hangUp = vi.fn(() => true);
    api.add('again', { hangUp, transfer: () => false });
    api.failNext(1, { status: 500 });
    const serializer = openToHangUp('again');
    serializer.serialize({ type: 'EndFrame' });
    expect(await serializer.hangup).toMatchObject({ outcome: 'confirmed', attempts: 2 });
    expect(hangUp).toHaveBeenCalledOnce();
  });

  it('`serialize` does not wait for the hang-up', async () => {
    api.add('slow', { hangUp: () => true, transfer: () => false });
    api.failNext(1, { delayMs: 300 });
    const serializer = openToHangUp('slow');
    expect(serializer.serialize({ type: 'EndFrame' })).toBeNull();
    expect(payloadOf(serializer.serialize(speech(tone(160, 8_000), 8_000)))).toHaveLength(160);
    expect(await serializer.hangup).toMatchObject({ outcome: 'confirmed' });
  });

  it('a socket that has closed prevents no hang-up', async () => {
    const hangUp = vi.fn(() => true);
    api.add('gone', { hangUp, transfer: () => false });
    const serializer = openToHangUp('gone');
    serializer.serialize({ type: 'CancelFrame' });
    serializer.close();
    expect(await serializer.hangup).toMatchObject({ outcome: 'confirmed' });
    expect(hangUp).toHaveBeenCalledOnce();
  });
});
