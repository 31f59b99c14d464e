import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Arrival, StreamTokens } from '../../src/front/stream-tokens.js';

const call = 'call-1';

let live: Set<string>;
let came: Record<string, Arrival[]>;
let tokens: StreamTokens;

beforeEach(() => {
  vi.useFakeTimers();
  live = new Set();
  came = {};
  tokens = new StreamTokens({
    secrets: ['a secret of the tests'],
    isLive: (callId) => live.has(callId),
    arrived: (callId, what) => (came[callId] ??= []).push(what),
  });
});
afterEach(() => {
  tokens.close();
  vi.useRealTimers();
});

describe('what comes of a call that was told to stream here', () => {
  it('is its stream, once, whatever comes later', () => {
    tokens.reserve(call);
    vi.advanceTimersByTime(9_000);
    expect(tokens.claim(call)).toBe(true);
    live.add(call);
    expect(tokens.claim(call)).toBe(false);
    tokens.ended(call);
    vi.advanceTimersByTime(60_000);
    expect(came).toEqual({ [call]: ['stream'] });
  });

  it('is nothing within 10 s, though nobody asks; a stream that comes after all is not counted again', () => {
    tokens.reserve(call);
    vi.advanceTimersByTime(9_900);
    expect(came).toEqual({});
    vi.advanceTimersByTime(2_000);
    expect(came).toEqual({ [call]: ['no-stream'] });
    expect(tokens.reserved).toBe(0);
    tokens.claim(call);
    tokens.ended(call);
    expect(came).toEqual({ [call]: ['no-stream'] });
  });

  it('is its end, if the caller does not wait', () => {
    tokens.reserve(call);
    tokens.ended(call);
    vi.advanceTimersByTime(60_000);
    expect(came).toEqual({ [call]: ['ended-first'] });
  });

  it('is told of each call by itself, and of a call that is answered twice once', () => {
    tokens.reserve(call);
    vi.advanceTimersByTime(6_000);
    tokens.reserve('call-2');
    tokens.reserve(call);
    vi.advanceTimersByTime(6_000);
    expect(came).toEqual({});
    tokens.claim('call-2');
    vi.advanceTimersByTime(6_000);
    expect(came).toEqual({ 'call-2': ['stream'], [call]: ['no-stream'] });
  });

  it('came of another gateway’s answer, if this one knows of none', () => {
    expect(tokens.claim(call)).toBe(false);
    expect(came).toEqual({ [call]: ['elsewhere'] });
  });
});
