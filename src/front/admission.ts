import type { RouteConfig } from '../config/types.js';
import type { StreamToken } from '../plivo/stream-token.js';
import { matchRoute } from '../routing/route-table.js';
import type { CallFacts } from '../shard/record.js';
import type { StreamTokens } from './stream-tokens.js';
import {
  type Credential,
  type CredentialFault,
  type CredentialVerdict,
  credentialFaults,
  type UpgradeCheck,
  type UpgradeRequest,
} from './upgrade-check.js';

/** Why an upgrade was refused; a metric label. */
export const refusals = ['draining', 'full', 'no-shard', 'no-route', ...credentialFaults] as const;
export type Refusal = 'draining' | 'full' | 'no-shard' | 'no-route' | CredentialFault;

export type Admission =
  | {
      readonly admitted: true;
      readonly route: number;
      readonly facts: CallFacts;
      readonly by: Credential;
      /** Auth ID of the account whose call it is; empty: that of `start`. */
      readonly accountId: string;
      /** When its token was made, Unix time in milliseconds; 0 without one. */
      readonly issuedMs: number;
    }
  | {
      readonly admitted: false;
      readonly refusal: Refusal;
      readonly status: string;
      readonly retryAfterSeconds: number | undefined;
      readonly text: string;
    };

const retryAfterSeconds = 5;

/** Facts of a call from the query of its stream URL. */
export function readFacts(query: string): CallFacts {
  const first: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(query)) {
    if (first[name] === undefined && name !== '__proto__') first[name] = value;
  }
  return { from: number(first.from), to: number(first.to), callId: '', query: first };
}

/** An unescaped `+` in a query reads as a space. */
function number(value = ''): string {
  return value.replace(/^ (?=\d)/, '+');
}

/** What decides on upgrades, and on calls that are answered. */
export interface AdmissionState {
  readonly draining: boolean;
  readonly shardReady: boolean;
  readonly routes: readonly RouteConfig[];
  /** Connections that have a place, and places. */
  readonly connections: number;
  readonly slots: number;
}

/** Whose Auth Token it is. */
export interface Signer {
  readonly account: string;
  readonly authId: string;
}

/** Decides who comes in, and whether there is room. */
export class Admissions {
  readonly #check: UpgradeCheck;
  readonly #tokens: StreamTokens;
  /** One for each Auth Token. */
  readonly #accounts: readonly Signer[];

  constructor(check: UpgradeCheck, tokens: StreamTokens, accounts: readonly Signer[]) {
    this.#check = check;
    this.#tokens = tokens;
    this.#accounts = accounts;
  }

  /** Why a call that asks for an answer has no place; undefined if it has one. */
  hasNoPlace(callId: string, state: AdmissionState): 'draining' | 'full' | 'no-shard' | undefined {
    if (state.draining) return 'draining';
    if (!state.shardReady) return 'no-shard';
    if (this.#tokens.isReserved(callId)) return undefined;
    return this.#isFull(state) ? 'full' : undefined;
  }

  /** Decides on an upgrade. */
  admit(request: UpgradeRequest, state: AdmissionState): Admission {
    // First what costs nothing.
    if (state.draining) return busy('draining', 'the gateway is draining');
    if (state.connections >= state.slots) return full;
    if (!state.shardReady) return busy('no-shard', 'no worker is ready');
    const verdict = this.#check.check(request);
    if (!verdict.ok) return stranger(verdict.fault);
    const { token, by } = verdict;
    // A place is kept for calls that were answered; one that is live here already comes back to its own.
    if (token === undefined && this.#isFull(state)) return full;
    const facts = token === undefined ? readFacts(request.query) : tokenFacts(token);
    const account = token?.account || this.#accountOf(verdict);
    const route = routeOf(state.routes, request.path, facts, account, token?.route);
    if (route < 0) return noRoute;
    if (token !== undefined) this.#tokens.claim(token.callId);
    const accountId = this.#accounts.find((one) => one.account === account)?.authId ?? '';
    return { admitted: true, route, facts, by, accountId, issuedMs: token?.issuedMs ?? 0 };
  }

  #isFull({ connections, slots }: AdmissionState): boolean {
    return connections + this.#tokens.reserved >= slots;
  }

  #accountOf(verdict: Extract<CredentialVerdict, { ok: true }>): string {
    return verdict.signer === undefined ? '' : this.#accounts[verdict.signer]!.account;
  }
}

/** The route that the call was answered for, if it is still there: a share of calls is drawn once. */
function routeOf(
  routes: readonly RouteConfig[],
  path: string,
  facts: CallFacts,
  account: string,
  named = '',
): number {
  const known = named === '' ? -1 : routes.findIndex(({ name }) => name === named);
  return known >= 0 ? known : matchRoute(routes, { path, account, ...facts });
}

function tokenFacts({ callId, from, to, query }: StreamToken): CallFacts {
  return { callId, from, to, query: { ...query, from, to } };
}

const noRoute: Admission = {
  admitted: false,
  refusal: 'no-route',
  status: '404 Not Found',
  retryAfterSeconds: undefined,
  text: 'no route matches this call',
};

const full = busy('full', 'the gateway has as many calls as it may');

function busy(refusal: Refusal, text: string): Admission {
  return { admitted: false, refusal, status: '503 Service Unavailable', retryAfterSeconds, text };
}

/** A stranger learns nothing about what would let him in; the log tells the operator. */
function stranger(refusal: CredentialFault): Admission {
  const isFlood = refusal === 'too-many-failures';
  return {
    admitted: false,
    refusal,
    status: isFlood ? '429 Too Many Requests' : '403 Forbidden',
    retryAfterSeconds: undefined,
    text: 'not a stream of Plivo for this gateway',
  };
}
