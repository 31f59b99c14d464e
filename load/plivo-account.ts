import { randomUUID } from 'node:crypto';

/** What the stand-in answers about an account; a status without a body is Plivo's own sentence. */
export interface AccountAnswer {
  readonly status: number;
  readonly body?: object;
}

export interface PlivoApplication {
  app_id: string;
  app_name: string;
  answer_url: string;
  answer_method: string;
  hangup_url: string;
  hangup_method: string;
}

const notFound: AccountAnswer = { status: 404, body: { error: 'not found' } };
const settable = [
  'app_name',
  'answer_url',
  'answer_method',
  'hangup_url',
  'hangup_method',
] as const;
const accountPath = /^\/v1\/Account\/([^/]+)\/(?:(Number|Application)\/(?:([^/]+)\/)?)?$/;

/** Plivo's numbers and applications, as far as a gateway looks at them: read, changed, made. */
export class PlivoAccountState {
  readonly applications = new Map<string, PlivoApplication>();
  /** Numbers, and the ids of their applications. */
  readonly numbers = new Map<string, string | undefined>();

  /** A number with an application of these URLs; without any, a number without an application. */
  addNumber(number: string, urls?: { readonly answer: string; readonly hangup: string }): void {
    if (urls === undefined) return void this.numbers.set(number, undefined);
    const application = this.#make({
      app_name: 'My app',
      answer_url: urls.answer,
      hangup_url: urls.hangup,
    });
    this.numbers.set(number, application.app_id);
  }

  /** Undefined if the path is about something else. */
  answer(method: string, url: string, body: string): AccountAnswer | undefined {
    const [match, account = '', kind, id] = accountPath.exec(url) ?? [];
    if (match === undefined) return undefined;
    const api_id = randomUUID();
    if (kind === undefined)
      return { status: 200, body: { api_id, auth_id: account, name: 'Stand-in' } };
    const told = read(body);
    if (kind === 'Number') return this.#number(method, account, id ?? '', told);
    if (id === undefined) {
      if (method !== 'POST') return notFound;
      return { status: 201, body: { api_id, message: 'created', app_id: this.#make(told).app_id } };
    }
    const application = this.applications.get(id);
    if (application === undefined) return notFound;
    if (method === 'GET') return { status: 200, body: { api_id, ...application } };
    change(application, told);
    return { status: 202, body: { api_id, message: 'changed' } };
  }

  #number(
    method: string,
    account: string,
    number: string,
    told: Record<string, unknown>,
  ): AccountAnswer {
    if (!this.numbers.has(number)) return notFound;
    if (method === 'POST') {
      const id = String(told.app_id);
      if (!this.applications.has(id))
        return { status: 400, body: { error: 'no such application' } };
      this.numbers.set(number, id);
      return { status: 202, body: { message: 'changed' } };
    }
    const id = this.numbers.get(number);
    const application = id === undefined ? null : `/v1/Account/${account}/Application/${id}/`;
    return { status: 200, body: { number, application } };
  }

  #make(told: Record<string, unknown>): PlivoApplication {
    const application: PlivoApplication = {
      ...{ app_id: String(20_000_000_000_000 + this.applications.size), app_name: '' },
      ...{ answer_url: '', answer_method: 'POST', hangup_url: '', hangup_method: 'POST' },
    };
    change(application, told);
    this.applications.set(application.app_id, application);
    return application;
  }
}

function change(application: PlivoApplication, told: Record<string, unknown>): void {
  for (const name of settable) {
    const value = told[name];
    if (typeof value === 'string') application[name] = value;
  }
}

function read(body: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(body)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
