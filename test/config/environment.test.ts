import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  prepareNative,
  readEnvironment,
  wantsColor,
  workerEnvironment,
} from '../../src/config/environment.js';

afterEach(() => vi.unstubAllEnvs());

describe('the environment', () => {
  it('is read as a copy', () => {
    vi.stubEnv('SHARDS', '3');
    const environment = readEnvironment();
    vi.stubEnv('SHARDS', '4');
    expect(environment.SHARDS).toBe('3');
    expect(Object.isFrozen(environment)).toBe(true);
  });

  it('goes to worker threads without anything of the Plivo accounts', () => {
    vi.stubEnv('PLIVO_AUTH_ID', 'MA1');
    vi.stubEnv('PLIVO_AUTH_TOKEN', 'secret');
    vi.stubEnv('plivo_anything', 'secret');
    vi.stubEnv('SALES_TOKEN', 'secret of an account');
    vi.stubEnv('OPENAI_API_KEY', 'of the handler');
    const environment = workerEnvironment(new Set(['secret of an account']));
    expect(environment.SALES_TOKEN).toBeUndefined();
    expect(Object.keys(environment).filter((name) => /^plivo_/i.test(name))).toEqual([]);
    expect(environment.OPENAI_API_KEY).toBe('of the handler');
    expect(process.env.PLIVO_AUTH_TOKEN).toBe('secret');
  });

  it('gives uWebSockets.js 16 KB of request headers unless somebody decided otherwise', () => {
    vi.stubEnv('UWS_HTTP_MAX_HEADERS_SIZE', undefined);
    prepareNative();
    expect(process.env.UWS_HTTP_MAX_HEADERS_SIZE).toBe('16384');
    vi.stubEnv('UWS_HTTP_MAX_HEADERS_SIZE', '8192');
    prepareNative();
    expect(process.env.UWS_HTTP_MAX_HEADERS_SIZE).toBe('8192');
  });

  it('can turn colours off', () => {
    vi.stubEnv('TERM', 'xterm');
    vi.stubEnv('NO_COLOR', '');
    expect(wantsColor()).toBe(true);
    vi.stubEnv('NO_COLOR', '1');
    expect(wantsColor()).toBe(false);
    vi.stubEnv('NO_COLOR', '');
    vi.stubEnv('TERM', 'dumb');
    expect(wantsColor()).toBe(false);
  });
});
