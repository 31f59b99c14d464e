import type { AnswerConfig, RouteConfig } from '../config/types.js';
import { tokenLifeMs } from '../limits.js';
import type { Log } from '../log.js';
import type { Fields } from '../plivo/signature.js';
import { type AnswerRequest, answerRequestOf, ownQuery } from '../plivo/webhook.js';
import { actionXml, emptyXml, streamUrlCharsMax, streamXml } from '../plivo/xml.js';
import { matchRoute } from '../routing/route-table.js';
import type { AdmissionState, Admissions } from './admission.js';
import type { AnswerForward, ForwardedAnswer } from './answer-forward.js';
import type { PublicAddress } from './public-address.js';
import type { SparseLog } from './sparse-log.js';
import type { StreamTokens, TokenFacts } from './stream-tokens.js';
import type { VerifiedWebhook } from './webhooks.js';

/** What a call that asks is answered with; a metric label. */
export const answerOutcomes = [
  ...['stream', 'busy', 'no-route', 'rejected', 'redirected', 'over'],
  ...['forwarded', 'forward-failed', 'unreadable'],
] as const;
export type AnswerOutcome =
  | ('stream' | 'busy' | 'no-route' | 'rejected' | 'redirected' | 'over')
  | ('forwarded' | 'forward-failed' | 'unreadable');

/** An answer to Plivo. Whatever its status, the XML is well-formed and hangs up if there is nothing better. */
export interface XmlAnswer {
  readonly status: 200 | 400 | 403 | 413 | 502;
  readonly xml: string;
}

export const hangupXml = actionXml({ kind: 'hangup' });

/** A stream URL, for those who write their own XML. */
export interface StreamUrl {
  readonly url: string;
  readonly statusCallbackUrl: string;
  readonly route: string;
  readonly expiresAt: string;
}

export interface AnswerParts {
  readonly config: AnswerConfig;
  readonly tokens: StreamTokens;
  readonly admissions: Admissions;
  readonly state: () => AdmissionState;
  readonly publicAddress: PublicAddress;
  readonly forward: AnswerForward | undefined;
  readonly sparseLog: SparseLog;
  readonly log: Log;
  answered(outcome: AnswerOutcome): void;
  /** Plivo says so at the answer URL of an application without a hang-up URL. */
  callEnded(callId: string, cause: string): void;
}

interface RoutedCall {
  readonly facts: TokenFacts;
  readonly route: RouteConfig;
}

/** Answers calls: with a stream to this gateway, or with what their route or their user's own service says. */
export class Answers {
  readonly #parts: AnswerParts;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
  }

  async answer(webhook: VerifiedWebhook): Promise<XmlAnswer> {
    const [outcome, answer] = await this.#answer(webhook);
    this.#parts.answered(outcome);
    return answer;
  }

  async #answer(webhook: VerifiedWebhook): Promise<readonly [AnswerOutcome, XmlAnswer]> {
    const request = answerRequestOf(webhook.fields);
    if (request === undefined) return ['unreadable', { status: 400, xml: hangupXml }];
    const { callId } = request;
    const { log, admissions, state, config, forward, sparseLog } = this.#parts;
    if (request.isOver) {
      this.#parts.callEnded(callId, 'reported at the answer URL');
      return ['over', ok(emptyXml)];
    }
    const busy = admissions.hasNoPlace(callId, state());
    if (busy !== undefined) {
      sparseLog.warn('busy', { callId, why: busy }, (count) => `${count} calls had no place here`);
      return ['busy', ok(actionXml(config.whenBusy))];
    }
    const base = this.#parts.publicAddress.base(webhook.host, webhook.url);
    if (base === undefined) {
      log.error({ callId }, 'cannot answer a call: set PUBLIC_URL, the request has no Host header');
      return ['unreadable', { status: 400, xml: hangupXml }];
    }
    if (forward !== undefined) return this.#forwarded(forward, webhook, request, base);
    return this.#own(webhook, request, base);
  }

  #own(
    webhook: VerifiedWebhook,
    request: AnswerRequest,
    base: string,
  ): readonly [AnswerOutcome, XmlAnswer] {
    const call = this.#route(factsOf(request, webhook));
    if (call === undefined) return this.#noRoute(request);
    const { route, facts } = call;
    const { handler } = route;
    if (handler.kind === 'reject') {
      this.#parts.log.info(
        { callId: facts.callId, route: route.name, why: handler.why },
        'call rejected',
      );
      return ['rejected', ok(hangupXml)];
    }
    if (handler.kind === 'redirect') {
      return ['redirected', ok(actionXml({ kind: 'redirect', url: handler.url }))];
    }
    const { timeoutMs, extraHeaders, noiseCancellation, contentType, after } = route.stream;
    const xml = streamXml({
      url: this.#url(call, base),
      statusCallbackUrl: `${base}/stream-status`,
      ...{ contentType, after },
      ...(timeoutMs !== undefined && { streamTimeoutSeconds: timeoutMs / 1_000 }),
      ...(extraHeaders !== undefined && { extraHeaders }),
      ...(noiseCancellation !== undefined && { noiseCancellationLevel: noiseCancellation }),
    });
    this.#parts.tokens.reserve(facts.callId);
    return ['stream', ok(xml)];
  }

  async #forwarded(
    forward: AnswerForward,
    webhook: VerifiedWebhook,
    request: AnswerRequest,
    base: string,
  ): Promise<readonly [AnswerOutcome, XmlAnswer]> {
    const { callId } = request;
    const answer: ForwardedAnswer = await forward.ask(webhook);
    if (answer.kind === 'failed') {
      const { why: detail, remedy } = answer;
      this.#parts.sparseLog.warn(
        'forward',
        { callId, detail },
        () => `an answer service failed, and Plivo was told so (502): ${detail}; ${remedy}`,
      );
      // Plivo asks again, and then the application's fallback URL (protocol reference, section 7.5).
      return ['forward-failed', { status: 502, xml: hangupXml }];
    }
    if (answer.note !== undefined) {
      this.#parts.sparseLog.warn('forward-note', { callId }, () => answer.note!);
    }
    if (answer.kind === 'other') return ['forwarded', ok(answer.xml)];
    const facts = factsOf(request, webhook);
    const call = this.#route({ ...facts, query: { ...answer.query, ...facts.query } });
    if (call === undefined) return this.#noRoute(request);
    this.#parts.tokens.reserve(callId);
    return ['forwarded', ok(answer.withStream(this.#url(call, base), `${base}/stream-status`))];
  }

  #noRoute({ callId, from, to }: AnswerRequest): readonly [AnswerOutcome, XmlAnswer] {
    this.#parts.sparseLog.warn(
      'no-route',
      { callId, from, to },
      () => 'a call was hung up because no route takes it; plivo-gateway route-test says why',
    );
    return ['no-route', ok(hangupXml)];
  }

  /**
   * A stream URL for XML that is written elsewhere; it keeps a place for a moment.
   * @returns why not, if it cannot be made
   */
  streamUrl(facts: TokenFacts): StreamUrl | { readonly problem: string } {
    const base = this.#parts.publicAddress.base(undefined);
    if (base === undefined) return { problem: 'set PUBLIC_URL: it is the start of stream URLs' };
    const busy = this.#parts.admissions.hasNoPlace(facts.callId, this.#parts.state());
    if (busy !== undefined) return { problem: `no place for another call: ${busy}` };
    const isKnown = this.#parts.state().routes.some(({ name }) => name === facts.route);
    if (facts.route !== '' && !isKnown) return { problem: `there is no route ${facts.route}` };
    const call = this.#route(facts);
    if (call === undefined) return { problem: 'no route takes this call' };
    const expiresAt = new Date(Date.now() + tokenLifeMs).toISOString();
    this.#parts.tokens.reserve(facts.callId);
    return {
      url: this.#url(call, base),
      statusCallbackUrl: `${base}/stream-status`,
      route: call.route.name,
      expiresAt,
    };
  }

  /** At its answer a call has no path yet: that of its route is taken. */
  #route(facts: TokenFacts): RoutedCall | undefined {
    const { routes } = this.#parts.state();
    const named = routes.find(({ name }) => facts.route !== '' && name === facts.route);
    if (named !== undefined) return { facts, route: named };
    for (const path of ['/stream', '/ws']) {
      const route = routes[matchRoute(routes, { path, ...facts })];
      if (route !== undefined) return { facts: { ...facts, route: route.name }, route };
    }
    return undefined;
  }

  /** Of at most as many characters as Plivo takes: facts beyond that are left out, the longest first. */
  #url({ facts, route }: RoutedCall, base: string): string {
    const start = `${base.replace(/^http/, 'ws')}${route.path ?? '/stream'}/`;
    const query = { ...facts.query };
    for (;;) {
      const url = start + this.#parts.tokens.mint({ ...facts, query });
      const [longest] = Object.entries(query).toSorted(([, a], [, b]) => b.length - a.length);
      if (url.length <= streamUrlCharsMax || longest === undefined) return url;
      delete query[longest[0]];
      this.#parts.sparseLog.warn(
        'long-facts',
        { callId: facts.callId, left: longest[0] },
        () =>
          `facts of a call do not fit into ${streamUrlCharsMax} characters of stream URL: left one out`,
      );
    }
  }
}

function ok(xml: string): XmlAnswer {
  return { status: 200, xml };
}

function factsOf(
  { callId, from, to, direction, sipHeaders }: AnswerRequest,
  { method, query, account }: VerifiedWebhook,
): TokenFacts {
  const inUrl: Fields = [...new URLSearchParams(query)];
  const known: Record<string, string> = {};
  const own = method === 'GET' ? ownQuery(inUrl) : inUrl;
  for (const [name, value] of [...own, ...sipHeaders]) {
    if (name !== '__proto__') known[name] ??= value;
  }
  if (direction !== '') known.direction = direction;
  return { callId, from, to, account, route: '', query: known };
}
