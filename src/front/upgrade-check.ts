import type { SignaturePolicy } from '../config/types.js';
import {
  type Headers,
  isSigned,
  signerOf,
  type UpgradeForm,
  upgradeForms,
  upgradeUrl,
} from '../plivo/signature.js';
import type { StreamToken } from '../plivo/stream-token.js';
import type { FailedAddresses } from './failed-addresses.js';
import type { PublicAddress } from './public-address.js';
import type { SparseLog } from './sparse-log.js';
import type { StreamTokens, TokenFault } from './stream-tokens.js';

/** What let a stream in; a metric label. `unchecked`: nothing was asked for; `observed`: it would have been refused. */
export const credentials = ['token', ...upgradeForms, 'observed', 'unchecked'] as const;
export type Credential = (typeof credentials)[number];

/** Why a stream may not come in; metric labels. */
export const credentialFaults = [
  ...['token-malformed', 'token-forged', 'token-expired', 'token-ended'],
  ...['unsigned', 'bad-signature', 'too-many-failures'],
] as const;
export type CredentialFault =
  | `token-${TokenFault}`
  | 'unsigned'
  | 'bad-signature'
  | 'too-many-failures';

export interface UpgradeRequest {
  /** Without a token: `/stream` or `/ws`. */
  readonly path: string;
  /** Segment of the path behind it; empty if there is none. */
  readonly token: string;
  readonly query: string;
  /** `host` and those of signatures. */
  readonly headers: Headers;
  /** Whose request it is. */
  readonly address: string;
}

export type CredentialVerdict =
  | {
      readonly ok: true;
      readonly by: Credential;
      readonly token?: StreamToken;
      /** Index of the Auth Token that signed. */
      readonly signer?: number;
    }
  | { readonly ok: false; readonly fault: CredentialFault };

export interface UpgradeCheckOptions {
  readonly policy: SignaturePolicy;
  /** Auth Tokens; without any nothing is asked for. */
  readonly authTokens: readonly string[];
  readonly tokens: StreamTokens;
  readonly publicAddress: PublicAddress;
  readonly failures: FailedAddresses;
  readonly log: SparseLog;
}

/** Decides whether an upgrade comes from Plivo: by a stream token, or by Plivo's signature. */
export class UpgradeCheck {
  readonly #options: UpgradeCheckOptions;
  readonly #policy: SignaturePolicy;
  /** In which they are tried: the one that matched last is the first. */
  #forms: readonly UpgradeForm[] = upgradeForms;
  #knowsForm = false;

  constructor(options: UpgradeCheckOptions) {
    this.#options = options;
    this.#policy = options.authTokens.length === 0 ? 'off' : options.policy;
  }

  check(request: UpgradeRequest): CredentialVerdict {
    const { tokens, failures } = this.#options;
    const checked = request.token === '' ? undefined : tokens.check(request.token);
    if (checked?.ok) return { ok: true, by: 'token', token: checked.token };
    const fault: CredentialFault | undefined = checked && `token-${checked.why}`;
    if (this.#policy === 'off' && fault === undefined) return { ok: true, by: 'unchecked' };
    // One who failed often costs no more than a look for the form that Plivo is known to use.
    const tooMany = failures.tooMany(request.address);
    const forms = tooMany && this.#knowsForm ? this.#forms.slice(0, 1) : this.#forms;
    const signed = this.#signed(request, forms);
    if (signed !== undefined) return { ok: true, by: signed.form, signer: signed.signer };
    const why = fault ?? (isSigned(request.headers) ? 'bad-signature' : 'unsigned');
    if (!tooMany) this.#tell(request, why);
    if (this.#policy === 'observe' && fault === undefined) return { ok: true, by: 'observed' };
    failures.failed(request.address);
    return { ok: false, fault: tooMany ? 'too-many-failures' : why };
  }

  #signed(
    { path, token, query, headers }: UpgradeRequest,
    forms: readonly UpgradeForm[],
  ): { form: UpgradeForm; signer: number } | undefined {
    const { authTokens, publicAddress } = this.#options;
    const place = publicAddress.place(headers.host);
    if (place === undefined || !isSigned(headers)) return undefined;
    const whole = `${place}${path}${token === '' ? '' : `/${token}`}`;
    for (const form of forms) {
      const url = upgradeUrl(form, whole, query);
      const signer = signerOf({ method: 'GET', url, params: [], headers, tokens: authTokens });
      if (signer < 0) continue;
      this.#knowsForm = true;
      if (form !== this.#forms[0]) {
        this.#forms = [form, ...upgradeForms.filter((other) => other !== form)];
      }
      return { form, signer };
    }
    return undefined;
  }

  #tell({ path, headers, address }: UpgradeRequest, fault: CredentialFault): void {
    const { publicAddress, log } = this.#options;
    const place = publicAddress.place(headers.host) ?? '(no Host header)';
    const signed = isSigned(headers);
    const about = {
      fault,
      address,
      url: `${place}${path}`.slice(0, urlCharsMax),
      // Without a signature there is nothing to try.
      tried: signed ? upgradeForms.join(' ') : 'none',
    };
    const isOut = this.#policy !== 'observe' || fault.startsWith('token');
    log.warn(
      `stream ${fault}`,
      about,
      () => `${isOut ? 'refused' : 'would refuse'} a stream: ${remedies[fault]}`,
    );
  }
}

const urlCharsMax = 200;

const remedies: Readonly<Record<CredentialFault, string>> = {
  'token-malformed':
    'what follows /stream/ in its URL is no token; let /answer or POST /api/stream-url make the URL',
  'token-forged':
    'its token was made with another secret; gateways behind one address need the same Auth Token or STREAM_TOKEN_SECRET',
  'token-expired': 'its token was older than 60 s; each call needs a URL of its own',
  'token-ended': 'its call has ended',
  unsigned:
    'it has no token and no X-Plivo-Signature-V3; Plivo signs, so either it is not Plivo, or a proxy drops the headers',
  'bad-signature':
    'its signature matches no Auth Token; if Plivo was given another URL than those tried, set PUBLIC_URL to its start; after a rotation set PLIVO_AUTH_TOKEN_PREVIOUS; SIGNATURES_UPGRADE=observe lets streams in meanwhile',
  'too-many-failures': 'its address failed too often',
};
