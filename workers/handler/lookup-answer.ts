import {
  type UpstreamConfig,
  type UpstreamProtocol,
  upstreamProtocols,
} from '../../src/config/types.js';
import { type AudioRate, isAudioRate } from '../../src/limits.js';

/** What a lookup service says of a call. */
export type LookupAnswer =
  | { readonly kind: 'reject'; readonly why: string }
  | { readonly kind: 'upstream'; readonly name: string; readonly params: Params }
  | {
      readonly kind: 'url';
      readonly url: string;
      readonly protocol: UpstreamProtocol;
      readonly sampleRate: AudioRate;
      readonly headers: Readonly<Record<string, string>>;
      readonly params: Params;
    }
  | { readonly kind: 'nonsense'; readonly why: string };

type Params = Readonly<Record<string, unknown>>;
type Members = Readonly<Record<string, unknown>>;

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const headerText = /^[\x20-\x7e]*$/;

/** Reads `{upstream | url, protocol, headers, sampleRate, params}` or `{reject}`; never throws. */
export function readAnswer(text: string): LookupAnswer {
  let members: unknown;
  try {
    members = JSON.parse(text);
  } catch {
    return nonsense('no JSON');
  }
  if (!isMembers(members)) return nonsense('no JSON object');
  const { reject, upstream, url, params = {} } = members;
  const said = Object.entries({ reject, upstream, url }).filter(([, value]) => value !== undefined);
  if (said.length !== 1) return nonsense('not exactly one of upstream, url and reject');
  if (!isMembers(params)) return nonsense('params that are no object');
  if (reject !== undefined) return { kind: 'reject', why: rejectText(reject) };
  if (upstream !== undefined) {
    if (typeof upstream !== 'string') return nonsense('an upstream that is no name');
    return { kind: 'upstream', name: upstream, params };
  }
  return urlAnswer(members, params);
}

const nonsense = (why: string): LookupAnswer => ({ kind: 'nonsense', why });

function rejectText(reject: unknown): string {
  return typeof reject === 'string' && reject !== '' ? reject.slice(0, 100) : 'rejected by lookup';
}

function urlAnswer(members: Members, params: Params): LookupAnswer {
  const { url, protocol = 'pcm', headers = {}, sampleRate = 16_000 } = members;
  if (typeof url !== 'string' || !/^wss?:\/\//.test(url) || !URL.canParse(url)) {
    return nonsense('a url that is not ws:// or wss://');
  }
  const known = upstreamProtocols.find((name) => name === protocol);
  if (known === undefined) return nonsense(`a protocol that is not ${upstreamProtocols}`);
  if (typeof sampleRate !== 'number' || !isAudioRate(sampleRate)) {
    return nonsense('a sampleRate that is not supported');
  }
  if (!isMembers(headers) || !areHeaders(headers)) return nonsense('headers that are none');
  return { kind: 'url', url, protocol: known, sampleRate, headers, params };
}

function areHeaders(headers: Members): headers is Readonly<Record<string, string>> {
  return Object.entries(headers).every(
    ([name, value]) => headerName.test(name) && typeof value === 'string' && headerText.test(value),
  );
}

/** The upstream of one call, as it would stand in the configuration. */
export function loneUpstream(
  { protocol, sampleRate, headers }: Extract<LookupAnswer, { kind: 'url' }>,
  name: string,
  connectMs: number,
): UpstreamConfig {
  return {
    ...{ name, protocol, sampleRate, headers, connectMs },
    ...{ addresses: [], discover: 'list', balance: 'least-calls', callsMax: 0, readyMs: 0 },
  };
}
