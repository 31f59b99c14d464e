import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TlsConfig } from '../config/types.js';
import { errorText, GatewayError } from '../errors.js';

/** What is known of the public listener's certificate. */
export interface Certificate {
  readonly file: string;
  /** Of both files: another one after a change. */
  readonly content: string;
  /** Unix time, milliseconds. */
  readonly expiresMs: number;
}

/**
 * Reads certificate and key, and sees whether they belong together.
 * @throws GatewayError CONFIG with the file, what is wrong with it, and what to do
 */
export function readCertificate({ certFile, keyFile }: TlsConfig): Certificate {
  const certText = read(certFile);
  const keyText = read(keyFile);
  const certificate = parsed(certFile, 'a certificate', () => new X509Certificate(certText));
  const key = parsed(keyFile, 'a private key without a passphrase', () =>
    createPrivateKey(keyText),
  );
  if (!certificate.checkPrivateKey(key)) {
    throw problem(
      certFile,
      `it does not belong to the key in ${keyFile}; renew both, the leaf first`,
    );
  }
  return {
    file: certFile,
    content: `${certText}\n${keyText}`,
    expiresMs: Date.parse(certificate.validTo),
  };
}

/**
 * The same, for a certificate that is to replace one that works; undefined if the files are those of `current`. These
 * may have expired: routes can be reloaded all the same.
 * @throws GatewayError CONFIG also if a changed one has expired
 */
export function readNewCertificate(
  tls: TlsConfig,
  current: Certificate | undefined,
  nowMs = Date.now(),
): Certificate | undefined {
  const certificate = readCertificate(tls);
  if (certificate.content === current?.content) return undefined;
  if (certificate.expiresMs > nowMs) return certificate;
  throw problem(tls.certFile, `it expired on ${dateOf(certificate)}; renew it`);
}

/** What an operator has to know of a certificate that expires soon, or has. */
export function expiryWarning(certificate: Certificate, nowMs = Date.now()): string | undefined {
  const { file, expiresMs } = certificate;
  if (expiresMs - nowMs >= expirySoonMs) return undefined;
  const verb = expiresMs > nowMs ? 'expires' : 'expired';
  return `certificate ${file} ${verb} on ${dateOf(certificate)}; renew it, then reload`;
}

const expirySoonMs = 14 * 86_400_000;

function dateOf({ expiresMs }: Certificate): string {
  return new Date(expiresMs).toISOString().slice(0, 10);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    throw problem(
      file,
      `it cannot be read (${(thrown as NodeJS.ErrnoException).code ?? errorText(thrown)})`,
    );
  }
}

function parsed<T>(file: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw problem(file, `it is not ${what} in PEM`);
  }
}

function problem(file: string, text: string): GatewayError {
  return new GatewayError('CONFIG', `cannot use ${file}: ${text}`);
}
