import type { RouteConfig } from '../config/types.js';
import type { Account } from './account.js';

/** Which account ends a call: that of its route, or that whose Auth ID Plivo sent with it. */
export class AccountChoice {
  readonly #accounts: readonly Account[];
  readonly #ofRoute = new Map<string, Account>();

  constructor(accounts: readonly Account[]) {
    this.#accounts = accounts;
  }

  /** These routes take calls from now on; those of live calls stay known. */
  adopt(routes: readonly Pick<RouteConfig, 'name' | 'account'>[]): void {
    for (const { name, account } of routes) {
      const named = this.#accounts.find((other) => other.name === account);
      if (named === undefined) this.#ofRoute.delete(name);
      else this.#ofRoute.set(name, named);
    }
  }

  of(call: { readonly route: string; readonly accountId: string }): Account | undefined {
    const ofRoute = this.#ofRoute.get(call.route);
    if (ofRoute !== undefined) return ofRoute;
    if (this.#accounts.length === 1) return this.#accounts[0];
    return this.#accounts.find(({ authId }) => authId === call.accountId);
  }
}
