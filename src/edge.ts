import { randomBytes } from 'node:crypto';
import { networkSet } from './config/edge-kinds.js';
import type { GatewayConfig } from './config/types.js';
import { type AdmissionState, Admissions, type Signer } from './front/admission.js';
import { AnswerForward } from './front/answer-forward.js';
import { type AnswerOutcome, Answers } from './front/answers.js';
import { ClientAddress } from './front/client-address.js';
import { FailedAddresses } from './front/failed-addresses.js';
import { PublicAddress } from './front/public-address.js';
import { SparseLog } from './front/sparse-log.js';
import { type Arrival, StreamTokens } from './front/stream-tokens.js';
import { UpgradeCheck } from './front/upgrade-check.js';
import { type WebhookKind, type WebhookOutcome, Webhooks } from './front/webhooks.js';
import type { Log } from './log.js';
import type { StreamStatus } from './plivo/webhook.js';

/** What the edge asks of the rest of the gateway, and tells it. */
export interface EdgeEvents {
  state(): AdmissionState;
  /** Live here, or lost and waited for. */
  isLive(callId: string): boolean;
  callEnded(callId: string, cause: string): void;
  streamStatus(status: StreamStatus): void;
  answered(outcome: AnswerOutcome): void;
  /** What came of a call that was told to stream here. */
  arrived(what: Arrival): void;
  webhook(kind: WebhookKind, outcome: WebhookOutcome): void;
}

/** Everything that decides who comes in from Plivo's side, and what Plivo's webhooks are told. */
export class Edge {
  readonly tokens: StreamTokens;
  readonly admissions: Admissions;
  readonly answers: Answers;
  readonly webhooks: Webhooks;
  readonly clientAddress: ClientAddress;
  readonly #forward: AnswerForward | undefined;

  constructor(config: GatewayConfig, log: Log, events: EdgeEvents) {
    const signers = signersOf(config);
    const authTokens = signers.map(({ token }) => token);
    const accounts = signers.map(({ account }) => account);
    const publicAddress = new PublicAddress(config.publicUrl, config.tls !== undefined);
    const sparseLog = new SparseLog(log);
    const { answer } = config;
    this.tokens = new StreamTokens({
      secrets: secretsOf(answer.tokenSecrets, authTokens),
      isLive: (callId) => events.isLive(callId),
      arrived: (callId, what) => {
        events.arrived(what);
        if (what !== 'no-stream') return;
        sparseLog.warn(
          'no-stream',
          { callId },
          (count) =>
            `${count} call${count === 1 ? ' was' : 's were'} told to stream here, and no stream came within 10 s: can Plivo reach the WebSocket address (name, TLS, firewall)? plivo-gateway doctor looks`,
        );
      },
    });
    const check = new UpgradeCheck({
      policy: config.signatures.upgrade,
      ...{ authTokens, tokens: this.tokens, publicAddress },
      failures: new FailedAddresses(),
      log: sparseLog,
    });
    this.admissions = new Admissions(check, this.tokens, signers);
    this.clientAddress = new ClientAddress(networkSet(config.trustProxy));
    this.#forward = answer.forward === undefined ? undefined : new AnswerForward(answer.forward);
    this.answers = new Answers({
      ...{ config: answer, tokens: this.tokens, admissions: this.admissions, publicAddress },
      ...{ forward: this.#forward, sparseLog, log },
      state: () => events.state(),
      answered: (outcome) => events.answered(outcome),
      callEnded: (callId, cause) => {
        // Without an Auth Token anybody could end calls with it.
        if (authTokens.length > 0) events.callEnded(callId, cause);
      },
    });
    this.webhooks = new Webhooks({
      ...{ publicAddress, tokens: authTokens, accounts, sparseLog },
      on: {
        answer: (webhook) => this.answers.answer(webhook),
        callEnded: (callId, cause) => events.callEnded(callId, cause),
        streamStatus: (status) => events.streamStatus(status),
        webhook: (kind, outcome) => events.webhook(kind, outcome),
      },
    });
  }

  async close(): Promise<void> {
    this.tokens.close();
    await this.#forward?.close();
  }
}

/** Auth Tokens that Plivo may sign with: during a rotation an account has two. */
function signersOf({ accounts }: GatewayConfig): (Signer & { readonly token: string })[] {
  return accounts.flatMap(({ name, credentials: { authId, authToken, previousAuthToken } }) => {
    const tokens = previousAuthToken === undefined ? [authToken] : [authToken, previousAuthToken];
    return tokens.map((token) => ({ token, account: name, authId }));
  });
}

/** Without any secret tokens are good in this process. */
function secretsOf(own: readonly string[], authTokens: readonly string[]): readonly string[] {
  const secrets = own.length > 0 ? own : authTokens;
  return secrets.length > 0 ? secrets : [randomBytes(32).toString('base64url')];
}
