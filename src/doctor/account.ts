import type { AccountConfig, GatewayConfig } from '../config/types.js';
import { accountUrl, basicAuthorization } from '../plivo/rest.js';
import { type Finding, fail, lookMsMax, ok, reasonOf, skipped } from './check.js';

/** A number of Plivo's, and the application that its calls go to; what else stands in them does not matter here. */
interface PlivoNumber {
  readonly application?: string | null;
  readonly app_id?: string | null;
}
interface PlivoApplication {
  readonly app_id: string;
  readonly app_name: string;
  readonly answer_url: string;
  readonly answer_method: string;
  readonly hangup_url: string;
  readonly hangup_method: string;
}

export interface NumberOptions {
  readonly number: string | undefined;
  /** Sets the application's URLs. */
  readonly fix: boolean;
}

/** What Plivo knows: the account, and what its number does with calls. */
export async function accountFindings(
  config: GatewayConfig,
  options: NumberOptions,
): Promise<Finding[]> {
  const [first] = config.accounts;
  if (first === undefined) {
    const remedy =
      'set PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN, from the first page of the Plivo console';
    return [
      fail('account', 'no credentials: calls cannot be hung up, nor streams authenticated', remedy),
    ];
  }
  const findings: Finding[] = [];
  for (const account of config.accounts) findings.push(await credentials(account));
  const { number, fix } = options;
  if (number === undefined) return findings;
  const what = `number ${number}`;
  if (findings[0]!.state !== 'ok')
    return [...findings, skipped(what, 'the account is not reached')];
  if (config.publicUrl === undefined) return [...findings, skipped(what, 'PUBLIC_URL is not set')];
  const owner = new PlivoRest(first);
  try {
    findings.push(
      await numberFinding(owner, what, number.replace(/\D/g, ''), config.publicUrl, fix),
    );
  } catch (thrown) {
    findings.push(fail(what, reasonOf(thrown), 'try again; see status.plivo.com'));
  }
  return findings;
}

/** Plivo's REST API, in the few words that are needed here. */
class PlivoRest {
  readonly #account: AccountConfig;

  constructor(account: AccountConfig) {
    this.#account = account;
  }

  async ask<T>(path: string, body?: object): Promise<{ status: number; body: T | undefined }> {
    const { apiUrl, credentials: known } = this.#account;
    const answer = await fetch(accountUrl(apiUrl, known.authId, path), {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: basicAuthorization(known), 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(lookMsMax),
    });
    const text = await answer.text();
    try {
      return { status: answer.status, body: JSON.parse(text) as T };
    } catch {
      return { status: answer.status, body: undefined };
    }
  }
}

async function credentials(account: AccountConfig): Promise<Finding> {
  const what = `account ${account.name}`;
  try {
    const { status } = await new PlivoRest(account).ask('');
    if (status === 200) return ok(what, 'Plivo takes its credentials');
    if (status === 401 || status === 403) {
      return fail(
        what,
        `Plivo refuses its credentials (${status})`,
        'copy Auth ID and Auth Token again; see whether the account lists allowed IP addresses',
      );
    }
    return fail(
      what,
      `Plivo answers with status ${status}`,
      'see whether PLIVO_API_URL is right; see status.plivo.com',
    );
  } catch (thrown) {
    return fail(
      what,
      `${account.apiUrl}: ${reasonOf(thrown)}`,
      'let this machine reach it (firewall, proxy), or set PLIVO_API_URL',
    );
  }
}

async function numberFinding(
  rest: PlivoRest,
  what: string,
  number: string,
  publicUrl: string,
  fix: boolean,
): Promise<Finding> {
  const found = await rest.ask<PlivoNumber>(`Number/${number}/`);
  if (found.status === 404)
    return fail(
      what,
      'is not one of this account',
      'see Phone Numbers in the Plivo console; give it with its country code',
    );
  if (found.status !== 200)
    return fail(what, `Plivo answers with status ${found.status}`, 'try again');
  const wanted = {
    answer_url: `${publicUrl}/answer`,
    answer_method: 'POST',
    hangup_url: `${publicUrl}/hangup`,
    hangup_method: 'POST',
  };
  const appId = idOf(found.body);
  if (appId === undefined)
    return fix
      ? assign(rest, what, number, wanted)
      : fail(what, 'has no application', 'run this with --fix, or give it one in the console');
  const { body: application } = await rest.ask<PlivoApplication>(`Application/${appId}/`);
  if (application === undefined)
    return fail(what, `its application ${appId} is not found`, 'give it one in the console');
  const name = `application "${application.app_name}"`;
  const wrong = Object.entries(wanted).filter(
    ([key, value]) => application[key as keyof typeof wanted] !== value,
  );
  if (wrong.length === 0) return ok(what, `${name} leads here`);
  const about = wrong.map(
    ([key, value]) =>
      `${key} is ${application[key as keyof typeof wanted] || 'empty'}, not ${value}`,
  );
  if (!fix)
    return fail(
      what,
      `${name}: ${about.join('; ')}`,
      'run this with --fix, or set them in the console',
    );
  const { status } = await rest.ask(`Application/${appId}/`, wanted);
  if (status === 202 || status === 200)
    return ok(what, `${name} was changed: it leads here now, with all its numbers`);
  return fail(what, `${name} could not be changed (${status})`, 'set its URLs in the console');
}

function idOf(number: PlivoNumber | undefined): string | undefined {
  const [, inUri] = /\/Application\/([A-Za-z0-9]+)\/?$/.exec(number?.application ?? '') ?? [];
  return inUri ?? number?.app_id ?? undefined;
}

async function assign(
  rest: PlivoRest,
  what: string,
  number: string,
  wanted: object,
): Promise<Finding> {
  const made = await rest.ask<{ app_id?: string }>('Application/', {
    app_name: 'plivo-stream-gateway',
    ...wanted,
  });
  const appId = made.body?.app_id;
  if (appId === undefined)
    return fail(what, `no application could be made (${made.status})`, 'make one in the console');
  const { status } = await rest.ask(`Number/${number}/`, { app_id: appId });
  if (status === 202 || status === 200)
    return ok(what, `was given an application of its own, ${appId}, that leads here`);
  return fail(
    what,
    `could not be given the application ${appId} (${status})`,
    'give it in the console',
  );
}
